/** What repairers do, for alerts: asked beside the sweep and never waited for; what is told may be a few seconds old. */
import type { Clock } from '#mesh/clock.ts';
import type { RunningRepairs } from '../api/running-repairs.ts';
import type { RepairsNow } from './outlook.ts';

const askEveryMs = 5000;

/** @param ask never rejects. @returns what was answered last; null where no repairer did. */
export function watchRepairs(
  ask: () => Promise<RunningRepairs>,
  clock: Pick<Clock, 'monotonicMs'>,
): () => RepairsNow | null {
  let answer: RepairsNow | null = null;
  let nextMs = Number.NEGATIVE_INFINITY;
  return () => {
    const now = clock.monotonicMs();
    if (now >= nextMs) {
      nextMs = now + askEveryMs;
      void ask().then(({ running, brake, repairers }) => {
        answer = repairers === 0 ? null : { running: running.length, brake };
      });
    }
    return answer;
  };
}
