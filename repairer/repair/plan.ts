/** What a repair would do, and what it would cost: a function of the at-risk entry and what is held of the peers. */
import type { PeerId } from '#mesh/peer-id.ts';
import { isAvailableState, isCountedState, type PeerState } from '#mesh/peer-state.ts';
import { needsRepair, sharesToRestore } from '#mesh/share-counts.ts';
import type { PlacedShare } from '#peers/locate.ts';
import type { AtRiskEntry } from '../queue/at-risk.ts';

/** One share on one peer, as far as it is known. */
export interface KnownShare extends PlacedShare {
  /** The peer can be asked for it now. */
  readonly available: boolean;
  /** It counts against the trigger: on a peer that is up, or silent for a reason that passes. */
  readonly counted: boolean;
  /** On a peer that serves it still and is about to go: it may be copied. */
  readonly leaving?: boolean;
}

export interface RepairPlan {
  /** Share numbers that no counted peer holds, in ascending order. */
  readonly missing: readonly number[];
  /** Of those, the ones to restore: as many as `repairUpTo` asks for. */
  readonly restore: readonly number[];
  /** Distinct share numbers that can be asked for now. */
  readonly available: number;
  /** Distinct share numbers that count. */
  readonly counted: number;
  /** Shares that can be read, best source first; a number may come from several peers. */
  readonly sources: readonly KnownShare[];
  readonly cost: RepairCost;
}

export interface RepairCost {
  /** Bytes of blocks that `k` sources are asked for. */
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Bytes moved for each share of margin that is won; a repair reads `k` shares whether it writes one or fifty. */
  readonly bytesPerShareOfMargin: number;
}

/**
 * The entry's placements with what is now held of their peers; a peer that is not known is taken as the entry says.
 *
 * @param answers what peers themselves just said they hold: it overrides the entry for those peers. A share that a peer names
 *   and the entry does not may be one that is known to be corrupt: it may be tried as a source, and does not count.
 * @param placed shares that this repairer wrote and checked itself, which the entry may not show yet.
 */
export function knownShares(
  entry: AtRiskEntry,
  stateOf: (peerId: PeerId) => PeerState | undefined,
  answers: ReadonlyMap<PeerId, ReadonlySet<number>> = new Map(),
  placed: readonly PlacedShare[] = [],
): KnownShare[] {
  const trusted = new Set(
    [...entry.placements, ...placed].map(({ peerId, shareNumber }) => `${peerId}/${shareNumber}`),
  );
  const shares: KnownShare[] = [];
  for (const { shareNumber, peerId, available } of entry.placements) {
    if (answers.has(peerId)) continue;
    const state = stateOf(peerId);
    shares.push({
      shareNumber,
      peerId,
      available: state === undefined ? available : isAvailableState(state),
      counted: state === undefined ? available : isCountedState(state),
    });
  }
  for (const [peerId, numbers] of answers) {
    // A draining peer answers and is about to go: its shares are sources and do not count.
    const stays = stateOf(peerId) !== 'draining';
    for (const shareNumber of numbers) {
      if (shareNumber >= entry.manifest.n) continue;
      const isTrusted = trusted.has(`${peerId}/${shareNumber}`);
      const leaving = !stays && isTrusted;
      shares.push({ shareNumber, peerId, available: true, counted: stays && isTrusted, ...(leaving && { leaving }) });
    }
  }
  return shares;
}

/**
 * Whether there is nothing to do after all: everything is there, or what counts has grown since the entry was written and
 * the analyzer's own rule would not list the file. (An entry that was written for another reason than the count is acted upon.)
 */
export function isRepairUnneeded(entry: AtRiskEntry, plan: RepairPlan, repairBelow: number): boolean {
  return plan.restore.length === 0 || (plan.counted > entry.counted && !needsRepair(plan.counted, { repairBelow }));
}

/**
 * @param rank smaller is a better source: by load and past speed.
 * @param shareBytes length of one share, for the cost.
 * @param wanted these numbers, and not as many as the policy asks for; those that count by now are left out.
 */
export function planRepair(
  entry: AtRiskEntry,
  shares: readonly KnownShare[],
  rank: (peerId: PeerId) => number,
  shareBytes: number,
  wanted?: readonly number[],
): RepairPlan {
  const { k, n } = entry.manifest;
  const counted = new Set(shares.filter((share) => share.counted).map((share) => share.shareNumber));
  const sources = shares.filter((share) => share.available);
  const missing = Array.from({ length: n }, (_, number) => number).filter((number) => !counted.has(number));
  const restore =
    wanted === undefined
      ? missing.slice(0, sharesToRestore(counted.size, entry))
      : missing.filter((number) => wanted.includes(number));
  const bytesRead = k * shareBytes;
  const bytesWritten = restore.length * shareBytes;
  return {
    missing,
    restore,
    available: new Set(sources.map((share) => share.shareNumber)).size,
    counted: counted.size,
    sources: rankSources(sources, rank),
    cost: {
      bytesRead,
      bytesWritten,
      bytesPerShareOfMargin: restore.length === 0 ? 0 : Math.round((bytesRead + bytesWritten) / restore.length),
    },
  };
}

/**
 * Best first; each share number once before any comes twice, since two copies of one share are worth one. One peer's
 * second share stands behind other peers' first ones, so that reading spreads.
 */
function rankSources(shares: readonly KnownShare[], rank: (peerId: PeerId) => number): KnownShare[] {
  const ranked = shares.map((share) => ({ share, rank: rank(share.peerId) })).sort((a, b) => a.rank - b.rank);
  const seenNumbers = new Map<number, number>();
  const seenPeers = new Map<PeerId, number>();
  return ranked
    .map(({ share, rank }) => {
      const copy = seenNumbers.get(share.shareNumber) ?? 0;
      seenNumbers.set(share.shareNumber, copy + 1);
      const turn = seenPeers.get(share.peerId) ?? 0;
      seenPeers.set(share.peerId, turn + 1);
      return { share, copy, turn, rank };
    })
    .sort((a, b) => a.copy - b.copy || a.turn - b.turn || a.rank - b.rank)
    .map(({ share }) => share);
}
