/** Files and bytes by grade or margin, and exposure, over time. */
import { type Grade, grades } from '#mesh/grade.ts';
import type { Store } from '../client.ts';
import {
  bucketStart,
  type Column,
  choice as choiceOf,
  int16,
  label,
  uint64,
  uint64Sum,
} from '../row-binary/columns.ts';
import { exposureSeries, gradeHistorySeries, marginHistorySeries, type Series } from '../series.ts';
import { chooseLevel, type LevelChoice, type Span } from './level.ts';
import { figureSql, spanCondition, spanParameters, stepSql, tableOf } from './series-sql.ts';

export interface HistoryQuery extends Span {
  /** For choosing a level that still reaches back to `fromMs`. */
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

export interface History<P> {
  readonly stepMs: number;
  /** In order of time and keys. A step with no sweep has no points. */
  readonly points: readonly P[];
}

/** Of each step, the last sweep of each analyzer, summed over analyzers. */
export function gradeHistoryIn(store: Store, query: HistoryQuery): Promise<History<HistoryPoint<Grade>>> {
  return distributionIn(store, gradeHistorySeries, 'grade', choiceOf(grades), query);
}

export function marginHistoryIn(store: Store, query: HistoryQuery): Promise<History<HistoryPoint<number>>> {
  return distributionIn(store, marginHistorySeries, 'margin', int16, query);
}

async function distributionIn<K>(
  store: Store,
  series: Series,
  key: string,
  column: Column<K>,
  query: HistoryQuery,
): Promise<History<HistoryPoint<K>>> {
  const choice = chooseLevel(query, query.nowMs, query.maxPoints ?? 500, store.retention);
  const points = await store.select(
    { at: bucketStart, policy: label, key: column, files: uint64, bytes: uint64Sum },
    lastSweepsSql(store, series, choice, { source: 'policy', key, figures: ['files', 'bytes'], condition: '' }),
    { parameters: spanParameters(choice) },
  );
  return { stepMs: choice.stepMs, points };
}

export interface ExposureHistoryQuery extends HistoryQuery {
  /** Such as `zone`. */
  readonly kind: string;
  /** @default all of the kind */
  readonly domain?: string;
}

export interface ExposurePoint {
  readonly at: number;
  readonly kind: string;
  readonly domain: string;
  readonly filesBelowK: number;
  readonly filesBelowRepair: number;
}

/** Of each step, the last sweep of each analyzer, summed over analyzers. */
export async function exposureHistoryIn(store: Store, query: ExposureHistoryQuery): Promise<History<ExposurePoint>> {
  const choice = chooseLevel(query, query.nowMs, query.maxPoints ?? 500, store.retention);
  const condition =
    ' AND source.kind = {kind:String}' + (query.domain === undefined ? '' : ' AND source.domain = {domain:String}');
  const points = await store.select(
    { at: bucketStart, kind: label, domain: label, filesBelowK: uint64, filesBelowRepair: uint64 },
    lastSweepsSql(store, exposureSeries, choice, {
      source: 'kind',
      key: 'domain',
      figures: ['files_below_k', 'files_below_repair'],
      condition,
    }),
    {
      parameters: {
        ...spanParameters(choice),
        kind: query.kind,
        ...(query.domain === undefined ? {} : { domain: query.domain }),
      },
    },
  );
  return { stepMs: choice.stepMs, points };
}

interface Distribution {
  /** What an analyzer reports a whole distribution for in each sweep. */
  readonly source: string;
  readonly key: string;
  readonly figures: readonly string[];
  readonly condition: string;
}

/**
 * A key that had files early in a step and none in its last sweep must not count: it is known by being older than the
 * newest row of its analyzer and source in that step.
 */
function lastSweepsSql(
  store: Store,
  series: Series,
  choice: LevelChoice,
  { source, key, figures, condition }: Distribution,
): string {
  const { last, newestAt } = figureSql(series, choice.level);
  return `SELECT step, ${source}, ${key}, ${figures.map((figure) => `sum(${figure}) AS ${figure}_total`).join(', ')} FROM (
  SELECT *, max(key_at) OVER (PARTITION BY step, analyzer, ${source}) AS newest_at FROM (
    SELECT ${stepSql(choice)} AS step,
      source.analyzer AS analyzer, source.${source} AS ${source}, source.${key} AS ${key},
      ${figures.map((figure) => `${last(figure)} AS ${figure}`).join(', ')}, ${newestAt} AS key_at
    FROM ${tableOf(store, series, choice.level)} AS source
    WHERE ${spanCondition(series, choice.level)}${condition}
    GROUP BY step, analyzer, ${source}, ${key}
  )
) WHERE key_at = newest_at
GROUP BY step, ${source}, ${key} ORDER BY step, ${source}, ${key}`;
}
