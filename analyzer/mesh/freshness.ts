/** Whether what is told of the mesh is up to date, and if not, why. */
import { describeError } from '#mesh/errors.ts';
import type { LogTime } from '#peers/liveness/log-time.ts';
import type { OwnedPartition } from '../files/partition/owned-partition.ts';
import type { AnalyzerOptions } from '../options.ts';

export interface Freshness {
  readonly state: 'fresh' | 'stale';
  /** The log's newest tick that has been dealt with everywhere; 0 before the first. */
  readonly asOfMs: number;
  readonly reasons: readonly string[];
}

export interface FreshnessInput {
  /** Of every partition of peer-events; empty before the first is read. */
  readonly peerTimes: readonly LogTime[];
  readonly owned: readonly Pick<OwnedPartition, 'time' | 'caughtUp'>[];
  readonly failure: unknown;
  /** Since when a flush to the store has been under way, in monotonic time; null where none is. */
  readonly keepingSinceMs: number | null;
  /** Peers that count and owe an inventory, since records of the log were never read. */
  readonly owedInventories: number;
}

export function freshnessOf(
  { config, clock, store }: Pick<AnalyzerOptions, 'config' | 'clock' | 'store'>,
  { peerTimes, owned, failure, keepingSinceMs, owedInventories }: FreshnessInput,
): Freshness {
  const { staleAfterMs } = config.analyzer;
  const now = clock.nowMs();
  const seconds = (spanMs: number): number => Math.round(spanMs / 1000);
  const reasons: string[] = [];
  const times = [...peerTimes, ...owned.map(({ time }) => time)];
  const asOfMs = peerTimes.length === 0 ? 0 : Math.min(...times.map(({ watermarkMs }) => watermarkMs));
  if (failure !== null) reasons.push(describeError(failure));
  if (owned.length === 0) reasons.push('no partition is owned yet');
  if (times.some(({ ticksAhead }) => ticksAhead > 0)) {
    reasons.push('ticks come from the future and are left out: the clock of a collector, or of this machine, is wrong');
  }
  if (asOfMs === 0) reasons.push('the log has had no tick yet: is a collector running?');
  else if (now - asOfMs > staleAfterMs) {
    reasons.push(`the log's newest tick is ${seconds(now - asOfMs)} s old: collectors are away, or this analyzer lags`);
  }
  const behind = owned.filter(({ caughtUp }) => !caughtUp).length;
  if (behind > 0)
    reasons.push(behind === 1 ? '1 partition is being rebuilt' : `${behind} partitions are being rebuilt`);
  const waitingSinceMs = store.waitingSinceMs();
  const waitedMs = Math.max(
    waitingSinceMs === null ? 0 : now - waitingSinceMs,
    keepingSinceMs === null ? 0 : clock.monotonicMs() - keepingSinceMs,
  );
  if (waitedMs > staleAfterMs) {
    reasons.push(`ClickHouse has not taken anything for ${seconds(waitedMs)} s: events wait in the log`);
  }
  if (owedInventories > 0) {
    const peers = owedInventories === 1 ? '1 peer owes' : `${owedInventories} peers owe`;
    reasons.push(`records of the log were never read: ${peers} an inventory since`);
  }
  return { state: reasons.length === 0 ? 'fresh' : 'stale', asOfMs, reasons };
}
