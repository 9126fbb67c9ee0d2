/** What came of a repair: every fact that the audit keeps and the next decision needs. */
import { describeError, type ErrorCode, MeshwardError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { PlacedShare } from '#peers/locate.ts';
import type { Fence } from '#peers/peer-storage.ts';
import type { AtRiskEntry } from '../queue/at-risk.ts';
import type { RepairCost } from './plan.ts';

/**
 * `repaired`: every wanted share was restored. `partial`: some were. `not-needed`: the file was found well enough.
 * `too-few-shares`: every share that can be had was tried, and fewer than k are good. `irrecoverable`: k are good and make no
 * file: it was uploaded wrongly. `failed`: anything else went wrong.
 * `fenced`: another repairer owns the file now. `cancelled`: called off by a stop.
 */
export const repairEndings = [
  'repaired',
  'partial',
  'not-needed',
  'too-few-shares',
  'irrecoverable',
  'failed',
  'fenced',
  'cancelled',
] as const;

export type RepairEnding = (typeof repairEndings)[number];

export interface RepairReport {
  readonly id: string;
  readonly entry: AtRiskEntry;
  readonly fence: Fence | undefined;
  readonly ending: RepairEnding;
  /** Empty where nothing went wrong. */
  readonly errorCode: ErrorCode | '';
  readonly errorMessage: string;
  readonly startedAtMs: number;
  readonly durationMs: number;
  /** Distinct share numbers that could be asked for, before and after. */
  readonly availableBefore: number;
  readonly availableAfter: number;
  readonly wanted: readonly number[];
  /** Shares that this repair wrote. */
  readonly written: readonly PlacedShare[];
  /** Shares thought missing that were found on a target, and checked. */
  readonly found: readonly PlacedShare[];
  /** Shares that targets have taken whole, whether they were read back or not: they are there also where the repair was called off. */
  readonly taken: readonly PlacedShare[];
  /** Peers that were read from. */
  readonly sources: readonly PeerId[];
  readonly corrupt: readonly PlacedShare[];
  readonly failedTargets: readonly PeerId[];
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly cost: RepairCost;
}

export interface RepairFacts {
  readonly wanted: readonly number[];
  readonly restored: number;
  readonly firstTargetError: unknown;
}

export function judge(facts: RepairFacts): { ending: RepairEnding; error: unknown } {
  if (facts.restored === facts.wanted.length) return { ending: 'repaired', error: undefined };
  const missing = facts.wanted.length - facts.restored;
  const error = new MeshwardError(
    'repair-no-target',
    `${missing} of ${facts.wanted.length} shares found no peer to take them`,
    {
      next: 'Bring peers back or add some: with room, and without a share of this file. `meshward peers` shows who is writable.',
      retryable: true,
      cause: facts.firstTargetError,
    },
  );
  return { ending: facts.restored > 0 ? 'partial' : 'failed', error };
}

/** @param signal the one that ends the work; its reason tells fencing from a stop. */
export function judgeError(error: unknown, signal: AbortSignal): { ending: RepairEnding; error: unknown } {
  const cause: unknown = signal.aborted ? signal.reason : error;
  const code = cause instanceof MeshwardError ? cause.code : undefined;
  if (code === 'log-fenced') return { ending: 'fenced', error: cause };
  if (signal.aborted) return { ending: 'cancelled', error: cause };
  if (code === 'not-enough-shares') return { ending: 'too-few-shares', error: cause };
  if (code === 'file-irrecoverable') return { ending: 'irrecoverable', error: cause };
  return { ending: 'failed', error: cause };
}

export function errorFacts(error: unknown): { errorCode: ErrorCode | ''; errorMessage: string } {
  if (error === undefined) return { errorCode: '', errorMessage: '' };
  return {
    errorCode: error instanceof MeshwardError ? error.code : 'internal',
    errorMessage: describeError(error).slice(0, 1000),
  };
}
