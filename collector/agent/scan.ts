/**
 * Looks at the whole share folder. Folders are listed and files looked at by their inode, several at a time; only new and changed
 * files are opened. What the table holds and the scan did not meet is looked at once more by name before it counts as lost.
 */
import { type StorageIndex, storageIndexFromBytes } from '#mesh/storage-index.ts';
import { isLink, type Listing, listPrefixes, listStorageIndexes } from './listing.ts';
import type { Oddities } from './oddities.ts';
import { FolderGone, type Reconciler } from './reconciler.ts';
import type { ShareRoot } from './share-root.ts';
import { type ShareTable, seenFlag } from './share-table.ts';

export interface ScanOptions {
  readonly root: ShareRoot;
  readonly table: ShareTable;
  readonly oddities: Oddities;
  readonly reconciler: Reconciler;
  readonly signal: AbortSignal;
  readonly watchPrefix: (prefix: string) => void;
  /** Folders looked at together. @default 16 */
  readonly concurrency?: number;
}

/** @throws FolderGone; `signal`'s reason. */
export async function scanFolder(options: ScanOptions): Promise<void> {
  const { root, table, oddities, reconciler, signal } = options;
  if ((await root.check(table.shareCount)) !== 'present') throw new FolderGone();
  reconciler.beginEpoch();
  const met = new Set<string>(['']);
  const prefixes = await listPrefixes(root.path);
  if (typeof prefixes === 'string') throw new FolderGone();
  oddities.set('', prefixes.oddities);
  // All of these before the folders of files: without them new files would go unnoticed.
  for (const prefix of prefixes.found) options.watchPrefix(prefix);
  for (const prefix of prefixes.found) {
    signal.throwIfAborted();
    await scanPrefix(prefix, options, met);
  }
  await lookForUnmet(options);
  for (const folder of oddities.folders) if (folder.length > 2) met.add(folder);
  oddities.keepOnly(met);
}

/** One two-letter folder. */
export async function scanPrefix(prefix: string, options: ScanOptions, met: Set<string> = new Set()): Promise<void> {
  const { root, oddities, reconciler, signal, watchPrefix } = options;
  met.add(prefix);
  if (await isLink(`${root.path}/${prefix}`)) {
    oddities.set(prefix, [{ name: '', kind: 'link' }]);
    return;
  }
  watchPrefix(prefix);
  const listing: Listing<StorageIndex> = await listStorageIndexes(root.path, prefix);
  if (listing === 'unreadable') oddities.set(prefix, [{ name: '', kind: 'unreadable-folder' }]);
  else oddities.set(prefix, listing === 'absent' ? [] : listing.oddities);
  if (typeof listing === 'string') return;
  await forEach(listing.found, options.concurrency ?? 16, async (storageIndex) => {
    signal.throwIfAborted();
    await reconciler.reconcile(storageIndex);
  });
}

/** The storage indexes that the table has under a prefix. */
export function knownUnder(table: ShareTable, prefix: string): Set<StorageIndex> {
  const known = new Set<StorageIndex>();
  for (let slot = 0; slot < table.slotLimit; slot++) {
    if (!table.isUsed(slot)) continue;
    const storageIndex = storageIndexFromBytes(table.storageIndexOf(slot));
    if (storageIndex.startsWith(prefix)) known.add(storageIndex);
  }
  return known;
}

/** Runs at most `width` at a time; the first failure ends it. */
export async function forEach<T>(items: Iterable<T>, width: number, run: (item: T) => Promise<void>): Promise<void> {
  const rest = items[Symbol.iterator]();
  const failure = new AbortController();
  const worker = async (): Promise<void> => {
    try {
      for (let next = rest.next(); next.done !== true && !failure.signal.aborted; next = rest.next())
        await run(next.value);
    } catch (error) {
      failure.abort();
      throw error;
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
}

async function lookForUnmet({ table, reconciler, signal, concurrency }: ScanOptions): Promise<void> {
  let unmet = new Set<StorageIndex>();
  const look = async (): Promise<void> => {
    await forEach(unmet, concurrency ?? 16, async (storageIndex) => {
      signal.throwIfAborted();
      await reconciler.reconcile(storageIndex);
    });
    unmet = new Set();
  };
  for (let slot = 0; slot < table.slotLimit; slot++) {
    if (!table.isUsed(slot) || table.has(slot, seenFlag) === reconciler.epoch) continue;
    unmet.add(storageIndexFromBytes(table.storageIndexOf(slot)));
    if (unmet.size >= 10_000) await look();
  }
  await look();
}
