/** How long a file rests after a repair that did not end well. */
import type { Random } from '#mesh/clock.ts';
import type { RepairReport } from '../repair/repair-report.ts';

export interface BackoffSettings {
  /** Quick tries before the long rests. */
  readonly attempts: number;
  readonly retryAfterMs: number;
}

const longestRestMs = 3_600_000;
const quickRestMs = 1_000;

/**
 * A fault that may be gone in a moment is tried again quickly, a few times; one that only a change of the mesh can end rests
 * longer each time, up to an hour.
 *
 * @param attempt count of this file's failures in a row, from 1.
 */
export function restMs(
  report: Pick<RepairReport, 'ending' | 'errorCode'>,
  attempt: number,
  settings: BackoffSettings,
  random: Random,
): number {
  const passes = report.ending === 'failed' && report.errorCode !== 'repair-no-target';
  const quickTries = passes ? settings.attempts : 1;
  const spread = 0.9 + 0.2 * random();
  if (attempt < quickTries) return Math.min(settings.retryAfterMs, quickRestMs * 2 ** (attempt - 1)) * spread;
  return Math.min(longestRestMs, settings.retryAfterMs * 2 ** Math.min(30, attempt - quickTries)) * spread;
}
