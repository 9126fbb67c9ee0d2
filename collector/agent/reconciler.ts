/**
 * Brings the table into line with the folder of one file, and says what changed. Everything that notices something (a scan, a
 * watch, the server) ends here, one storage index at a time, so that there is one place where a share becomes stored or lost.
 */

import { MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import { type StorageIndex, storageIndexFromBytes, storageIndexToBytes } from '#mesh/storage-index.ts';
import type { EventSink } from './events.ts';
import type { FolderNotices } from './folder-notices.ts';
import { type InspectedFile, inspectFile, manifestTag } from './inspect.ts';
import { isLinked, type ListedShare, listShares } from './listing.ts';
import type { Oddities } from './oddities.ts';
import type { ShareRoot } from './share-root.ts';
import { corruptFlag, manifestFlag, type ShareTable, seenFlag } from './share-table.ts';
import type { Verifier } from './verifier.ts';
import type { FolderWatcher } from './watch.ts';

export interface ReconcilerOptions {
  readonly root: ShareRoot;
  readonly table: ShareTable;
  readonly oddities: Oddities;
  readonly sink: EventSink;
  readonly log: Logger;
  readonly watcher: Pick<FolderWatcher, 'watchStorageIndex' | 'unwatchStorageIndex' | 'isWatched'>;
  readonly notices: Pick<FolderNotices, 'emptyFolder'>;
  /** While shares' content is being checked, a corrupt one is not taken for sound merely because it changed. */
  readonly verifier: Pick<Verifier, 'fresh' | 'isVerifying'>;
  /** The file of a share is gone. Awaited before the next look at its folder. */
  readonly onRemoved?: (key: Uint8Array, shareNumber: number) => Promise<void>;
}

/** The share folder is not what it was: nothing may be concluded from what is missing in it. */
export class FolderGone extends MeshwardError {
  constructor() {
    super('service-unavailable', 'the share folder is not there', {
      next: 'Mount the disk that holds the shares.',
      retryable: true,
    });
  }
}

export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #busy = new Map<StorageIndex, Promise<void>>();
  /** Toggled by each full scan. */
  #epoch = false;
  /** Until the first inventory is taken, changes are not told one by one: it names everything. */
  #isQuiet = true;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  get epoch(): boolean {
    return this.#epoch;
  }

  beginEpoch(): void {
    this.#epoch = !this.#epoch;
  }

  setQuiet(isQuiet: boolean): void {
    this.#isQuiet = isQuiet;
  }

  /** @throws FolderGone where shares are missing because the whole folder is. */
  async reconcile(storageIndex: StorageIndex): Promise<void> {
    for (;;) {
      const earlier = this.#busy.get(storageIndex);
      if (earlier === undefined) break;
      await earlier.catch(() => undefined);
    }
    const work = this.#reconcile(storageIndex);
    this.#busy.set(storageIndex, work);
    try {
      await work;
    } finally {
      this.#busy.delete(storageIndex);
    }
  }

  async #reconcile(storageIndex: StorageIndex): Promise<void> {
    const { root, table, oddities, watcher, notices } = this.#options;
    const folderName = `${storageIndex.slice(0, 2)}/${storageIndex}`;
    const folder = `${root.path}/${folderName}`;
    const key = storageIndexToBytes(storageIndex);
    watcher.watchStorageIndex(storageIndex); // before it is listed, so that nothing that happens after goes unnoticed
    const linked = await isLinked(root.path, storageIndex);
    const listing = linked ? { found: [], oddities: [{ name: '', kind: 'link' as const }] } : await listShares(folder);
    if (listing === 'unreadable') {
      oddities.set(folderName, [{ name: '', kind: 'unreadable-folder' }]);
      for (let slot = table.firstOf(key); slot >= 0; slot = table.nextOf(slot)) table.set(slot, seenFlag, this.#epoch);
      return;
    }
    const listed = listing === 'absent' ? [] : listing.found;
    oddities.set(folderName, listing === 'absent' ? [] : listing.oddities);
    const present = new Set<number>();
    for (const share of listed) if (await this.#look(storageIndex, key, folder, share)) present.add(share.shareNumber);
    await this.#removeMissing(key, present);
    if (present.size > 0) return;
    const isThere = listing !== 'absent';
    notices.emptyFolder(storageIndex, isThere && !watcher.isWatched(storageIndex));
    if (!isThere) watcher.unwatchStorageIndex(storageIndex);
  }

  /** @returns whether the file is there. */
  async #look(storageIndex: StorageIndex, key: Uint8Array, folder: string, share: ListedShare): Promise<boolean> {
    const { table } = this.#options;
    const known = table.find(key, share.shareNumber);
    // What could not be read may be readable by now, which leaves no trace in size or time.
    if (
      known >= 0 &&
      table.kindOf(known) !== 'unreadable' &&
      table.sizeOf(known) === share.sizeBytes &&
      table.stampOf(known) === share.stamp
    ) {
      table.set(known, seenFlag, this.#epoch);
      return true;
    }
    const inspected = await inspectFile(`${folder}/${share.shareNumber}`, storageIndex);
    if (inspected === null) return false;
    await this.#options.sink.room();
    this.#apply(key, share.shareNumber, inspected);
    return true;
  }

  #apply(key: Uint8Array, shareNumber: number, file: InspectedFile): void {
    const { table, verifier } = this.#options;
    const known = table.find(key, shareNumber);
    const wasShare = known >= 0 && table.kindOf(known) === 'immutable';
    if (!wasShare) {
      const slot = known >= 0 ? known : table.insert(key, shareNumber, file.kind, file.sizeBytes, file.stamp);
      table.update(slot, file.kind, file.sizeBytes, file.stamp);
      table.set(slot, seenFlag, this.#epoch);
      if (file.kind !== 'immutable') return;
      this.#learnManifest(slot, key, file);
      this.#say(key, shareNumber, 'stored');
      verifier.fresh(key, shareNumber);
      return;
    }
    table.set(known, seenFlag, this.#epoch);
    if (file.kind === 'mutable') {
      table.set(known, corruptFlag, false);
      table.update(known, 'mutable', file.sizeBytes, file.stamp);
      this.#say(key, shareNumber, 'lost');
      return;
    }
    // It stays a share of this file in the books, whatever became of its content: its number is taken.
    table.update(known, 'immutable', file.sizeBytes, file.stamp);
    const wasCorrupt = table.has(known, corruptFlag);
    if (file.kind !== 'immutable') {
      this.#markCorrupt(known, key, shareNumber, file.kind);
      return;
    }
    const tag = file.manifest === null ? 0 : manifestTag(file.manifest);
    if (wasCorrupt) {
      table.setManifestTag(known, tag);
      if (!verifier.isVerifying) {
        table.set(known, corruptFlag, false);
        this.#say(key, shareNumber, 'stored');
      }
    } else if (table.manifestTagOf(known) !== 0 && table.manifestTagOf(known) !== tag) {
      this.#markCorrupt(known, key, shareNumber, 'another manifest than before');
    }
    verifier.fresh(key, shareNumber);
  }

  #markCorrupt(slot: number, key: Uint8Array, shareNumber: number, reason: string): void {
    const { table, log } = this.#options;
    if (table.has(slot, corruptFlag)) return;
    table.set(slot, corruptFlag, true);
    log.warn({ storageIndex: storageIndexFromBytes(key), shareNumber, reason }, 'a share was damaged');
    this.#say(key, shareNumber, 'corrupt');
  }

  /** The first share of a file that is seen in this incarnation tells what the file is. */
  #learnManifest(slot: number, key: Uint8Array, file: InspectedFile): void {
    const { table, sink } = this.#options;
    if (file.manifest === null) return;
    table.setManifestTag(slot, manifestTag(file.manifest));
    for (let other = table.firstOf(key); other >= 0; other = table.nextOf(other)) {
      if (table.has(other, manifestFlag)) return;
    }
    sink.manifest(file.manifest);
    table.set(slot, manifestFlag, true);
  }

  async #removeMissing(key: Uint8Array, present: ReadonlySet<number>): Promise<void> {
    const { table, root, sink } = this.#options;
    const missing: number[] = [];
    for (let slot = table.firstOf(key); slot >= 0; slot = table.nextOf(slot)) {
      if (!present.has(table.numberOf(slot))) missing.push(table.numberOf(slot));
    }
    if (missing.length === 0) return;
    if ((await root.check(table.shareCount)) !== 'present') throw new FolderGone();
    await sink.room();
    const hadManifest = this.#hasManifestFlag(key);
    for (const shareNumber of missing) {
      const slot = table.find(key, shareNumber);
      if (slot < 0) continue;
      const wasShare = table.kindOf(slot) === 'immutable';
      table.remove(slot);
      if (wasShare) this.#say(key, shareNumber, 'lost');
    }
    // The file's remaining shares remember for it that its manifest was sent.
    const first = table.firstOf(key);
    if (hadManifest && first >= 0) table.set(first, manifestFlag, true);
    for (const shareNumber of missing) await this.#options.onRemoved?.(key, shareNumber);
  }

  #hasManifestFlag(key: Uint8Array): boolean {
    const { table } = this.#options;
    for (let slot = table.firstOf(key); slot >= 0; slot = table.nextOf(slot))
      if (table.has(slot, manifestFlag)) return true;
    return false;
  }

  #say(key: Uint8Array, shareNumber: number, change: 'stored' | 'lost' | 'corrupt'): void {
    if (!this.#isQuiet) this.#options.sink.share(key, shareNumber, change);
  }
}
