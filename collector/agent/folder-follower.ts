/**
 * Keeps the table in step with the share folder: watches, polls, scans, and notices when the folder itself goes away.
 *
 * One loop does it. While the folder is not there, nothing is concluded about shares; when it is back, everything is looked
 * at anew and an inventory is taken.
 */
import { type Clock, sleep } from '#mesh/clock.ts';
import { describeError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import { type StorageIndex, storageIndexFromBytes } from '#mesh/storage-index.ts';
import type { Oddities } from './oddities.ts';
import { FolderGone, type Reconciler } from './reconciler.ts';
import { forEach, knownUnder, scanFolder, scanPrefix } from './scan.ts';
import type { RootCondition, ShareRoot } from './share-root.ts';
import type { ShareTable } from './share-table.ts';
import type { FolderWatcher } from './watch.ts';

export interface FollowerTiming {
  /** How often the folder's mark is looked at. @default 2000 */
  readonly rootCheckMs: number;
  /** How often files without a watch are looked at. @default 1000 */
  readonly pollMs: number;
  /** How many of them at a time. @default 250 */
  readonly pollFolders: number;
  /** Every file's folder is looked at once in this time, watched or not. @default 10 min */
  readonly recheckMs: number;
  /** Without enough watches for new files to be noticed, the whole folder is looked at so often. @default 60 s */
  readonly unwatchedScanMs: number;
  /** How long notices are gathered. @default 30 */
  readonly gatherMs: number;
}

export const defaultFollowerTiming: FollowerTiming = {
  rootCheckMs: 2000,
  pollMs: 1000,
  pollFolders: 250,
  recheckMs: 10 * 60_000,
  unwatchedScanMs: 60_000,
  gatherMs: 30,
};

export interface FolderFollowerOptions {
  readonly root: ShareRoot;
  readonly table: ShareTable;
  readonly oddities: Oddities;
  readonly reconciler: Reconciler;
  readonly watcher: FolderWatcher;
  readonly clock: Clock;
  readonly log: Logger;
  readonly timing: FollowerTiming;
  /** The folder is there. A failure is logged, and it is tried again. */
  readonly onPresent: () => Promise<void>;
  readonly onGone: (condition: RootCondition) => void;
  /** A full scan is done. @param wantsInventory it was asked for since the scan before. */
  readonly onScanned: (durationMs: number, wantsInventory: boolean, signal: AbortSignal) => Promise<void>;
}

/** More two-letter folders than this at once are looked at by a full scan. */
const maxDirtyPrefixes = 16;
const maxDirtyFiles = 20_000;
/** Empty folders without a watch that are looked at with each poll: a Tahoe node makes them before the share is there. */
const maxEmptyFolders = 1000;

export class FolderFollower {
  readonly #options: FolderFollowerOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | null = null;
  #condition: RootCondition | null = null;
  #isPresent = false;
  #dirtyFiles = new Set<StorageIndex>();
  #dirtyPrefixes = new Set<string>();
  #isRootDirty = false;
  #isBusy = false;
  readonly #emptyFolders = new Set<StorageIndex>();
  #checkedAtMs = Number.NEGATIVE_INFINITY;
  #polledAtMs = Number.NEGATIVE_INFINITY;
  #scannedAtMs = Number.NEGATIVE_INFINITY;
  #pollSlot = 0;
  #recheckSlot = 0;
  #scan: { done: Promise<void>; abort: AbortController } | null = null;
  #isScanDue = false;
  #wantsInventory = false;
  #lastScanMs: number | null = null;
  #wakeUp: (() => void) | null = null;
  #isWoken = false;

  constructor(options: FolderFollowerOptions) {
    this.#options = options;
  }

  get condition(): RootCondition {
    return this.#condition ?? 'missing';
  }

  get isPresent(): boolean {
    return this.#isPresent;
  }

  get isScanning(): boolean {
    return this.#scan !== null || this.#isScanDue;
  }

  get lastScanDurationMs(): number | null {
    return this.#lastScanMs;
  }

  /** Nothing that was noticed waits to be looked at. */
  get isSettled(): boolean {
    return (
      this.#isPresent &&
      !this.isScanning &&
      !this.#isBusy &&
      !this.#isRootDirty &&
      this.#dirtyFiles.size === 0 &&
      this.#dirtyPrefixes.size === 0
    );
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake();
    await this.#running;
    await this.#endScan();
    this.#options.watcher.close();
  }

  noticeFile(storageIndex: StorageIndex): void {
    if (this.#dirtyFiles.size >= maxDirtyFiles) this.requestScan();
    else this.#dirtyFiles.add(storageIndex);
    this.#wake();
  }

  noticePrefix(prefix: string): void {
    this.#dirtyPrefixes.add(prefix);
    this.#wake();
  }

  noticeRoot(): void {
    this.#isRootDirty = true;
    this.#wake();
  }

  noticeEmpty(storageIndex: StorageIndex, isGone: boolean): void {
    if (isGone || this.#options.watcher.isWatched(storageIndex)) this.#emptyFolders.delete(storageIndex);
    else if (this.#emptyFolders.size < maxEmptyFolders) this.#emptyFolders.add(storageIndex);
    if (isGone) this.#options.watcher.unwatchStorageIndex(storageIndex);
  }

  requestScan(): void {
    this.#isScanDue = true;
    this.#wake();
  }

  requestInventory(): void {
    this.#wantsInventory = true;
    this.requestScan();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      this.#isWoken = false;
      try {
        if (this.#isPresent) await this.#step();
        else await this.#seek();
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof FolderGone) {
          await this.#leave();
        } else {
          this.#options.log.error(
            { error: describeError(error) },
            'the share folder could not be looked at; trying again',
          );
          this.requestScan();
          await this.#wait(this.#options.timing.rootCheckMs);
        }
      }
    }
  }

  async #seek(): Promise<void> {
    const { root, table, watcher, onPresent, onGone, timing } = this.#options;
    const condition = await root.check(table.shareCount);
    const isNews = condition !== this.#condition;
    this.#condition = condition;
    if (condition !== 'present') {
      if (isNews) onGone(condition);
      await this.#wait(timing.rootCheckMs);
      return;
    }
    await onPresent();
    watcher.watchRoot();
    this.#isPresent = true;
    this.#checkedAtMs = this.#options.clock.monotonicMs();
    this.requestInventory();
  }

  async #leave(): Promise<void> {
    const { root, table, watcher, onGone, log } = this.#options;
    await this.#endScan();
    const condition = await root.check(table.shareCount);
    if (condition === 'present') {
      log.warn({}, 'the share folder was away for a moment; looking at all of it anew');
      watcher.close();
      watcher.watchRoot();
      this.requestInventory();
      return;
    }
    this.#isPresent = false;
    this.#condition = condition;
    this.#dirtyFiles.clear();
    this.#dirtyPrefixes.clear();
    this.#emptyFolders.clear();
    watcher.close();
    onGone(condition);
  }

  async #step(): Promise<void> {
    const { clock, timing, root, table, watcher } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#isRootDirty || nowMs - this.#checkedAtMs >= timing.rootCheckMs) {
      this.#isRootDirty = false;
      this.#checkedAtMs = nowMs;
      if ((await root.check(table.shareCount)) !== 'present') throw new FolderGone();
    }
    if (nowMs - this.#polledAtMs >= timing.pollMs) {
      this.#polledAtMs = nowMs;
      this.#poll();
    }
    // Looking at everything must not become all that the agent does.
    const scanPauseMs = Math.max(timing.unwatchedScanMs, 20 * (this.#lastScanMs ?? 0));
    if (!watcher.isComplete && nowMs - this.#scannedAtMs >= scanPauseMs) this.#isScanDue = true;
    if (this.#dirtyPrefixes.size > maxDirtyPrefixes) {
      this.#dirtyPrefixes.clear();
      this.#isScanDue = true;
    }
    if (this.#isScanDue && this.#scan === null) this.#beginScan();
    if (this.#dirtyFiles.size > 0 || this.#dirtyPrefixes.size > 0) {
      await this.#lookAtDirty();
      return;
    }
    await this.#wait(Math.min(timing.pollMs, timing.rootCheckMs));
    if (this.#isWoken) await sleep(clock, timing.gatherMs, this.#stopping.signal).catch(() => undefined);
  }

  async #lookAtDirty(): Promise<void> {
    const files = this.#dirtyFiles;
    const prefixes = this.#dirtyPrefixes;
    this.#dirtyFiles = new Set();
    this.#dirtyPrefixes = new Set();
    this.#isBusy = true;
    try {
      for (const prefix of prefixes) {
        await scanPrefix(prefix, this.#scanOptions(this.#stopping.signal));
        for (const storageIndex of knownUnder(this.#options.table, prefix)) files.add(storageIndex);
      }
      await forEach(files, 8, (storageIndex) => this.#options.reconciler.reconcile(storageIndex));
    } finally {
      this.#isBusy = false;
    }
  }

  #beginScan(): void {
    this.#isScanDue = false;
    const wantsInventory = this.#wantsInventory;
    this.#wantsInventory = false;
    const abort = new AbortController();
    const done = this.#scanAll(abort.signal, wantsInventory).catch((error: unknown) => {
      if (wantsInventory) this.#wantsInventory = true;
      if (abort.signal.aborted) return;
      if (error instanceof FolderGone) this.#isRootDirty = true;
      else this.#options.log.error({ error: describeError(error) }, 'a scan of the share folder failed');
      // Where the folder is gone the loop notices; where not, the scan is made again.
      this.#options.clock.after(this.#options.timing.rootCheckMs, () => {
        if (this.#isPresent && !this.#stopping.signal.aborted) this.requestScan();
      });
    });
    this.#scan = { abort, done };
    void done.then(() => {
      this.#scan = null;
      this.#wake();
    });
  }

  async #scanAll(signal: AbortSignal, wantsInventory: boolean): Promise<void> {
    const { clock, onScanned } = this.#options;
    const beganMs = clock.monotonicMs();
    await scanFolder(this.#scanOptions(signal));
    this.#scannedAtMs = clock.monotonicMs();
    this.#lastScanMs = this.#scannedAtMs - beganMs;
    await onScanned(this.#lastScanMs, wantsInventory, signal);
  }

  #scanOptions(signal: AbortSignal) {
    const { root, table, oddities, reconciler, watcher } = this.#options;
    return { root, table, oddities, reconciler, signal, watchPrefix: (prefix: string) => watcher.watchPrefix(prefix) };
  }

  async #endScan(): Promise<void> {
    this.#scan?.abort.abort(new FolderGone());
    await this.#scan?.done;
    this.#scan = null;
  }

  /** Marks some files to be looked at: unwatched ones in turn, and a few of all. */
  #poll(): void {
    const { table, watcher, timing } = this.#options;
    for (const storageIndex of this.#emptyFolders) this.#dirtyFiles.add(storageIndex);
    const limit = table.slotLimit;
    if (limit === 0) return;
    let found = 0;
    for (
      let steps = watcher.hasUnwatchedFiles ? Math.min(limit, 4000) : 0;
      steps > 0 && found < timing.pollFolders;
      steps--
    ) {
      const storageIndex = this.#fileAt(this.#pollSlot++ % limit);
      if (storageIndex === null || watcher.isWatched(storageIndex)) continue;
      this.#dirtyFiles.add(storageIndex);
      found++;
    }
    for (let steps = Math.min(limit, Math.ceil((limit * timing.pollMs) / timing.recheckMs)); steps > 0; steps--) {
      const storageIndex = this.#fileAt(this.#recheckSlot++ % limit);
      if (storageIndex !== null) this.#dirtyFiles.add(storageIndex);
    }
  }

  /** The file of a slot, if the slot is the first of its file. */
  #fileAt(slot: number): StorageIndex | null {
    const { table } = this.#options;
    if (!table.isUsed(slot)) return null;
    const key = table.storageIndexOf(slot);
    return table.firstOf(key) === slot ? storageIndexFromBytes(key) : null;
  }

  #wake(): void {
    this.#isWoken = true;
    this.#wakeUp?.();
  }

  #wait(delayMs: number): Promise<void> {
    if (this.#isWoken || this.#stopping.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = (): void => {
        this.#wakeUp = null;
        callOff();
        resolve();
      };
      const callOff = this.#options.clock.after(delayMs, finish);
      this.#wakeUp = finish;
    });
  }
}
