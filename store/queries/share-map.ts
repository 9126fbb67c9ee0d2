/** What an analyzer is rebuilt from, and single files. */
import { partitionOfStorageIndex, type StorageIndex, storageIndexToBytes } from '#mesh/storage-index.ts';
import { brokenAnswer, type Store } from '../client.ts';
import { type PlacementBlock, placementBlockColumns, readPlacementBlocks } from '../placement-columns.ts';
import { EndOfBytes } from '../row-binary/reader.ts';
import { type AppliedRow, applied, type FileRow, files, type PlacementRow, placements } from '../tables.ts';

/** Most storage indexes that one query names; callers with more ask again. */
export const maxIndexesPerQuery = 2000;

/** Without lost placements, each once in its newest version, in no order. @throws MeshwardError `store-unavailable` (retryable) half-way too. */
export async function* placementBlocks(
  store: Store,
  partition: number,
  signal?: AbortSignal,
): AsyncGenerator<PlacementBlock, void> {
  const sql = `SELECT ${placementBlockColumns} FROM ${store.qualified('placements')} FINAL WHERE partition = {partition:UInt16}`;
  const options = {
    parameters: { partition },
    settings: { max_block_size: '65536' },
    ...(signal === undefined ? {} : { signal }),
  };
  try {
    yield* readPlacementBlocks(store.bytes(sql, 'Native', options));
  } catch (error) {
    throw error instanceof RangeError || error instanceof EndOfBytes ? brokenAnswer(error) : error;
  }
}

/** The last batch of each peer that the placements of the partition hold, the one that was heard last behind the others. */
export function appliedOf(store: Store, partition: number): Promise<AppliedRow[]> {
  const sql = `SELECT ${applied.columnNames.join(', ')} FROM ${store.qualified('applied')} FINAL WHERE partition = {partition:UInt16} ORDER BY version, owner_heard_at`;
  return store.select(applied.columns, sql, { parameters: { partition } });
}

/** Manifests of the files that are not deleted. */
export function fileBatches(store: Store, partition: number, signal?: AbortSignal): AsyncGenerator<FileRow[], void> {
  const sql = `SELECT ${files.columnNames.join(', ')} FROM ${store.qualified('files')} FINAL WHERE partition = {partition:UInt16}`;
  return store.selectBatches(files.columns, sql, {
    parameters: { partition },
    ...(signal === undefined ? {} : { signal }),
  });
}

/** Manifests of these files, at most `maxIndexesPerQuery`; unknown ones are left out. */
export function filesByIndex(store: Store, indexes: readonly StorageIndex[]): Promise<FileRow[]> {
  if (indexes.length === 0) return Promise.resolve([]);
  const sql = `SELECT ${files.columnNames.join(', ')} FROM ${store.qualified('files')} FINAL ${onlyFiles(store, indexes)}`;
  return store.select(files.columns, sql);
}

/** Where the shares of one file are, without lost ones; from the last checkpoint. */
export function placementsOfFile(store: Store, index: StorageIndex): Promise<PlacementRow[]> {
  const sql =
    `SELECT ${placements.columnNames.join(', ')} FROM ${store.qualified('placements')} FINAL ` +
    `${onlyFiles(store, [index])} ORDER BY share_number, peer_id`;
  return store.select(placements.columns, sql);
}

/** Where the shares of some files are, without lost ones; at most `maxIndexesPerQuery` files. */
export function placementsOfFiles(store: Store, indexes: readonly StorageIndex[]): Promise<PlacementRow[]> {
  if (indexes.length === 0) return Promise.resolve([]);
  const sql = `SELECT ${placements.columnNames.join(', ')} FROM ${store.qualified('placements')} FINAL ${onlyFiles(store, indexes)}`;
  return store.select(placements.columns, sql);
}

/** A condition on `storage_index`. Written into the statement as hex: parameters would travel in the URL, which is short. */
export function amongIndexes(indexes: readonly StorageIndex[]): string {
  checkCount(indexes);
  return `storage_index IN (${indexes.map(indexLiteral).join(', ')})`;
}

/**
 * The clauses that leave these files of tables whose key begins with the log's partition: where it is known, the primary key
 * leaves one granule a file. Of versions that FINAL chooses between, none has another key: so the key is looked at before
 * the other columns are read, which ClickHouse does not do by itself. A single file is named by its index alone too, from
 * which a Distributed table knows the shard.
 */
export function onlyFiles({ partitionCount }: Store, indexes: readonly StorageIndex[]): string {
  checkCount(indexes);
  if (partitionCount === undefined) return `PREWHERE ${amongIndexes(indexes)}`;
  const keys = indexes.map((index) => {
    const partition = partitionOfStorageIndex(storageIndexToBytes(index), 0, partitionCount);
    return `(${partition}, ${indexLiteral(index)})`;
  });
  const byKey = `(partition, storage_index) IN (${keys.join(', ')})`;
  return `PREWHERE ${byKey}` + (indexes.length === 1 ? ` WHERE ${amongIndexes(indexes)}` : '');
}

function checkCount(indexes: readonly StorageIndex[]): void {
  if (indexes.length > maxIndexesPerQuery)
    throw new RangeError(`at most ${maxIndexesPerQuery} storage indexes a query`);
}

function indexLiteral(index: StorageIndex): string {
  return `toFixedString(unhex('${Buffer.from(storageIndexToBytes(index)).toString('hex')}'), 16)`;
}
