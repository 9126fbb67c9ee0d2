/** Single files out of ClickHouse: what they are and where their shares are, as of the last flush of their partition's owner. */
import { type StorageIndex, storageIndexToBytes } from '#mesh/storage-index.ts';
import type { Store } from '#store/client.ts';
import { worstFiles, worstFirst } from '#store/queries/health.ts';
import { storageIndex, uint16, uint64 } from '#store/row-binary/columns.ts';
import * as tables from '#store/tables.ts';
import type { FilePlace, StoredFile, WorstFiles, WorstQuery } from '../ports.ts';

/** Places that one statement names. */
const placesATime = 500;

export async function loadStoredFiles(store: Store, places: readonly FilePlace[]): Promise<readonly StoredFile[]> {
  const found: StoredFile[] = [];
  for (let from = 0; from < places.length; from += placesATime) {
    found.push(...(await loadSome(store, places.slice(from, from + placesATime))));
  }
  return found;
}

async function loadSome(store: Store, places: readonly FilePlace[]): Promise<readonly StoredFile[]> {
  if (places.length === 0) return [];
  const among = places.map(
    ({ partition, storageIndex: index }) =>
      `(${Math.trunc(partition)}, toFixedString(unhex('${Buffer.from(storageIndexToBytes(index)).toString('hex')}'), 16))`,
  );
  // The key is looked at before the other columns are read, of versions that FINAL chooses between too: all have the same key.
  const ofFiles = `PREWHERE (partition, storage_index) IN (${among.join(', ')})`;
  // Without FINAL a deleted file's row is there, until a merge drops it.
  const files = await store.select(
    tables.files.columns,
    `SELECT ${tables.files.columnNames.join(', ')} FROM ${store.qualified('files')} ${ofFiles} ORDER BY storage_index, version`,
  );
  const placements = await store.select(
    tables.placements.columns,
    `SELECT ${tables.placements.columnNames.join(', ')} FROM ${store.qualified('placements')} FINAL ${ofFiles}`,
  );
  const newest = new Map(files.map((row) => [row.storageIndex, row]));
  const held = new Map<StorageIndex, (typeof placements)[number][]>();
  for (const row of placements) held.set(row.storageIndex, [...(held.get(row.storageIndex) ?? []), row]);
  return places.flatMap(({ storageIndex: index }) => {
    const row = newest.get(index);
    const ofFile = (held.get(index) ?? []).filter(({ state }) => state !== 'lost');
    if (row === undefined && ofFile.length === 0) return [];
    return [
      {
        file: row === undefined ? null : fileOf(row),
        placements: ofFile.map(({ shareNumber, peerId, state, generation }) => {
          return { storageIndex: index, shareNumber, peer: peerId, state, generation };
        }),
      },
    ];
  });
}

function fileOf(row: tables.FileRow): NonNullable<StoredFile['file']> {
  const { storageIndex: index, uebHash, k, n, sizeBytes, origin, tag, deleted, registeredAt } = row;
  const manifest = { storageIndex: index, uebHash, k, n, sizeBytes };
  return { manifest, origin, tag, deleted, registeredAtMs: registeredAt };
}

/** The worst first: by grade, margin, probability of loss. */
export async function loadWorstFiles(store: Store, query: WorstQuery): Promise<WorstFiles> {
  const { limit, worstUpTo, exceptPartitions } = query;
  const { table, where } = worstFiles(store, worstUpTo);
  const except =
    exceptPartitions.length === 0 ? '' : ` AND partition NOT IN (${exceptPartitions.map(Math.trunc).join(', ')})`;
  const from = `FROM ${table} FINAL ${where}${except}`;
  const files = await store.select(
    { partition: uint16, storageIndex },
    `SELECT partition, storage_index ${from} ${worstFirst} LIMIT {limit:UInt32}`,
    { parameters: { limit } },
  );
  const [counted] = await store.select({ total: uint64 }, `SELECT count() AS total ${from}`);
  return { files, total: counted?.total ?? 0 };
}
