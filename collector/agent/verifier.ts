/**
 * Reads the shares again and again, at a set rate, to find those that rotted. Rounds go over the table in its order, so the next
 * share is always the one that was verified longest ago; new and changed shares are taken in between, turn by turn.
 */

import type { Clock } from '#mesh/clock.ts';
import { isAbsent } from '#mesh/durable-file.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import { storageIndexFromBytes } from '#mesh/storage-index.ts';
import { type Rate, TokenBucket } from '#mesh/token-bucket.ts';
import { isShareError } from '#tahoe/share/share-errors.ts';
import type { EventSink, Urgency } from './events.ts';
import type { FolderNotices } from './folder-notices.ts';
import { manifestTag, stampOf, statLink } from './inspect.ts';
import type { CheckShare } from './ports.ts';
import type { ShareRoot } from './share-root.ts';
import { corruptFlag, type ShareTable } from './share-table.ts';
import type { TableKeeper } from './table-keeper.ts';

export interface VerifierOptions {
  readonly table: ShareTable;
  readonly root: ShareRoot;
  readonly check: CheckShare;
  readonly sink: EventSink;
  /** Takes the files that are not what the table says. */
  readonly notices: Pick<FolderNotices, 'file'>;
  /** The set of corrupt shares must outlive this process. */
  readonly keeper: Pick<TableKeeper, 'saveSoon'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly pace: VerifierPace;
}

export interface VerifierPace {
  /** 0 never checks. */
  readonly bytesPerSecond: number;
  /** A round over all shares takes at least so long: a small folder need not be read without end. */
  readonly roundMs: number;
}

/** New shares that wait to be verified; beyond this they wait for their turn in the round. */
const freshLimit = 10_000;
/** Reported shares that wait; a report beyond them is dropped, and its share waits for its turn in the round. */
const reportedLimit = 1000;

interface Target {
  readonly key: Uint8Array;
  readonly shareNumber: number;
}

export class Verifier {
  readonly #options: VerifierOptions;
  readonly #bucket: TokenBucket;
  readonly #fresh = new Map<string, Target>();
  readonly #reported = new Map<string, Target>();
  #lookingAtReports: Promise<void> | null = null;
  #bytesPerSecond: number;
  #roundEndsAtMs = Number.NEGATIVE_INFINITY;
  #takesFresh = true;
  #isPaused = true;
  #stopping = new AbortController();
  #running: Promise<void> | null = null;
  #wakeUp: (() => void) | null = null;
  #isWoken = false;
  #verifiedCount = 0;
  #bytesRead = 0;

  constructor(options: VerifierOptions) {
    this.#options = options;
    this.#bytesPerSecond = options.pace.bytesPerSecond;
    this.#bucket = new TokenBucket(verifyRate(options.pace.bytesPerSecond), options.clock);
  }

  get isVerifying(): boolean {
    return this.#bytesPerSecond > 0;
  }

  /** Shares that were found sound, since the start. */
  get verifiedCount(): number {
    return this.#verifiedCount;
  }

  get bytesRead(): number {
    return this.#bytesRead;
  }

  get freshCount(): number {
    return this.#fresh.size;
  }

  /** A share that is new or changed: before the others. */
  fresh(key: Uint8Array, shareNumber: number): void {
    if (!this.isVerifying || this.#fresh.size >= freshLimit) return;
    const copy = key.slice(0, 16);
    this.#fresh.set(nameOf(copy, shareNumber), { key: copy, shareNumber });
    this.#wake();
  }

  /**
   * A share that somebody found bad: it is verified at once, whatever the rate. What it costs is on the account of the rounds, so
   * that a flood of reports makes these wait and reads no more than one share at a time.
   */
  reported(key: Uint8Array, shareNumber: number): void {
    if (this.#reported.size >= reportedLimit) return;
    const copy = key.slice(0, 16);
    this.#reported.set(nameOf(copy, shareNumber), { key: copy, shareNumber });
    this.#lookAtReports();
  }

  setRate(bytesPerSecond: number): void {
    this.#bytesPerSecond = bytesPerSecond;
    this.#bucket.setRate(verifyRate(bytesPerSecond));
    if (bytesPerSecond === 0) this.#fresh.clear();
    this.#wake();
  }

  start(): void {
    this.#running ??= this.#run();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#wake();
    this.#lookAtReports();
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new MeshwardError('cancelled', 'the agent is stopping', { next: 'Nothing to do.' }));
    this.#wake();
    await this.#running;
    await this.#lookingAtReports;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      this.#isWoken = false;
      const target = this.#isPaused || !this.isVerifying ? null : this.#next();
      if (target === null) {
        await this.#awaitWake();
        continue;
      }
      try {
        await this.#verify(target, 'later', (bytes) => this.#bucket.pay(bytes, signal));
      } catch (error) {
        if (signal.aborted) return;
        this.#options.log.warn({ error: describeError(error) }, 'a share could not be verified');
        await this.#wait(5000);
      }
    }
  }

  #lookAtReports(): void {
    if (this.#isPaused || this.#reported.size === 0) return;
    this.#lookingAtReports ??= this.#verifyReported().finally(() => {
      this.#lookingAtReports = null;
    });
  }

  async #verifyReported(): Promise<void> {
    for (const [name, target] of this.#reported) {
      if (this.#isPaused || this.#stopping.signal.aborted) return;
      this.#reported.delete(name);
      try {
        await this.#verify(target, 'soon', (bytes) => Promise.resolve(void this.#bucket.take(bytes)));
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        this.#options.log.warn({ error: describeError(error) }, 'a share that was reported could not be verified');
      }
    }
  }

  #next(): Target | null {
    const fromRound = (): Target | null => this.#nextOfRound();
    const fromFresh = (): Target | null => {
      for (const [name, target] of this.#fresh) {
        this.#fresh.delete(name);
        return target;
      }
      return null;
    };
    this.#takesFresh = !this.#takesFresh;
    return this.#takesFresh ? (fromRound() ?? fromFresh()) : (fromFresh() ?? fromRound());
  }

  #nextOfRound(): Target | null {
    const { table, clock, pace } = this.#options;
    if (table.verifyPosition === 0) {
      const nowMs = clock.monotonicMs();
      if (nowMs < this.#roundEndsAtMs) return null;
      this.#roundEndsAtMs = nowMs + pace.roundMs;
    }
    while (table.verifyPosition < table.slotLimit) {
      const slot = table.verifyPosition++;
      if (table.isUsed(slot) && table.kindOf(slot) === 'immutable') {
        return { key: table.storageIndexOf(slot), shareNumber: table.numberOf(slot) };
      }
    }
    table.verifyPosition = 0;
    return null;
  }

  /** @param urgency of the word that the share is sound: somebody who doubts it waits for that. */
  async #verify(
    { key, shareNumber }: Target,
    urgency: Urgency,
    spend: (bytes: number) => Promise<void>,
  ): Promise<void> {
    const { table, root, check, log } = this.#options;
    const { signal } = this.#stopping;
    const slot = table.find(key, shareNumber);
    if (slot < 0 || table.kindOf(slot) !== 'immutable') return;
    const sizeBytes = table.sizeOf(slot);
    const stamp = table.stampOf(slot);
    const tag = table.manifestTagOf(slot);
    const storageIndex = storageIndexFromBytes(key);
    const path = `${root.path}/${storageIndex.slice(0, 2)}/${storageIndex}/${shareNumber}`;
    let paidBytes = 0;
    const pay = async (bytes: number): Promise<void> => {
      paidBytes += bytes;
      this.#bytesRead += bytes;
      await spend(bytes);
    };
    let fault: string | null = null;
    try {
      const checked = await check({ path, storageIndex, shareNumber }, pay, signal);
      if (checked === null) {
        this.#options.notices.file(storageIndex);
        return;
      }
      const found = manifestTag(checked.manifest);
      if (tag === 0) this.#ifUnchanged(key, shareNumber, stamp, (same) => table.setManifestTag(same, found));
      else if (tag !== found) fault = 'it states another manifest than when it was first seen';
    } catch (error) {
      if (signal.aborted || (error instanceof MeshwardError && error.retryable)) throw error;
      if (isShareError(error) && error.code === 'share-foreign') {
        this.#options.notices.file(storageIndex);
        return;
      }
      fault = describeError(error);
    }
    // Hashes, headers and leases are read as well: every share costs at least its size.
    if (paidBytes < sizeBytes) await pay(sizeBytes - paidBytes);
    const now = await this.#stampNow(path);
    if (now !== stamp) {
      this.#options.notices.file(storageIndex);
      return;
    }
    if (fault !== null && (await root.check(table.shareCount)) !== 'present') return;
    this.#ifUnchanged(key, shareNumber, stamp, (same) => this.#judge(same, key, shareNumber, fault, urgency));
    if (fault !== null) log.debug({ storageIndex, shareNumber, fault }, 'a share does not verify');
  }

  #judge(slot: number, key: Uint8Array, shareNumber: number, fault: string | null, urgency: Urgency): void {
    const { table, sink, log, keeper } = this.#options;
    const wasCorrupt = table.has(slot, corruptFlag);
    if (fault === null) this.#verifiedCount++;
    if (fault === null) sink.share(key, shareNumber, 'verified', wasCorrupt ? 'soon' : urgency);
    else if (!wasCorrupt) {
      sink.share(key, shareNumber, 'corrupt');
      log.warn({ storageIndex: storageIndexFromBytes(key), shareNumber, fault }, 'a share is corrupt');
    }
    if (wasCorrupt === (fault !== null)) return;
    table.set(slot, corruptFlag, fault !== null);
    keeper.saveSoon();
  }

  /** The table may have moved on while the file was read. */
  #ifUnchanged(key: Uint8Array, shareNumber: number, stamp: number, run: (slot: number) => void): void {
    const { table } = this.#options;
    const slot = table.find(key, shareNumber);
    if (slot >= 0 && table.kindOf(slot) === 'immutable' && table.stampOf(slot) === stamp) run(slot);
  }

  async #stampNow(path: string): Promise<number | null> {
    try {
      return stampOf(await statLink(path));
    } catch (error) {
      if (isAbsent(error)) return null;
      throw error;
    }
  }

  #wake(): void {
    this.#isWoken = true;
    this.#wakeUp?.();
  }

  /** Until woken, or the next round is due. */
  async #awaitWake(): Promise<void> {
    if (this.#isWoken || this.#stopping.signal.aborted) return;
    const waitMs = this.#isPaused || !this.isVerifying ? null : this.#roundEndsAtMs - this.#options.clock.monotonicMs();
    await this.#wait(waitMs);
  }

  /** @param delayMs null: only until woken. */
  #wait(delayMs: number | null): Promise<void> {
    return new Promise((resolve) => {
      const callOff =
        delayMs === null || !Number.isFinite(delayMs)
          ? null
          : this.#options.clock.after(Math.max(100, delayMs), () => finish());
      const finish = (): void => {
        this.#wakeUp = null;
        callOff?.();
        resolve();
      };
      this.#wakeUp = finish;
    });
  }
}

/** An unused second is not saved up further. */
function verifyRate(bytesPerSecond: number): Rate {
  return { perSecond: bytesPerSecond, burst: bytesPerSecond };
}

function nameOf(key: Uint8Array, shareNumber: number): string {
  return `${Buffer.from(key).toString('latin1')}${shareNumber}`;
}
