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
import type { FolderNotices } from './folder-notices.ts';
import type { FolderView } from './folder-view.ts';
import { FolderGone, type Reconciler } from './reconciler.ts';
import { forEach, knownUnder, scanFolder, scanPrefix } from './scan.ts';
import type { RootCondition } from './share-root.ts';
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

/** What follows from what the follower finds. */
export interface FolderSequel {
  /** The folder is there. A failure is logged, and it is tried again. */
  present(): Promise<void>;
  gone(condition: RootCondition): void;
  /** A full scan is done. @param wantsInventory it was asked for since the scan before. */
  scanned(durationMs: number, wantsInventory: boolean, signal: AbortSignal): Promise<void>;
}

export interface FolderFollowerOptions {
  readonly folder: FolderView;
  readonly reconciler: Reconciler;
  readonly watcher: FolderWatcher;
  readonly notices: FolderNotices;
  readonly clock: Clock;
  readonly log: Logger;
  readonly timing: FollowerTiming;
  readonly sequel: FolderSequel;
}

export class FolderFollower {
  readonly #options: FolderFollowerOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | null = null;
  #condition: RootCondition | null = null;
  #isPresent = false;
  #isBusy = false;
  #checkedAtMs = Number.NEGATIVE_INFINITY;
  #polledAtMs = Number.NEGATIVE_INFINITY;
  #scannedAtMs = Number.NEGATIVE_INFINITY;
  #pollSlot = 0;
  #recheckSlot = 0;
  #scan: { done: Promise<void>; abort: AbortController } | null = null;
  #lastScanMs: number | null = null;

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
    return this.#scan !== null || this.#options.notices.isScanDue;
  }

  get lastScanDurationMs(): number | null {
    return this.#lastScanMs;
  }

  /** Nothing that was noticed waits to be looked at. */
  get isSettled(): boolean {
    return this.#isPresent && !this.isScanning && !this.#isBusy && this.#options.notices.isEmpty;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#options.notices.wake();
    await this.#running;
    await this.#endScan();
    this.#options.watcher.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      this.#options.notices.listen();
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
          this.#options.notices.scan();
          await this.#wait(this.#options.timing.rootCheckMs);
        }
      }
    }
  }

  async #seek(): Promise<void> {
    const { folder, watcher, notices, sequel, timing } = this.#options;
    const condition = await folder.root.check(folder.table.shareCount);
    const isNews = condition !== this.#condition;
    this.#condition = condition;
    if (condition !== 'present') {
      if (isNews) sequel.gone(condition);
      await this.#wait(timing.rootCheckMs);
      return;
    }
    await sequel.present();
    watcher.watchRoot();
    this.#isPresent = true;
    this.#checkedAtMs = this.#options.clock.monotonicMs();
    notices.inventory();
  }

  async #leave(): Promise<void> {
    const { folder, watcher, notices, sequel, log } = this.#options;
    await this.#endScan();
    const condition = await folder.root.check(folder.table.shareCount);
    if (condition === 'present') {
      log.warn({}, 'the share folder was away for a moment; looking at all of it anew');
      watcher.close();
      watcher.watchRoot();
      notices.inventory();
      return;
    }
    this.#isPresent = false;
    this.#condition = condition;
    notices.forgetFolders();
    watcher.close();
    sequel.gone(condition);
  }

  async #step(): Promise<void> {
    const { clock, timing, folder, watcher, notices } = this.#options;
    const nowMs = clock.monotonicMs();
    if (notices.isRootDue || nowMs - this.#checkedAtMs >= timing.rootCheckMs) {
      notices.takeRoot();
      this.#checkedAtMs = nowMs;
      if ((await folder.root.check(folder.table.shareCount)) !== 'present') throw new FolderGone();
    }
    if (nowMs - this.#polledAtMs >= timing.pollMs) {
      this.#polledAtMs = nowMs;
      this.#poll();
    }
    // Looking at everything must not become all that the agent does.
    const scanPauseMs = Math.max(timing.unwatchedScanMs, 20 * (this.#lastScanMs ?? 0));
    const isOverdue = !watcher.isComplete && nowMs - this.#scannedAtMs >= scanPauseMs;
    if ((notices.isScanDue || isOverdue) && this.#scan === null) this.#beginScan();
    if (notices.hasFolders) {
      await this.#lookAtNoticed();
      return;
    }
    await this.#wait(Math.min(timing.pollMs, timing.rootCheckMs));
    if (notices.isWoken) await sleep(clock, timing.gatherMs, this.#stopping.signal).catch(() => undefined);
  }

  async #lookAtNoticed(): Promise<void> {
    const { folder, notices, reconciler } = this.#options;
    const { files, prefixes } = notices.takeFolders();
    this.#isBusy = true;
    try {
      for (const prefix of prefixes) {
        await scanPrefix(prefix, this.#scanOptions(this.#stopping.signal));
        for (const storageIndex of knownUnder(folder.table, prefix)) files.add(storageIndex);
      }
      await forEach(files, 8, (storageIndex) => reconciler.reconcile(storageIndex));
    } finally {
      this.#isBusy = false;
    }
  }

  #beginScan(): void {
    const { notices } = this.#options;
    const { wantsInventory } = notices.takeScan();
    const abort = new AbortController();
    const done = this.#scanAll(abort.signal, wantsInventory).catch((error: unknown) => {
      if (wantsInventory) notices.keepInventoryDue();
      if (abort.signal.aborted) return;
      if (error instanceof FolderGone) notices.root();
      else this.#options.log.error({ error: describeError(error) }, 'a scan of the share folder failed');
      // Where the folder is gone the loop notices; where not, the scan is made again.
      this.#options.clock.after(this.#options.timing.rootCheckMs, () => {
        if (this.#isPresent && !this.#stopping.signal.aborted) this.#options.notices.scan();
      });
    });
    this.#scan = { abort, done };
    void done.then(() => {
      this.#scan = null;
      this.#options.notices.wake();
    });
  }

  async #scanAll(signal: AbortSignal, wantsInventory: boolean): Promise<void> {
    const { clock, sequel } = this.#options;
    const beganMs = clock.monotonicMs();
    await scanFolder(this.#scanOptions(signal));
    this.#scannedAtMs = clock.monotonicMs();
    this.#lastScanMs = this.#scannedAtMs - beganMs;
    await sequel.scanned(this.#lastScanMs, wantsInventory, signal);
  }

  #scanOptions(signal: AbortSignal) {
    const { folder, reconciler, watcher } = this.#options;
    return { ...folder, reconciler, signal, watchPrefix: (prefix: string) => watcher.watchPrefix(prefix) };
  }

  async #endScan(): Promise<void> {
    this.#scan?.abort.abort(new FolderGone());
    await this.#scan?.done;
    this.#scan = null;
  }

  /** Marks some files to be looked at: unwatched ones in turn, and a few of all. */
  #poll(): void {
    const { folder, watcher, notices, timing } = this.#options;
    notices.pollEmptyFolders();
    const { table } = folder;
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
      notices.poll(storageIndex);
      found++;
    }
    for (let steps = Math.min(limit, Math.ceil((limit * timing.pollMs) / timing.recheckMs)); steps > 0; steps--) {
      const storageIndex = this.#fileAt(this.#recheckSlot++ % limit);
      if (storageIndex !== null) notices.poll(storageIndex);
    }
  }

  /** The file of a slot, if the slot is the first of its file. */
  #fileAt(slot: number): StorageIndex | null {
    const { table } = this.#options.folder;
    if (!table.isUsed(slot)) return null;
    const key = table.storageIndexOf(slot);
    return table.firstOf(key) === slot ? storageIndexFromBytes(key) : null;
  }

  async #wait(delayMs: number): Promise<void> {
    const { notices, clock } = this.#options;
    if (!this.#stopping.signal.aborted) await notices.wait(clock, delayMs);
  }
}
