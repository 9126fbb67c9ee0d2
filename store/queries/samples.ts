/** Shares drawn at random, of which peers say that they hold them. */
import { randomInt } from 'node:crypto';
import type { PeerId } from '#mesh/peer-id.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { Store } from '../client.ts';
import { digest, peerId, storageIndex, text, uint8, uint16, uint64 } from '../row-binary/columns.ts';

export interface SampledShare {
  readonly partition: number;
  readonly storageIndex: StorageIndex;
  readonly shareNumber: number;
  readonly peerId: PeerId;
  readonly uebHash: Uint8Array;
  readonly k: number;
  readonly n: number;
  readonly sizeBytes: number;
  readonly tag: string;
}

export interface SampleQuery {
  readonly partitions: readonly number[];
  readonly limit: number;
}

/**
 * Drawn around a random place of each partition's order, so that what is read does not grow with the mesh: files of one draw are
 * neighbours by storage index, which says nothing about them. Half of a draw is of files that have the least to lose.
 */
export async function sampleShares(store: Store, { partitions, limit }: SampleQuery): Promise<SampledShare[]> {
  if (partitions.length === 0) return [];
  const partition = partitions[randomInt(partitions.length)] as number;
  const from = `reinterpretAsFixedString(toUInt128('${BigInt.asUintN(128, (BigInt(randomInt(2 ** 47)) << 81n) | BigInt(randomInt(2 ** 47)))}'))`;
  const risky = await draw(
    store,
    `SELECT storage_index FROM ${store.qualified('files_at_risk')} FINAL WHERE partition = {partition:UInt16} ORDER BY rand() LIMIT {files:UInt32}`,
    partition,
    Math.floor(limit / 2),
  );
  const any = await draw(
    store,
    `SELECT storage_index FROM ${store.qualified('files')} FINAL WHERE partition = {partition:UInt16} AND storage_index >= ${from} ORDER BY storage_index LIMIT {files:UInt32}`,
    partition,
    limit - risky.length,
  );
  return [...risky, ...any];
}

const columns = {
  partition: uint16,
  storageIndex,
  shareNumber: uint8,
  peerId,
  uebHash: digest,
  k: uint16,
  n: uint16,
  sizeBytes: uint64,
  tag: text,
};

function draw(store: Store, filesSql: string, partition: number, limit: number): Promise<SampledShare[]> {
  if (limit <= 0) return Promise.resolve([]);
  const sql =
    `SELECT p.partition AS partition, p.storage_index AS storage_index, p.share_number AS share_number, CAST(p.peer_id, 'FixedString(32)') AS peer_id, ` +
    "f.ueb_hash AS ueb_hash, f.k AS k, f.n AS n, f.size_bytes AS size_bytes, CAST(f.tag, 'String') AS tag FROM (" +
    `SELECT partition, storage_index, share_number, peer_id FROM ${store.qualified('placements')} FINAL ` +
    `WHERE partition = {partition:UInt16} AND state = 'stored' AND storage_index GLOBAL IN (${filesSql}) ORDER BY rand() LIMIT 1 BY storage_index` +
    `) AS p GLOBAL INNER JOIN ${store.qualified('files')} AS f FINAL ON p.partition = f.partition AND p.storage_index = f.storage_index LIMIT {files:UInt32}`;
  return store.select(columns, sql, { parameters: { partition, files: limit } });
}
