/**
 * Notices changes in the share folder soon.
 *
 * What our own server stores is told by it at once. For everything else (a Tahoe node beside us, a person, a failing disk) there
 * are kernel watches: on the root, on every two-letter folder, and on the folders of files as far as the budget of watches goes
 * (a recursive watch would take one for each folder without asking). Files whose folder has no watch are looked at in turn, and
 * so, slowly, is everything else, since the kernel drops notices when too many come at once.
 */

import { type FSWatcher, watch } from 'node:fs';
import { isStorageIndex, type StorageIndex } from '#mesh/storage-index.ts';
import type { FolderNotices } from './folder-notices.ts';
import { isPrefix } from './listing.ts';
import { markFileName } from './share-root.ts';

/** Kernel watches are few (fs.inotify.max_user_watches) and shared by all agents of a process. */
export class WatchBudget {
  #left: number;

  constructor(watches: number) {
    this.#left = watches;
  }

  get left(): number {
    return this.#left;
  }

  take(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }

  give(): void {
    this.#left++;
  }
}

/** The root and its 1024 two-letter folders: the folders of files leave these watches alone. */
const reservedWatches = 1025;

export interface FolderWatcherOptions {
  readonly path: string;
  readonly budget: WatchBudget;
  readonly notices: Pick<FolderNotices, 'file' | 'prefix' | 'root'>;
}

export class FolderWatcher {
  readonly #options: FolderWatcherOptions;
  /** By path within the root; the root is ''. */
  readonly #watchers = new Map<string, FSWatcher>();
  #isComplete = true;
  #hasUnwatchedFiles = false;

  constructor(options: FolderWatcherOptions) {
    this.#options = options;
  }

  /** Whether the root and every two-letter folder that was asked for is watched: then no new file's folder goes unnoticed. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Whether some file's folder could not be watched. */
  get hasUnwatchedFiles(): boolean {
    return this.#hasUnwatchedFiles;
  }

  get count(): number {
    return this.#watchers.size;
  }

  watchRoot(): void {
    const isWatched = this.#watch('', (name) => {
      if (name !== null && isPrefix(name)) {
        // The folder may be another one of the same name: its watch is made anew.
        this.#unwatch(name);
        this.#options.notices.prefix(name);
      } else if (name !== 'incoming' && !(name?.startsWith(`${markFileName}.`) ?? false)) {
        this.#options.notices.root();
      }
    });
    if (!isWatched) this.#isComplete = false;
  }

  watchPrefix(prefix: string): void {
    const isWatched = this.#watch(prefix, (name) => {
      if (name !== null && isStorageIndex(name)) {
        this.unwatchStorageIndex(name);
        this.#options.notices.file(name);
      } else {
        this.#options.notices.prefix(prefix);
      }
    });
    if (!isWatched) this.#isComplete = false;
  }

  watchStorageIndex(storageIndex: StorageIndex): void {
    const path = `${storageIndex.slice(0, 2)}/${storageIndex}`;
    const isLeft = this.#watchers.has(path) || this.#options.budget.left > reservedWatches;
    if (!isLeft || !this.#watch(path, () => this.#options.notices.file(storageIndex))) this.#hasUnwatchedFiles = true;
  }

  unwatchStorageIndex(storageIndex: StorageIndex): void {
    this.#unwatch(`${storageIndex.slice(0, 2)}/${storageIndex}`);
  }

  isWatched(storageIndex: StorageIndex): boolean {
    return this.#watchers.has(`${storageIndex.slice(0, 2)}/${storageIndex}`);
  }

  close(): void {
    for (const path of this.#watchers.keys()) this.#unwatch(path);
    this.#isComplete = true;
    this.#hasUnwatchedFiles = false;
  }

  /** @returns whether it is watched, or need not be since it is not there. */
  #watch(path: string, onChange: (name: string | null) => void): boolean {
    if (this.#watchers.has(path)) return true;
    if (!this.#options.budget.take()) return false;
    let watcher: FSWatcher;
    try {
      watcher = watch(
        path === '' ? this.#options.path : `${this.#options.path}/${path}`,
        { persistent: false },
        (_event, name) => {
          if (this.#watchers.get(path) === watcher) onChange(name);
        },
      );
    } catch (error) {
      this.#options.budget.give();
      return (error as NodeJS.ErrnoException).code === 'ENOENT';
    }
    watcher.on('error', () => {
      if (this.#watchers.get(path) !== watcher) return;
      this.#unwatch(path);
      onChange(null);
    });
    this.#watchers.set(path, watcher);
    return true;
  }

  #unwatch(path: string): void {
    const watcher = this.#watchers.get(path);
    if (watcher === undefined) return;
    this.#watchers.delete(path);
    this.#options.budget.give();
    watcher.close();
  }
}
