/** A file as an analyzer would list it, made from what is known here: for work that is not asked for by the list. */
import { gradeOf, marginOf } from '#mesh/grade.ts';
import type { Manifest } from '#mesh/manifest.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { isAvailableState, type PeerState } from '#mesh/peer-state.ts';
import type { Policy } from '#mesh/policy.ts';
import { countShares } from '#mesh/share-counts.ts';
import type { PlacedShare } from '#peers/locate.ts';
import type { AtRiskEntry } from './at-risk.ts';

export interface OwnEntry {
  readonly manifest: Manifest;
  readonly tag: string;
  readonly policy: Policy;
  /** Sound shares, as far as they are known. */
  readonly placements: readonly PlacedShare[];
  readonly stateOf: (peerId: PeerId) => PeerState;
  readonly cause: string;
  readonly nowMs: number;
}

export function ownEntry({ manifest, tag, policy, placements, stateOf, cause, nowMs }: OwnEntry): AtRiskEntry {
  const counts = countShares(placements.map(({ shareNumber, peerId }) => ({ shareNumber, state: stateOf(peerId) })));
  return {
    manifest,
    tag,
    grade: gradeOf(counts.available, policy),
    ...counts,
    margin: marginOf(counts.available, manifest.k),
    placements: placements.map((placement) => ({
      ...placement,
      available: isAvailableState(stateOf(placement.peerId)),
    })),
    cause,
    sinceMs: nowMs,
    updatedAtMs: nowMs,
    risk: 0,
    repairUpTo: policy.repairUpTo,
    maxSharesPerPeer: policy.maxSharesPerPeer,
    maxSharesPerDomain: policy.maxSharesPerDomain,
    revision: 0,
    ownerGeneration: 0,
  };
}
