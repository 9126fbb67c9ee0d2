/** What repairers do at this moment, asked of their own state pages; a repairer that does not answer is left out. */
import type { Clock } from '#mesh/clock.ts';
import { type FailingFileStatus, type RepairerStatus, repairerStatus } from '#mesh/repairer-status.ts';

export interface RunningRepairs {
  readonly running: RepairerStatus['running'];
  readonly brake: string | null;
  /** By storage index: files whose last repair did not end well. */
  readonly failing: ReadonlyMap<string, FailingFileStatus>;
  /** Files of which shares could not be moved off draining peers so far. */
  readonly stuckDrains: number;
  /** Repairers that answered. */
  readonly repairers: number;
}

export const nothingRuns: RunningRepairs = {
  running: [],
  brake: null,
  failing: new Map(),
  stuckDrains: 0,
  repairers: 0,
};

const answerTimeoutMs = 400;

/** An answer serves everybody who asks within this time: repairers are not asked once for each viewer. */
const answerServesMs = 500;

export function repairersAt(urls: readonly string[], clock: Clock): () => Promise<RunningRepairs> {
  let answer: Promise<RunningRepairs> | undefined;
  let askedAtMs = Number.NEGATIVE_INFINITY;
  return () => {
    const nowMs = clock.monotonicMs();
    if (answer === undefined || nowMs - askedAtMs >= answerServesMs) {
      askedAtMs = nowMs;
      answer = askRepairers(urls);
    }
    return answer;
  };
}

async function askRepairers(urls: readonly string[]): Promise<RunningRepairs> {
  const states = await Promise.all(urls.map(ask));
  return {
    running: states.flatMap((state) => state?.running ?? []),
    brake: states.map((state) => state?.brake ?? null).find((reason) => reason !== null) ?? null,
    stuckDrains: states.reduce((sum, state) => sum + (state?.drain?.failingFiles ?? 0), 0),
    failing: new Map(
      states.flatMap((state) => (state?.failing ?? []).map((file) => [file.storageIndex, file] as const)),
    ),
    repairers: states.filter((state) => state !== null).length,
  };
}

async function ask(url: string): Promise<RepairerStatus | null> {
  try {
    const response = await fetch(new URL('/v1/state', url), { signal: AbortSignal.timeout(answerTimeoutMs) });
    return repairerStatus.parse(await response.json());
  } catch {
    return null;
  }
}
