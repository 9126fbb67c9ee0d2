/** A file's state at this moment, from the peers themselves as far as they answer. */
import type { PeerId } from '#mesh/peer-id.ts';
import { isAvailableState } from '#mesh/peer-state.ts';
import { askPeers, type Located, locateShares, type PlacedShare } from '#peers/locate.ts';
import type { WorkTransfer } from '#peers/transfer.ts';
import type { AtRiskEntry } from '../queue/at-risk.ts';
import { type KnownShare, knownShares } from './plan.ts';
import type { RepairTools } from './tools.ts';

type LookTools = Pick<RepairTools, 'mesh' | 'settings'>;

/**
 * `all`: every peer that the entry names is asked. `doubtful`: only those of which more is held now than the entry says; the rest
 * is found out by using it, which costs a request less for every share of the file.
 */
export type Look = 'all' | 'doubtful';

/**
 * Where what is held of the peers is old, all are asked whatever `look` says.
 *
 * @param placed shares that an earlier repair wrote, which the entry may not show yet.
 */
export async function lookAtFile(
  entry: AtRiskEntry,
  placed: readonly PlacedShare[],
  look: Look,
  transfer: WorkTransfer,
  { mesh, settings }: LookTools,
): Promise<KnownShare[]> {
  const { directory, contact, peerView } = mesh;
  const stateOf = (peerId: PeerId) => peerView.fact(peerId)?.state;
  const listed = new Map<PeerId, boolean>(placed.map(({ peerId }) => [peerId, true]));
  for (const { peerId, available } of entry.placements) listed.set(peerId, available || listed.get(peerId) === true);
  const isTrusting = look === 'doubtful' && peerView.freshness().isFresh;
  const written = new Set(placed.map(({ peerId }) => peerId));
  const asked = [...listed].filter(([peerId, available]) => {
    const peer = directory.peer(peerId);
    const state = stateOf(peerId);
    if (peer === undefined || peer.revoked || state === 'departed') return false;
    // A peer that leaves is asked what it can still be copied from.
    const isAsTold = state !== 'draining' && available === (state === undefined ? available : isAvailableState(state));
    if (isTrusting && isAsTold && !written.has(peerId)) return false;
    return available || !contact.isAvoided(peerId);
  });
  const { answers, unreachable } = await askPeers({
    peers: asked.map(([peerId]) => peerId),
    parallel: settings.recheckParallel,
    signal: transfer.signal,
    list: (peerId) => transfer.listShares(peerId, entry.manifest.storageIndex),
  });
  const silent = new Set(unreachable);
  return knownShares(entry, stateOf, answers, placed).map((share) =>
    // It counts as its state says, but nothing can be read from it now.
    silent.has(share.peerId) ? { ...share, available: false } : share,
  );
}

/** The last resort: whoever is enrolled may hold a share that nobody told of. */
export async function searchWidely(
  { manifest }: AtRiskEntry,
  known: readonly KnownShare[],
  transfer: WorkTransfer,
  { mesh, settings }: LookTools,
): Promise<readonly PlacedShare[]> {
  const located: Located = await locateShares({
    storageIndex: manifest.storageIndex,
    peers: mesh.directory.peers().map((peer) => peer.peerId),
    list: (peerId) => transfer.listShares(peerId, manifest.storageIndex),
    enough: manifest.n,
    maxPeers: settings.locateMaxPeers,
    parallel: settings.recheckParallel,
    signal: transfer.signal,
  });
  const retained = known.filter((share) => !share.available);
  return [...located.shares.filter((share) => share.shareNumber < manifest.n), ...retained];
}
