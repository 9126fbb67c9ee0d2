/** Whether what this analyzer says of its own part of the mesh is up to date, and if not, why. */
import { describeError } from '#mesh/errors.ts';
import type { LogTime } from '#peers/liveness/log-time.ts';
import type { OwnedPartition } from '../files/partition/owned-partition.ts';
import type { AnalyzerOptions } from '../options.ts';
import type { StaleReason } from './stale-reason.ts';

export interface Freshness {
  readonly state: 'fresh' | 'stale';
  /** The log's newest tick that has been dealt with everywhere; 0 before the first. */
  readonly asOfMs: number;
  readonly reasons: readonly StaleReason[];
}

export interface FreshnessInput {
  /** Of every partition of peer-events; empty before the first is read. */
  readonly peerTimes: readonly LogTime[];
  readonly owned: readonly Pick<OwnedPartition, 'time' | 'caughtUp'>[];
  /** Partitions that are owned and not rebuilt yet. */
  readonly rebuilding: number;
  readonly failure: unknown;
  /** Since when a flush to the store has been under way, in monotonic time; null where none is. */
  readonly keepingSinceMs: number | null;
  /** Peers that count and owe an inventory, since records of the log were never read. */
  readonly owedInventories: number;
}

export function freshnessOf(
  { config, clock, store, log }: Pick<AnalyzerOptions, 'config' | 'clock' | 'store' | 'log'>,
  { peerTimes, owned, rebuilding, failure, keepingSinceMs, owedInventories }: FreshnessInput,
): Freshness {
  const { staleAfterMs } = config.analyzer;
  const now = clock.nowMs();
  const reasons: StaleReason[] = [];
  const times = [...peerTimes, ...owned.map(({ time }) => time)];
  const asOfMs = peerTimes.length === 0 ? 0 : Math.min(...times.map(({ watermarkMs }) => watermarkMs));
  for (const [what, { trouble }] of [
    ['log', log],
    ['database', store],
  ] as const) {
    if (trouble !== undefined && trouble !== null)
      reasons.push({ kind: 'waiting', what, error: describeError(trouble) });
  }
  if (failure !== null) reasons.push({ kind: 'failed', error: describeError(failure) });
  if (owned.length + rebuilding === 0) reasons.push({ kind: 'nothing-owned' });
  if (times.some(({ ticksAhead }) => ticksAhead > 0)) reasons.push({ kind: 'ticks-ahead' });
  if (asOfMs === 0) reasons.push({ kind: 'no-tick' });
  else if (now - asOfMs > staleAfterMs) reasons.push({ kind: 'old-tick', ageMs: now - asOfMs });
  const patienceMs = Math.max(0, ...peerTimes.map((time) => time.patienceMs));
  if (patienceMs > 0) reasons.push({ kind: 'resuming', leftMs: patienceMs });
  const behind = rebuilding + owned.filter(({ caughtUp }) => !caughtUp).length;
  if (behind > 0) reasons.push({ kind: 'rebuilding', partitions: behind });
  const waitingSinceMs = store.waitingSinceMs();
  const waitedMs = Math.max(
    waitingSinceMs === null ? 0 : now - waitingSinceMs,
    keepingSinceMs === null ? 0 : clock.monotonicMs() - keepingSinceMs,
  );
  if (waitedMs > staleAfterMs) reasons.push({ kind: 'store-waiting', waitedMs });
  if (owedInventories > 0) reasons.push({ kind: 'inventories-owed', peers: owedInventories });
  return { state: reasons.length === 0 ? 'fresh' : 'stale', asOfMs, reasons };
}
