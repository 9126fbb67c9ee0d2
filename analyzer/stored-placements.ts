/** Placements of the share map as columns of the store, and back. */
import { MeshwardError } from '#mesh/errors.ts';
import { type PeerId, peerIdFromBytes, peerIdToBytes } from '#mesh/peer-id.ts';
import { storageIndexBytes, storageIndexFromBytes, storageIndexToBytes } from '#mesh/storage-index.ts';
import type { PlacementRow } from './share-map/share-map.ts';
import { type enqueuePlacements, type PlacementBlock, placementStateNumbers } from './store/placement-columns.ts';

const stateNames = { [placementStateNumbers.stored]: 'stored', [placementStateNumbers.corrupt]: 'corrupt' } as const;

/** @throws MeshwardError `store-refused` for what a newer version wrote. */
export function addBlock(block: PlacementBlock, rows: PlacementRow[]): void {
  const peers = Array.from({ length: block.peers.length / 32 }, (_, i) =>
    peerIdFromBytes(block.peers.subarray(i * 32, i * 32 + 32)),
  );
  for (let i = 0; i < block.count; i++) {
    const state = (stateNames as Readonly<Record<number, 'stored' | 'corrupt'>>)[block.states[i] as number];
    const peer = peers[block.peerIndexes[i] as number];
    if (state === undefined || peer === undefined) {
      throw new MeshwardError('store-refused', 'a placement in the store has a state or peer that is not known', {
        next: 'A newer version has written to this database: run that version here too.',
      });
    }
    rows.push({
      storageIndex: storageIndexFromBytes(block.storageIndexes, i * storageIndexBytes),
      shareNumber: block.shareNumbers[i] as number,
      peer,
      state,
      generation: block.generations[i] as number,
    });
  }
}

export function columnsOf(
  partition: number,
  version: number,
  rows: readonly PlacementRow[],
): Parameters<typeof enqueuePlacements>[1] {
  const count = rows.length;
  const numbers = new Map<PeerId, number>();
  for (const { peer } of rows) if (!numbers.has(peer)) numbers.set(peer, numbers.size);
  const peers = new Uint8Array(numbers.size * 32);
  for (const [peer, number] of numbers) peers.set(peerIdToBytes(peer), number * 32);
  const storageIndexes = new Uint8Array(count * storageIndexBytes);
  rows.forEach(({ storageIndex }, i) => storageIndexes.set(storageIndexToBytes(storageIndex), i * storageIndexBytes));
  return {
    count,
    partition,
    storageIndexes,
    shareNumbers: Uint8Array.from(rows, ({ shareNumber }) => shareNumber),
    peers,
    peerIndexes: Uint32Array.from(rows, ({ peer }) => numbers.get(peer) as number),
    states: Uint8Array.from(rows, ({ state }) => placementStateNumbers[state]),
    generations: Uint32Array.from(rows, ({ generation }) => generation),
    incarnations: new Float64Array(count),
    sequences: new Float64Array(count),
    versions: new Float64Array(count).fill(version),
  };
}
