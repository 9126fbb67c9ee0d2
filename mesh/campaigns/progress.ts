/** How far the owner of one partition is with a campaign, and the sum over all of them. */

import { type Campaign, runOf } from './campaign.ts';

/** What came of one file. `restored`, `not-needed`, `verified` and `gone` need nothing more; the others say what is wrong. */
export const fileOutcomes = [
  'restored',
  'not-needed',
  'verified',
  'partial',
  'corrupt',
  'failed',
  'irrecoverable',
  'gone',
] as const;
export type FileOutcome = (typeof fileOutcomes)[number];

export interface OutcomeCount {
  readonly outcome: FileOutcome;
  /** Empty where nothing went wrong. */
  readonly errorCode: string;
  readonly files: number;
}

export interface CampaignProgress {
  readonly campaignId: string;
  readonly partition: number;
  /** Of the partition at its owner: a fence. */
  readonly generation: number;
  readonly repairer: string;
  readonly seenRevision: number;
  /** Revision at which the campaign was started. */
  readonly run: number;
  readonly pass: number;
  /** The last storage index, as text, that this pass is done with; empty at its beginning. */
  readonly cursor: string;
  readonly finished: boolean;
  readonly inFlight: number;
  /** Why nothing is being done, or what makes it slow; empty where nothing does. */
  readonly waitsFor: string;
  readonly atMs: number;
  readonly outcomes: readonly OutcomeCount[];
  readonly sharesWritten: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Why this part cannot be done at all; empty where it can. */
  readonly failure: string;
}

export interface CampaignTotals {
  readonly files: number;
  readonly outcomes: readonly OutcomeCount[];
  readonly sharesWritten: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly inFlight: number;
  readonly finishedParts: number;
  /** Why parts wait, each with how many of them. */
  readonly waits: readonly { readonly reason: string; readonly parts: number }[];
  /** Of the part that told last. */
  readonly atMs: number;
}

export function totalsOf(parts: readonly CampaignProgress[]): CampaignTotals {
  const outcomes = new Map<string, { outcome: FileOutcome; errorCode: string; files: number }>();
  const waits = new Map<string, number>();
  for (const part of parts) {
    for (const { outcome, errorCode, files } of part.outcomes) {
      const key = `${outcome}/${errorCode}`;
      outcomes.set(key, { outcome, errorCode, files: (outcomes.get(key)?.files ?? 0) + files });
    }
    if (part.waitsFor !== '' && !part.finished) waits.set(part.waitsFor, (waits.get(part.waitsFor) ?? 0) + 1);
  }
  const sum = (of: (part: CampaignProgress) => number): number => parts.reduce((all, part) => all + of(part), 0);
  const counts = [...outcomes.values()].sort(
    (a, b) => fileOutcomes.indexOf(a.outcome) - fileOutcomes.indexOf(b.outcome),
  );
  return {
    files: counts.reduce((all, { files }) => all + files, 0),
    outcomes: counts,
    sharesWritten: sum((part) => part.sharesWritten),
    bytesRead: sum((part) => part.bytesRead),
    bytesWritten: sum((part) => part.bytesWritten),
    inFlight: sum((part) => part.inFlight),
    finishedParts: parts.filter(({ finished }) => finished).length,
    waits: [...waits].map(([reason, count]) => ({ reason, parts: count })).sort((a, b) => b.parts - a.parts),
    atMs: Math.max(0, ...parts.map(({ atMs }) => atMs)),
  };
}

/**
 * Every part knows that it is to stand still, and does. One that has told nothing yet may be at work: who owns it tells.
 * @param parts of the campaign's last run.
 * @param partitions so many parts has a campaign.
 */
export function isAtRest(campaign: Campaign, parts: readonly CampaignProgress[], partitions: number): boolean {
  if (campaign.state === 'running') return false;
  if (runOf(campaign) === 0) return true;
  return (
    parts.length >= partitions &&
    parts.every(
      ({ finished, seenRevision, inFlight }) => inFlight === 0 && (finished || seenRevision >= campaign.revision),
    )
  );
}
