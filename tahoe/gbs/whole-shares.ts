/**
 * Shares that come whole, in one exchange: nothing is kept of them before they are there. Those that come at about the same time
 * are made durable together, each acknowledged after the sync that it was in: that of their records in the journal, and where
 * there is no journal, or no room in it, of all files first, then of their names.
 */

import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { type DiskOutcome, heldOutcome } from '#native/disk.ts';
import { writeContainerHeader } from '../share/container.ts';
import { type Disk, type DiskAtOnce, diskError, makeFolders, syncFolder } from './disk.ts';
import type { JournalEntry } from './journal-segment.ts';
import { KeyedLock } from './keyed-lock.ts';
import type { ShareFolder } from './share-folder.ts';
import type { ShareJournal } from './share-journal.ts';
import { type ShareName, shareKey } from './share-name.ts';

export interface WholeShare {
  readonly index: StorageIndex;
  readonly shareNumber: number;
  readonly parts: readonly Uint8Array[];
  readonly sizeBytes: number;
  /** The record of its first lease. */
  readonly lease: Uint8Array;
  /** Asked at the last moment before the share appears; throws where it must not. */
  readonly check: () => void;
}

/** `held`: the share was there already, and nothing was written. */
export type WholeOutcome = 'stored' | 'held';

export interface WholeSharesOptions {
  readonly root: string;
  readonly disk: Disk;
  readonly shares: ShareFolder;
  readonly syncToDisk: boolean;
  /** Undefined where shares are synced one by one. */
  readonly journal: ShareJournal | undefined;
}

interface Waiting {
  readonly share: WholeShare;
  readonly settle: PromiseWithResolvers<WholeOutcome>;
}

/** Shares that are made durable together; further ones wait for the next turn. */
const mostTogether = 64;
/** Turns at once: one gathers and writes while another waits for the disk. */
const turnsAtOnce = 2;
/** Longer ones would rather be synced by themselves than be written twice. */
const mostJournalledBytes = 512 * 1024;

export class WholeShares {
  readonly #options: WholeSharesOptions;
  #waiting: Waiting[] = [];
  #turns = 0;
  #promisedBytes = 0;
  #whenIdle: (() => void) | undefined;
  /** By share: of two who bring it the second waits for the first, and so does who revokes it. */
  readonly #lock = new KeyedLock();

  constructor(options: WholeSharesOptions) {
    this.#options = options;
  }

  /** Bytes that are here, or about to come, and not on the disk yet. */
  get promisedBytes(): number {
    return this.#promisedBytes;
  }

  /** Memory and room for a share that is about to come. @returns what gives them back. */
  promise(bytes: number): () => void {
    this.#promisedBytes += bytes;
    return () => {
      this.#promisedBytes -= bytes;
    };
  }

  /** Resolves when the share is in its place, and durable. */
  store(share: WholeShare): Promise<WholeOutcome> {
    return this.#lock.run(shareKey(share), () => {
      const settle = Promise.withResolvers<WholeOutcome>();
      this.#waiting.push({ share, settle });
      // After those that are brought with it have come: they are made durable together.
      queueMicrotask(() => this.#go());
      return settle.promise;
    });
  }

  /** A share that was removed is not to come back after a crash. */
  async removed(share: ShareName): Promise<void> {
    const { journal, shares } = this.#options;
    if (journal === undefined || !journal.holds(share)) return;
    await this.#lock.run(shareKey(share), async () => {
      if (!(await shares.has(share.index, share.shareNumber))) await journal.revoke([share]);
    });
  }

  #go(): void {
    while (this.#turns < turnsAtOnce && this.#waiting.length > 0) {
      const isShort = (one: Waiting | undefined): boolean => (one?.share.sizeBytes ?? 0) <= mostJournalledBytes;
      const [first] = this.#waiting;
      const other = this.#waiting.findIndex((one) => isShort(one) !== isShort(first));
      const turn = this.#waiting.splice(0, Math.min(mostTogether, other < 0 ? mostTogether : other));
      this.#turns++;
      void this.#take(turn, isShort(first)).finally(() => {
        this.#turns--;
        this.#go();
        if (this.#turns === 0) this.#whenIdle?.();
      });
    }
  }

  /** Resolves when nothing is being stored. */
  async close(): Promise<void> {
    if (this.#turns === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  async #take(turn: readonly Waiting[], isShort: boolean): Promise<void> {
    const { disk, syncToDisk } = this.#options;
    if (disk.atOnce !== undefined) {
      await this.#takeAtOnce(turn, disk.atOnce, isShort).catch((error: unknown) => {
        for (const { settle } of turn) settle.reject(error);
      });
      return;
    }
    const folders = new Set<string>();
    const placed = await Promise.all(
      turn.map(async (one) => {
        const outcome = await this.#place(one.share, folders).catch((error: unknown) => ({ error }));
        return { one, outcome };
      }),
    );
    let failure: { error: unknown } | undefined;
    if (syncToDisk) {
      // Outer folders last: a name is durable when the folder that holds it is.
      const inOrder = [...folders].sort((a, b) => b.length - a.length);
      failure = await Promise.all(inOrder.map((folder) => syncFolder(disk, folder))).then(
        () => undefined,
        (error: unknown) => ({ error }),
      );
    }
    for (const { one, outcome } of placed) {
      if (typeof outcome !== 'string') one.settle.reject(outcome.error);
      else if (outcome === 'stored' && failure !== undefined) one.settle.reject(failure.error);
      else one.settle.resolve(outcome);
    }
  }

  /** The same in two steps beside the event loop, for all of the turn. */
  async #takeAtOnce(turn: readonly Waiting[], atOnce: DiskAtOnce, isShort: boolean): Promise<void> {
    const { root, disk, shares, syncToDisk } = this.#options;
    const files = turn.map(({ share }) => ({
      path: this.#incomingPath(share),
      target: shares.pathOf(share.index, share.shareNumber),
      parts: [writeContainerHeader(2, share.sizeBytes, 1), ...share.parts, share.lease],
    }));
    const entry = isShort ? await this.#entryFor(turn, files) : undefined;
    try {
      const journalled = entry === undefined ? undefined : await this.#writeJournalled(files, entry, atOnce);
      const written = journalled ?? (await atOnce.writeFiles(files, syncToDisk)).outcomes;
      const failures = turn.map(({ share }, at): unknown => {
        const outcome = written[at] as DiskOutcome;
        if (outcome !== 0) return outcome === heldOutcome ? undefined : diskError(outcome, 'write');
        return failureOf(share.check);
      });
      const sound = turn.flatMap((_, at) => (written[at] === 0 && failures[at] === undefined ? [at] : []));
      const placings = sound.map((at) => {
        const { index, shareNumber } = (turn[at] as Waiting).share;
        return {
          from: (files[at] as { path: string }).path,
          folder: shares.folderOf(index),
          name: String(shareNumber),
        };
      });
      const placed = await atOnce.placeFiles(placings, root, syncToDisk && journalled === undefined);
      const outcomes = new Map(sound.map((at, i) => [at, placed.outcomes[i] as DiskOutcome]));
      if (entry !== undefined) {
        // Also where writing them failed: some may be on the disk.
        const isRefused = (at: number): boolean => written[at] !== heldOutcome && outcomes.get(at) !== 0;
        await this.#revoke(turn.filter((_, at) => isRefused(at)));
      }
      for (const [at, { settle }] of turn.entries()) {
        const outcome = written[at] === heldOutcome ? heldOutcome : outcomes.get(at);
        // Wiped at the next start where it cannot be removed.
        if (outcome !== 0) void disk.unlink((files[at] as { path: string }).path).catch(() => undefined);
        if (outcome === undefined) settle.reject(failures[at]);
        else if (outcome === heldOutcome) settle.resolve('held');
        else if (outcome !== 0) settle.reject(diskError(outcome, 'place'));
        else if (placed.synced !== 0) settle.reject(diskError(placed.synced, 'sync'));
        else settle.resolve('stored');
      }
    } finally {
      entry?.over();
    }
  }

  /** Room in the journal for all of the turn. */
  async #entryFor(
    turn: readonly Waiting[],
    files: readonly { readonly parts: readonly Uint8Array[] }[],
  ): Promise<JournalEntry | undefined> {
    const records = turn.map(({ share: { index, shareNumber } }, at) => {
      const contentBytes = files[at]?.parts.reduce((sum, part) => sum + part.length, 0) ?? 0;
      return { index, shareNumber, contentBytes };
    });
    return this.#options.journal?.begin(records);
  }

  /** Undefined where the records could not be written: nothing was then. */
  async #writeJournalled(
    files: readonly { readonly path: string; readonly target: string; readonly parts: readonly Uint8Array[] }[],
    entry: JournalEntry,
    { journal }: DiskAtOnce,
  ): Promise<readonly DiskOutcome[] | undefined> {
    let journalled: DiskOutcome = -1;
    try {
      const withRecords = files.map(({ path, target, parts }, at) => {
        const { position, head } = entry.records[at] as JournalEntry['records'][number];
        return { path, target, record: { position, head, parts } };
      });
      const written = await journal?.journalFiles(entry.place, withRecords);
      if (written === undefined) return undefined;
      journalled = written.journalled;
      if (journalled === 0) return written.outcomes;
      this.#options.journal?.failed(diskError(journalled, 'write the journal'));
      return undefined;
    } finally {
      entry.appended(journalled === 0);
    }
  }

  async #revoke(turn: readonly Waiting[]): Promise<void> {
    if (turn.length > 0) await this.#options.journal?.revoke(turn.map(({ share }) => share));
  }

  #incomingPath({ index, shareNumber }: WholeShare): string {
    return `${this.#options.root}/shares/incoming/${index}-${shareNumber}-${randomUUID()}`;
  }

  /** @param touched gains the folders whose names are to be made durable. */
  async #place(share: WholeShare, touched: Set<string>): Promise<WholeOutcome> {
    const { disk, root, shares, syncToDisk } = this.#options;
    const { index, shareNumber, parts, sizeBytes, lease } = share;
    if (await shares.has(index, shareNumber)) return 'held';
    const path = this.#incomingPath(share);
    const fd = await disk.open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o644);
    try {
      try {
        await disk.write(fd, [writeContainerHeader(2, sizeBytes, 1), ...parts, lease], 0);
        if (syncToDisk) await disk.sync(fd);
      } finally {
        await disk.close(fd);
      }
      const folder = shares.folderOf(index);
      const made = await makeFolders(disk, root, folder);
      share.check();
      await disk.rename(path, shares.pathOf(index, shareNumber));
      touched.add(folder);
      for (const each of made) touched.add(each.slice(0, each.lastIndexOf('/')));
      return 'stored';
    } catch (error) {
      await disk.unlink(path).catch(() => undefined); // wiped at the next start
      throw error;
    }
  }
}

function failureOf(check: () => void): unknown {
  try {
    check();
    return undefined;
  } catch (error) {
    return error;
  }
}
