/** Files and bytes by grade or margin over time. */
import { type Grade, grades } from '#mesh/grade.ts';
import type { Store } from '../client.ts';
import { bucketStart, type Column, choice, int16, label, uint64 } from '../row-binary/columns.ts';
import { chooseGrain, type GrainChoice, type Span } from './grain.ts';

export interface HistoryQuery extends Span {
  /** For choosing a rollup that still reaches back to `fromMs`. */
  readonly nowMs: number;
  /** @default 500 */
  readonly maxPoints?: number;
}

export interface HistoryPoint<K> {
  /** Start of the step, milliseconds since the epoch. */
  readonly at: number;
  readonly policy: string;
  readonly key: K;
  readonly files: number;
  readonly bytes: number;
}

export interface History<K> {
  readonly stepMs: number;
  /** In order of time, policy and key. A step with no sweep has no points. */
  readonly points: readonly HistoryPoint<K>[];
}

/** Of each step, the last sweep of each analyzer, summed over analyzers. */
export function gradeHistoryIn(store: Store, query: HistoryQuery): Promise<History<Grade>> {
  return historyIn(store, 'grade', choice(grades), query);
}

export function marginHistoryIn(store: Store, query: HistoryQuery): Promise<History<number>> {
  return historyIn(store, 'margin', int16, query);
}

async function historyIn<K>(
  store: Store,
  key: 'grade' | 'margin',
  column: Column<K>,
  query: HistoryQuery,
): Promise<History<K>> {
  const choice = chooseGrain(query, query.nowMs, query.maxPoints ?? 500);
  const points = await store.select(
    { at: bucketStart, policy: label, key: column, files: uint64, bytes: uint64 },
    historySql(store, key, choice),
    { parameters: { from: Math.floor(query.fromMs), to: Math.ceil(query.toMs) } },
  );
  return { stepMs: choice.stepMs, points };
}

/**
 * A key that had files early in a step and none in its last sweep must not count: it is known by being older than the
 * newest row of its analyzer and policy in that step.
 */
function historySql(store: Store, key: 'grade' | 'margin', { grain, stepMs }: GrainChoice): string {
  const raw = grain.suffix === '';
  const filesLast = raw ? 'argMax(source.files, source.at)' : 'argMaxMerge(source.files_last)';
  const bytesLast = raw ? 'argMax(source.bytes, source.at)' : 'argMaxMerge(source.bytes_last)';
  const newestAt = raw ? 'max(source.at)' : 'max(source.last_at)';
  return `SELECT step, policy, ${key}, sum(files) AS files_total, sum(bytes) AS bytes_total FROM (
  SELECT *, max(key_at) OVER (PARTITION BY step, analyzer, policy) AS newest_at FROM (
    SELECT toDateTime(toStartOfInterval(toDateTime(source.at, 'UTC'), INTERVAL ${Math.round(stepMs / 1000)} SECOND), 'UTC') AS step,
      source.analyzer AS analyzer, source.policy AS policy, source.${key} AS ${key},
      ${filesLast} AS files, ${bytesLast} AS bytes, ${newestAt} AS key_at
    FROM ${store.qualified(`${key}_history${grain.suffix}`)} AS source
    WHERE source.at >= fromUnixTimestamp64Milli({from:Int64}) AND source.at < fromUnixTimestamp64Milli({to:Int64})
    GROUP BY step, analyzer, policy, ${key}
  )
) WHERE key_at = newest_at
GROUP BY step, policy, ${key} ORDER BY step, policy, ${key}`;
}
