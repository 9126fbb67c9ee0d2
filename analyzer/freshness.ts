/** Whether what is told of the mesh is up to date, and if not, why. */
import { describeError } from '#mesh/errors.ts';
import type { LogTime } from './liveness/log-time.ts';
import type { AnalyzerOptions } from './options.ts';
import type { OwnedPartition } from './partition/owned-partition.ts';

export interface Freshness {
  readonly state: 'fresh' | 'stale';
  /** The log's newest tick that has been dealt with everywhere; 0 before the first. */
  readonly asOfMs: number;
  readonly reasons: readonly string[];
}

export interface FreshnessInput {
  readonly peerTime: LogTime | null;
  readonly owned: readonly OwnedPartition[];
  readonly failure: unknown;
}

export function freshnessOf(
  { config, clock, store }: AnalyzerOptions,
  { peerTime, owned, failure }: FreshnessInput,
): Freshness {
  const { staleAfterMs } = config.analyzer;
  const now = clock.nowMs();
  const seconds = (sinceMs: number): number => Math.round((now - sinceMs) / 1000);
  const reasons: string[] = [];
  const asOfMs = Math.min(peerTime?.watermarkMs ?? 0, ...owned.map(({ time }) => time.watermarkMs));
  if (failure !== null) reasons.push(describeError(failure));
  if (owned.length === 0) reasons.push('no partition is owned yet');
  if (asOfMs === 0) reasons.push('the log has had no tick yet: is a collector running?');
  else if (now - asOfMs > staleAfterMs) {
    reasons.push(`the log's newest tick is ${seconds(asOfMs)} s old: collectors are away, or this analyzer lags`);
  }
  const behind = owned.filter(({ caughtUp }) => !caughtUp).length;
  if (behind > 0) reasons.push(`${behind} partitions are being rebuilt`);
  const waitingSinceMs = store.waitingSinceMs();
  if (waitingSinceMs !== null && now - waitingSinceMs > staleAfterMs) {
    reasons.push(`ClickHouse has not taken anything for ${seconds(waitingSinceMs)} s: events wait in the log`);
  }
  return { state: reasons.length === 0 ? 'fresh' : 'stale', asOfMs, reasons };
}
