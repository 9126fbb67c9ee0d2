/** What would go with peers that leave: share numbers of which every sound copy is on them. From the last checkpoint. */
import { type PeerId, peerIdToBytes } from '#mesh/peer-id.ts';
import { isCountedState, peerStates } from '#mesh/peer-state.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { Store } from '../client.ts';
import { storageIndex, uint8, uint16, uint64 } from '../row-binary/columns.ts';

export interface LeavingShare {
  readonly partition: number;
  readonly storageIndex: StorageIndex;
  readonly shareNumber: number;
}

export interface LeavingQuery {
  readonly peers: readonly PeerId[];
  /** Partitions of the log to look at; all where it is left out. */
  readonly partitions?: readonly number[];
}

/** Most peers that one query names. */
export const maxLeavingPeers = 1000;

const countedStates = peerStates.filter(isCountedState).map((state) => `'${state}'`);

/** In the order of the table, so that shares of one file stand together. */
export function leavingShares(store: Store, query: LeavingQuery & { readonly limit: number }): Promise<LeavingShare[]> {
  return store.select(
    { partition: uint16, storageIndex, shareNumber: uint8 },
    `SELECT partition, storage_index, share_number FROM (${leaving(store, query)}) ORDER BY partition, storage_index, share_number LIMIT {limit:UInt32}`,
    { parameters: { limit: query.limit } },
  );
}

export interface LeavingCounts {
  /** Share numbers that only these peers have. */
  readonly shares: number;
  /** Of those, ones that nobody has sent a manifest of: they cannot be copied. */
  readonly sharesWithoutManifest: number;
  readonly files: number;
}

export async function countLeaving(store: Store, query: LeavingQuery): Promise<LeavingCounts> {
  const [row] = await store.select(
    { shares: uint64, withoutManifest: uint64, files: uint64 },
    `SELECT count() AS shares, countIf((partition, storage_index) GLOBAL NOT IN (SELECT partition, storage_index FROM ${store.qualified('files')} FINAL)) AS without_manifest, ` +
      `uniqExact(storage_index) AS files FROM (${leaving(store, query)})`,
  );
  return { shares: row?.shares ?? 0, sharesWithoutManifest: row?.withoutManifest ?? 0, files: row?.files ?? 0 };
}

function leaving(store: Store, { peers, partitions }: LeavingQuery): string {
  if (peers.length > maxLeavingPeers) throw new RangeError(`at most ${maxLeavingPeers} peers a query`);
  // Written into the statement as hex: parameters would travel in the URL, which is short.
  const among = `peer_id IN (${peers.map((peer) => `toFixedString(unhex('${Buffer.from(peerIdToBytes(peer)).toString('hex')}'), 32)`).join(', ')})`;
  const within = partitions === undefined ? '' : ` AND partition IN (${partitions.map(Math.trunc).join(', ')})`;
  const table = store.qualified('placements');
  const held = `SELECT partition, storage_index FROM ${table} FINAL WHERE ${among} AND state = 'stored'${within}`;
  const staying = `SELECT peer_id FROM ${store.qualified('peers')} FINAL WHERE state IN (${countedStates.join(', ')})`;
  return (
    `SELECT partition, storage_index, share_number FROM ${table} FINAL ` +
    `WHERE (partition, storage_index) GLOBAL IN (${held}) AND state = 'stored' ` +
    `GROUP BY partition, storage_index, share_number ` +
    `HAVING countIf(${among}) > 0 AND countIf(NOT ${among} AND peer_id GLOBAL IN (${staying})) = 0`
  );
}
