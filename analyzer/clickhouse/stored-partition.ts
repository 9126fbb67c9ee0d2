/** A partition out of ClickHouse, in blocks of columns: no object for each file or share, and one block in memory at a time. */
import type { StorageIndex } from '#mesh/storage-index.ts';
import { brokenAnswer, type Store } from '#store/client.ts';
import { readPlacementBlocks } from '#store/placement-columns.ts';
import { appliedOf } from '#store/queries/share-map.ts';
import { storageIndex } from '#store/row-binary/columns.ts';
import { EndOfBytes } from '#store/row-binary/reader.ts';
import * as tables from '#store/tables.ts';
import type { AppliedOrder, FileRow } from '../files/share-map/kept-rows.ts';
import { fileBlockOf } from '../files/share-map/stored-blocks.ts';
import type { PartitionSink, StoredPartition } from '../ports.ts';
import { dictionaryOfText, fixedBytes, readNativeBlocks, uint8, uint16, uint32, uint64 } from './native-columns.ts';

/** A block of so many rows is parsed and in the share map within some milliseconds. */
const blockRows = 8192;

/**
 * Merging versions of rows at reading is what takes the server its time: rows of one key are all in one of its partitions, so
 * what was merged there already needs none of it.
 */
const settings = {
  max_block_size: String(blockRows),
  preferred_block_size_bytes: '0',
  do_not_merge_across_partitions_select_final: 1,
} as const;

/** The top bit of a stored open inventory says that an inventory is owed: inventories are counted, and never so many. */
const owesInventory = 2 ** 31;

export function openGenerationOf(order: AppliedOrder): number {
  return order.openGeneration + (order.owesInventory ? owesInventory : 0);
}

/** @throws MeshwardError `store-unavailable` (retryable) half-way too: then what went into the sink is of no use. */
export async function loadStoredPartition(
  store: Store,
  partition: number,
  into: PartitionSink,
  signal?: AbortSignal,
): Promise<StoredPartition> {
  const options = { parameters: { partition }, settings, ...(signal === undefined ? {} : { signal }) };
  const ofPartition = 'WHERE partition = {partition:UInt16}';
  const from = (table: string): string => `FROM ${store.qualified(table)} FINAL ${ofPartition}`;
  try {
    const live = store.bytes(`${fileSql} ${from('files')}`, 'Native', options);
    for await (const { tag, ...block } of readNativeBlocks(live, fileColumns)) {
      await into.files({ ...block, tags: tag.keys, tagIndexes: tag.indexes });
    }
    const deleted = await deletedFiles(store, partition);
    if (deleted.length > 0) await into.files(fileBlockOf(deleted));
    const health = store.bytes(`${healthSql} ${from('file_health')}`, 'Native', options);
    for await (const block of readNativeBlocks(health, healthColumns)) await into.health(block);
    const placements = store.bytes(`${placementSql} ${from('placements')}`, 'Native', options);
    for await (const block of readPlacementBlocks(placements)) await into.placements(block);
  } catch (error) {
    throw error instanceof RangeError || error instanceof EndOfBytes ? brokenAnswer(error) : error;
  }
  const applied = await appliedOf(store, partition);
  return {
    version: applied.reduce((largest, { version }) => Math.max(largest, version), 0),
    applied: applied.map(({ peerId, incarnation, sequence, generation, openGeneration, ownerHeardAt }) => ({
      peer: peerId,
      incarnation,
      sequence,
      generation,
      openGeneration: openGeneration % owesInventory,
      owesInventory: openGeneration >= owesInventory,
      ...(ownerHeardAt > 0 ? { speaksForOwners: true as const } : {}),
    })),
    strays: await strayFiles(store, partition),
  };
}

const fileColumns = {
  storageIndexes: fixedBytes(16),
  uebHashes: fixedBytes(32),
  ks: uint16,
  ns: uint16,
  sizesBytes: uint64,
  origins: uint8,
  tag: dictionaryOfText,
  registeredAtMs: uint64,
  deleted: uint8,
};
const fileSql =
  'SELECT storage_index AS storageIndexes, ueb_hash AS uebHashes, k AS ks, n AS ns, size_bytes AS sizesBytes,\n' +
  "  toUInt8(CAST(origin, 'Int8')) AS origins, tag, toUInt64(toUnixTimestamp64Milli(registered_at)) AS registeredAtMs,\n" +
  '  toUInt8(deleted) AS deleted';

const healthColumns = { storageIndexes: fixedBytes(16), grades: uint8, sinceMs: uint64, figures: uint32 };
/** The figures as `figuresOf` sums them up. */
const healthSql =
  "SELECT storage_index AS storageIndexes, toUInt8(CAST(grade, 'Int8')) AS grades,\n" +
  '  toUInt64(toUnixTimestamp64Milli(grade_since)) AS sinceMs,\n' +
  "  CRC32(concatWithSeparator(' ', policy, toString(k), toString(n), toString(size_bytes), toString(available),\n" +
  '    toString(retained), toString(counted), toString(corrupt), toString(happiness), toString(distinct_peers), toString(tolerance_peers),\n' +
  "    arrayStringConcat(arraySort(arrayMap((kind, most) -> concat(kind, '=', toString(most)), mapKeys(tolerance_domains), mapValues(tolerance_domains))), ' ')\n" +
  '  )) AS figures';

const placementSql = 'SELECT storage_index, share_number, peer_id, state, generation';

/** A deleted file's row is there without FINAL, until a merge drops it. */
async function deletedFiles(store: Store, partition: number): Promise<FileRow[]> {
  const table = store.qualified('files');
  const ofPartition = 'WHERE partition = {partition:UInt16}';
  const sql =
    `SELECT ${tables.files.columnNames.join(', ')} FROM ${table} ${ofPartition}\n` +
    `AND storage_index GLOBAL IN (SELECT storage_index FROM ${table} ${ofPartition} AND deleted) ORDER BY storage_index, version`;
  const rows = await store.select(tables.files.columns, sql, { parameters: { partition } });
  const newest = new Map(rows.map((row) => [row.storageIndex, row]));
  return [...newest.values()].flatMap(({ uebHash, k, n, sizeBytes, origin, tag, deleted, registeredAt, ...row }) =>
    deleted
      ? [
          {
            manifest: { storageIndex: row.storageIndex, uebHash, k, n, sizeBytes },
            origin,
            tag,
            deleted,
            registeredAtMs: registeredAt,
          },
        ]
      : [],
  );
}

/** Files with a health that are not watched any more. */
async function strayFiles(store: Store, partition: number): Promise<readonly StorageIndex[]> {
  const ofPartition = 'FINAL WHERE partition = {partition:UInt16}';
  const sql =
    `SELECT storage_index FROM ${store.qualified('file_health')} ${ofPartition} AND storage_index GLOBAL NOT IN (\n` +
    `  SELECT storage_index FROM ${store.qualified('files')} ${ofPartition} AND n > 0)`;
  const rows = await store.select({ storageIndex }, sql, { parameters: { partition } });
  return rows.map((row) => row.storageIndex);
}
