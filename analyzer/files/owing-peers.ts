/** Peers that count in figures, and of which records were lost in any partition: each owes an inventory. */
import type { PeerId } from '#mesh/peer-id.ts';
import type { OwnedPartition } from './partition/owned-partition.ts';
import type { PeerTable } from './share-map/peer-table.ts';

export function owingPeers(owned: Iterable<Pick<OwnedPartition, 'map'>>, table: PeerTable): readonly PeerId[] {
  const owing = new Set<PeerId>();
  for (const { map } of owned) for (const peer of map.progress.owing) owing.add(peer);
  return [...owing].filter((peer) => table.row(table.numberOf(peer)).counted);
}
