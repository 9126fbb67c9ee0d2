/** What repairers do at this moment, asked of their own state pages; a repairer that does not answer is left out. */
import { type RepairerStatus, repairerStatus } from '#mesh/repairer-status.ts';

export interface RunningRepairs {
  readonly running: RepairerStatus['running'];
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

async function ask(url: string): Promise<RepairerStatus | null> {
  try {
    const response = await fetch(new URL('/v1/state', url), { signal: AbortSignal.timeout(answerTimeoutMs) });
    return repairerStatus.parse(await response.json());
  } catch {
    return null;
  }
}
