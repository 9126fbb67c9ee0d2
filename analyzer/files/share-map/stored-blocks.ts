/**
 * What the store holds of a partition, in blocks of columns: no object for each file or share, since a partition holds
 * millions of the one and hundreds of millions of the other.
 */

import type { ManifestOrigin } from '#mesh/events/share-batch.ts';
import { type PeerId, peerIdBytes, peerIdFromBytes, peerIdToBytes } from '#mesh/peer-id.ts';
import {
  type StorageIndex,
  storageIndexBytes,
  storageIndexFromBytes,
  storageIndexToBytes,
} from '#mesh/storage-index.ts';
import { type PlacementBlock, placementStateNumbers } from '#store/placement-columns.ts';
import type { FileRow, PlacementRow } from './kept-rows.ts';

export type { PlacementBlock } from '#store/placement-columns.ts';

/** Values of `origins`. */
export const originNumbers: Readonly<Record<ManifestOrigin, number>> = { owner: 1, derived: 2 };

export interface FileBlock {
  readonly count: number;
  /** 16 bytes each. */
  readonly storageIndexes: Uint8Array;
  /** 32 bytes each. */
  readonly uebHashes: Uint8Array;
  readonly ks: Uint16Array;
  /** 0 for a file that was deleted before anybody said what it is. */
  readonly ns: Uint16Array;
  readonly sizesBytes: Float64Array;
  readonly origins: Uint8Array;
  /** Dictionary of this block. */
  readonly tags: readonly string[];
  readonly tagIndexes: Uint8Array | Uint16Array | Uint32Array;
  readonly registeredAtMs: Float64Array;
  readonly deleted: Uint8Array;
}

export function fileRowsOf(block: FileBlock): FileRow[] {
  return Array.from({ length: block.count }, (_, i) => ({
    manifest: {
      storageIndex: storageIndexFromBytes(block.storageIndexes, i * storageIndexBytes),
      uebHash: block.uebHashes.slice(i * 32, i * 32 + 32),
      k: block.ks[i] as number,
      n: block.ns[i] as number,
      sizeBytes: block.sizesBytes[i] as number,
    },
    origin: block.origins[i] === originNumbers.owner ? 'owner' : 'derived',
    tag: block.tags[block.tagIndexes[i] as number] as string,
    deleted: block.deleted[i] === 1,
    registeredAtMs: block.registeredAtMs[i] as number,
  }));
}

export function fileBlockOf(rows: readonly FileRow[]): FileBlock {
  const tags = [...new Set(rows.map(({ tag }) => tag))];
  const numbers = new Map(tags.map((tag, number) => [tag, number]));
  const uebHashes = new Uint8Array(rows.length * 32);
  rows.forEach(({ manifest }, i) => uebHashes.set(manifest.uebHash, i * 32));
  return {
    count: rows.length,
    storageIndexes: storageIndexColumn(rows.map(({ manifest }) => manifest.storageIndex)),
    uebHashes,
    ks: Uint16Array.from(rows, ({ manifest }) => manifest.k),
    ns: Uint16Array.from(rows, ({ manifest }) => manifest.n),
    sizesBytes: Float64Array.from(rows, ({ manifest }) => manifest.sizeBytes),
    origins: Uint8Array.from(rows, ({ origin }) => originNumbers[origin]),
    tags,
    tagIndexes: Uint32Array.from(rows, ({ tag }) => numbers.get(tag) as number),
    registeredAtMs: Float64Array.from(rows, ({ registeredAtMs }) => registeredAtMs),
    deleted: Uint8Array.from(rows, ({ deleted }) => (deleted ? 1 : 0)),
  };
}

const stateNames = new Map<number, PlacementRow['state']>(
  Object.entries(placementStateNumbers).map(([name, number]) => [number, name as PlacementRow['state']]),
);

export function placementRowsOf(block: PlacementBlock): PlacementRow[] {
  const peers = Array.from({ length: block.peers.length / peerIdBytes }, (_, i) =>
    peerIdFromBytes(block.peers.subarray(i * peerIdBytes, (i + 1) * peerIdBytes)),
  );
  return Array.from({ length: block.count }, (_, i) => ({
    storageIndex: storageIndexFromBytes(block.storageIndexes, i * storageIndexBytes),
    shareNumber: block.shareNumbers[i] as number,
    peer: peers[block.peerIndexes[i] as number] as PeerId,
    state: stateNames.get(block.states[i] as number) as PlacementRow['state'],
    generation: block.generations[i] as number,
  }));
}

export function placementBlockOf(rows: readonly PlacementRow[]): PlacementBlock {
  const numbers = new Map<PeerId, number>();
  for (const { peer } of rows) if (!numbers.has(peer)) numbers.set(peer, numbers.size);
  const peers = new Uint8Array(numbers.size * peerIdBytes);
  for (const [peer, number] of numbers) peers.set(peerIdToBytes(peer), number * peerIdBytes);
  return {
    count: rows.length,
    storageIndexes: storageIndexColumn(rows.map(({ storageIndex }) => storageIndex)),
    shareNumbers: Uint8Array.from(rows, ({ shareNumber }) => shareNumber),
    peers,
    peerIndexes: Uint32Array.from(rows, ({ peer }) => numbers.get(peer) as number),
    states: Uint8Array.from(rows, ({ state }) => placementStateNumbers[state]),
    generations: Uint32Array.from(rows, ({ generation }) => generation),
  };
}

export function storageIndexColumn(indexes: readonly StorageIndex[]): Uint8Array {
  const column = new Uint8Array(indexes.length * storageIndexBytes);
  indexes.forEach((index, i) => column.set(storageIndexToBytes(index), i * storageIndexBytes));
  return column;
}

/** A part of a block, on the same memory. */
export function sliceOfFiles(block: FileBlock, from: number, to: number): FileBlock {
  return {
    ...block,
    count: to - from,
    storageIndexes: block.storageIndexes.subarray(from * storageIndexBytes, to * storageIndexBytes),
    uebHashes: block.uebHashes.subarray(from * 32, to * 32),
    ks: block.ks.subarray(from, to),
    ns: block.ns.subarray(from, to),
    sizesBytes: block.sizesBytes.subarray(from, to),
    origins: block.origins.subarray(from, to),
    tagIndexes: block.tagIndexes.subarray(from, to),
    registeredAtMs: block.registeredAtMs.subarray(from, to),
    deleted: block.deleted.subarray(from, to),
  };
}

export function sliceOfPlacements(block: PlacementBlock, from: number, to: number): PlacementBlock {
  return {
    ...block,
    count: to - from,
    storageIndexes: block.storageIndexes.subarray(from * storageIndexBytes, to * storageIndexBytes),
    shareNumbers: block.shareNumbers.subarray(from, to),
    peerIndexes: block.peerIndexes.subarray(from, to),
    states: block.states.subarray(from, to),
    generations: block.generations.subarray(from, to),
  };
}
