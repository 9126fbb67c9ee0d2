/**
 * What was noticed about the share folder and has not been looked at yet. Watches, the server, the verifier and people leave it
 * here; the one loop that follows the folder takes it. Bounded: what is too much to name becomes a scan of everything.
 */
import type { Clock } from '#mesh/clock.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';

/** More two-letter folders than this at once are looked at by a full scan. */
const maxPrefixes = 16;
const maxFiles = 20_000;
/** Empty folders without a watch that are looked at with each poll: a Tahoe node makes them before the share is there. */
const maxEmptyFolders = 1000;

export class FolderNotices {
  #files = new Set<StorageIndex>();
  #prefixes = new Set<string>();
  readonly #emptyFolders = new Set<StorageIndex>();
  #isRootDue = false;
  #isScanDue = false;
  #isInventoryDue = false;
  #isWoken = false;
  #wakeUp: (() => void) | null = null;

  /** Whether anything but a scan is to be looked at. */
  get isEmpty(): boolean {
    return !this.#isRootDue && !this.hasFolders;
  }

  get hasFolders(): boolean {
    return this.#files.size > 0 || this.#prefixes.size > 0;
  }

  get isScanDue(): boolean {
    return this.#isScanDue;
  }

  get isRootDue(): boolean {
    return this.#isRootDue;
  }

  get isWoken(): boolean {
    return this.#isWoken;
  }

  file(storageIndex: StorageIndex): void {
    this.poll(storageIndex);
    this.wake();
  }

  /** As {@link file}, in its turn: nobody is woken. */
  poll(storageIndex: StorageIndex): void {
    if (this.#files.size >= maxFiles) this.#isScanDue = true;
    else this.#files.add(storageIndex);
  }

  pollEmptyFolders(): void {
    for (const storageIndex of this.#emptyFolders) this.poll(storageIndex);
  }

  prefix(prefix: string): void {
    this.#prefixes.add(prefix);
    if (this.#prefixes.size > maxPrefixes) {
      this.#prefixes.clear();
      this.#isScanDue = true;
    }
    this.wake();
  }

  /** The root itself or its mark changed. */
  root(): void {
    this.#isRootDue = true;
    this.wake();
  }

  /** @param isPolled its folder is there, holds nothing, and no watch would tell of the first share in it. */
  emptyFolder(storageIndex: StorageIndex, isPolled: boolean): void {
    if (!isPolled) this.#emptyFolders.delete(storageIndex);
    else if (this.#emptyFolders.size < maxEmptyFolders) this.#emptyFolders.add(storageIndex);
  }

  /** Everything is to be looked at. */
  scan(): void {
    this.#isScanDue = true;
    this.wake();
  }

  /** A full inventory is to be taken, after a scan. */
  inventory(): void {
    this.#isInventoryDue = true;
    this.scan();
  }

  takeRoot(): void {
    this.#isRootDue = false;
  }

  takeFolders(): { files: Set<StorageIndex>; prefixes: ReadonlySet<string> } {
    const taken = { files: this.#files, prefixes: this.#prefixes };
    this.#files = new Set();
    this.#prefixes = new Set();
    return taken;
  }

  takeScan(): { wantsInventory: boolean } {
    const wantsInventory = this.#isInventoryDue;
    this.#isScanDue = false;
    this.#isInventoryDue = false;
    return { wantsInventory };
  }

  /** A scan that was to lead to an inventory came to nothing: the next one does. */
  keepInventoryDue(): void {
    this.#isInventoryDue = true;
  }

  /** The folder is gone, and what was noticed in it with it. */
  forgetFolders(): void {
    this.#files.clear();
    this.#prefixes.clear();
    this.#emptyFolders.clear();
  }

  wake(): void {
    this.#isWoken = true;
    this.#wakeUp?.();
  }

  /** From here on, {@link wait} ends at once where something is noticed. */
  listen(): void {
    this.#isWoken = false;
  }

  wait(clock: Clock, delayMs: number): Promise<void> {
    if (this.#isWoken) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = (): void => {
        this.#wakeUp = null;
        callOff();
        resolve();
      };
      const callOff = clock.after(delayMs, finish);
      this.#wakeUp = finish;
    });
  }
}
