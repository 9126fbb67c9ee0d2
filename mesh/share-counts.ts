/**
 * What the shares of a file amount to: one definition for whoever judges files from placements and peers' states. (The sweep of
 * an analyzer's share map counts the same in native code, by the flags that these states give.)
 */

import { isAvailableState, isCountedState, isRetainedState, type PeerState } from './peer-state.ts';
import type { Policy } from './policy.ts';

export interface ShareCounts {
  /** Distinct share numbers on peers that can be asked now. */
  readonly available: number;
  /** Distinct share numbers that count against the repair trigger: on peers that are up or silent for a reason that passes. */
  readonly counted: number;
  /** Distinct share numbers on peers that are not departed. */
  readonly retained: number;
}

/** @param shares sound ones; a number may come from several peers. */
export function countShares(
  shares: Iterable<{ readonly shareNumber: number; readonly state: PeerState }>,
): ShareCounts {
  const available = new Set<number>();
  const counted = new Set<number>();
  const retained = new Set<number>();
  for (const { shareNumber, state } of shares) {
    if (isAvailableState(state)) available.add(shareNumber);
    if (isCountedState(state)) counted.add(shareNumber);
    if (isRetainedState(state)) retained.add(shareNumber);
  }
  return { available: available.size, counted: counted.size, retained: retained.size };
}

/** Whether a file needs repair: it counts shares in grace too, so that a peer's short silence moves nothing. */
export function needsRepair(counted: number, policy: Pick<Policy, 'repairBelow'>): boolean {
  return counted < policy.repairBelow;
}

/** Share numbers that a repair adds: as many as the policy restores, beyond those that count. */
export function sharesToRestore(counted: number, policy: Pick<Policy, 'repairUpTo'>): number {
  return Math.max(0, policy.repairUpTo - counted);
}
