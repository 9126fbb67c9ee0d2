/** What repairers do at this moment, asked of their own state pages; a repairer that does not answer is left out. */
import { z } from 'zod';

export const runningRepair = z.object({
  storageIndex: z.string(),
  grade: z.string(),
  /** Shares that this repair adds. */
  shares: z.number(),
  /** 0 … 1 */
  progress: z.number(),
  bytes: z.number(),
});

export const repairerState = z.object({
  running: z.array(runningRepair),
  /** Why bulk repair holds, or null. */
  brake: z.string().nullable(),
  queued: z.record(z.string(), z.number()),
});

export type RepairerState = z.infer<typeof repairerState>;

export interface RunningRepairs {
  readonly running: RepairerState['running'];
  readonly brake: string | null;
}

const answerTimeoutMs = 400;

export async function askRepairers(urls: readonly string[]): Promise<RunningRepairs> {
  const states = await Promise.all(urls.map(ask));
  return {
    running: states.flatMap((state) => state?.running ?? []),
    brake: states.map((state) => state?.brake ?? null).find((reason) => reason !== null) ?? null,
  };
}

async function ask(url: string): Promise<RepairerState | null> {
  try {
    const response = await fetch(new URL('/v1/state', url), { signal: AbortSignal.timeout(answerTimeoutMs) });
    return repairerState.parse(await response.json());
  } catch {
    return null;
  }
}
