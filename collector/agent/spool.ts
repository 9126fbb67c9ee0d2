/**
 * The durable queue between the agent and the collector: segment files, appended to at one end and deleted at the other.
 *
 * - `append` resolves after the write: what it took survives the death of the process. It is synced to the disk at most
 *   `syncIntervalMs` later; a power loss may take that much, and the inventory at the next start makes it good.
 * - It never holds more than `maxBytes`. When full, a whole inventory that waits in it makes everything before that
 *   inventory superfluous, so that goes first; if that does not help, everything goes and a new inventory is owed. The
 *   collector's picture is then old, never wrong: nobody learns half of an inventory.
 * - A part of an inventory is only handed out directly after the part before it: where one is missing, through damage or a
 *   refusal, the rest of that inventory (above all its end, which declares the unnamed lost) is passed over.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '#mesh/clock.ts';
import { systemCodeOf } from '#mesh/durable-file.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import { SegmentFiles, type SegmentPlace } from './segment-files.ts';
import { SpoolCursor, type SpoolPosition } from './spool-cursor.ts';
import { encodeRecord, type SpoolRecord } from './spool-record.ts';
import { pruneSetAside, recoverSegments, setAsidePath } from './spool-segments.ts';
import { WaitingBatches, type WaitingInventory } from './waiting-batches.ts';

export interface SpoolOptions {
  readonly directory: string;
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** @default 1 MiB, or an eighth of `maxBytes` where that is less */
  readonly segmentBytes?: number;
  /** @default 1000 */
  readonly syncIntervalMs?: number;
  /**
   * Batches were dropped: manifests among them must be sent again, and where `needsInventory`, only a new inventory makes
   * good what they said.
   */
  readonly onDropped: (reason: string, needsInventory: boolean) => void;
}

export interface SpoolStats {
  readonly batches: number;
  readonly bytes: number;
  readonly droppedBatches: number;
  readonly droppedInventories: number;
  readonly setAsideBatches: number;
  readonly damagedFiles: number;
}

/** A record as handed out, with its place. */
export interface SpooledRecord extends SpoolRecord {
  readonly place: SpoolPlace;
}

interface SpoolPlace extends SegmentPlace {
  readonly nextOffset: number;
}

export class Spool {
  readonly #options: SpoolOptions;
  readonly #files: SegmentFiles;
  readonly #waiting: WaitingBatches;
  #cursor: SpoolCursor;
  #position: SpoolPosition;
  #peeked: SpooledRecord | null = null;
  #droppedBatches = 0;
  #droppedInventories = 0;
  #setAside = 0;
  #damagedFiles = 0;
  #queue: Promise<unknown> = Promise.resolve();
  #callOffSync: (() => void) | null = null;
  #listeners: (() => void)[] = [];
  #isClosed = false;

  private constructor(
    options: SpoolOptions,
    cursor: SpoolCursor,
    position: SpoolPosition,
    files: SegmentFiles,
    waiting: WaitingBatches,
  ) {
    this.#options = options;
    this.#cursor = cursor;
    this.#position = position;
    this.#files = files;
    this.#waiting = waiting;
  }

  static async open(options: SpoolOptions): Promise<Spool> {
    const { directory, maxBytes, log, onDropped } = options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const { cursor, position } = await SpoolCursor.open(join(directory, 'cursor'));
    const start = position ?? { segment: 0, offset: 0, generation: 0, part: 0 };
    const waiting = new WaitingBatches();
    const { segments, damaged, tornBytes } = await recoverSegments(directory, ({ record, segment, offset }) => {
      const isWaiting = segment > start.segment || (segment === start.segment && offset >= start.offset);
      if (isWaiting) waiting.add(record, { segment, offset });
    });
    const segmentBytes = options.segmentBytes ?? Math.min(1024 * 1024, Math.floor(maxBytes / 8));
    const nextId = Math.max(start.segment, segments.at(-1)?.id ?? 0) + 1;
    const files = new SegmentFiles(directory, segmentBytes, segments, nextId);
    const spool = new Spool(options, cursor, start, files, waiting);
    spool.#damagedFiles = damaged;
    await files.deleteBefore(start);
    if (tornBytes > 0) log.info({ tornBytes }, 'the spool ended in a record that was not whole; it is cut off');
    if (damaged > 0) {
      log.error({ files: damaged }, 'files of the spool were damaged; they are kept in set-aside/');
      onDropped('files of the spool were damaged', true);
    }
    return spool;
  }

  get stats(): SpoolStats {
    return {
      batches: this.#waiting.count,
      bytes: this.#files.bytesAfter(this.#position),
      droppedBatches: this.#droppedBatches,
      droppedInventories: this.#droppedInventories,
      setAsideBatches: this.#setAside,
      damagedFiles: this.#damagedFiles,
    };
  }

  get isEmpty(): boolean {
    return this.#waiting.count === 0;
  }

  /**
   * @returns `stored`; `dropped` where the spool overflowed and the batch, like all before it, waits for the next inventory;
   * `full` for a further part of an inventory, which may be tried again once {@link changed} resolves.
   */
  append(record: SpoolRecord): Promise<'stored' | 'dropped' | 'full'> {
    return this.#exclusively(async () => {
      const bytes = encodeRecord(record);
      if (!this.#hasRoom(bytes.length)) {
        if (record.generation > 0 && record.part > 0) return 'full';
        const isInventory = record.generation > 0;
        // Everything before a new inventory is superfluous once that is whole; before that, nobody applies it as whole.
        const keepFrom = isInventory ? null : this.#waiting.newestWholeInventory;
        await this.#dropBefore(keepFrom);
        if (!this.#hasRoom(bytes.length) && keepFrom !== null) await this.#dropBefore(null);
        this.#options.onDropped('the spool was full', !isInventory);
        if (!isInventory && this.isEmpty) {
          this.#droppedBatches++;
          return 'dropped';
        }
      }
      return this.#write(record, bytes);
    });
  }

  /** The oldest batch that was not sent, or null; the same one until it is passed or dropped. */
  peek(): Promise<SpooledRecord | null> {
    return this.#exclusively(async () => {
      while (this.#peeked === null) {
        const next = await this.#readNext();
        if (next === null) return null;
        if (this.#follows(next)) {
          this.#peeked = next;
        } else {
          this.#droppedBatches++;
          await this.#pass(next, { generation: 0, part: 0 });
          this.#options.onDropped('a part of an inventory was missing', true);
        }
      }
      return this.#peeked;
    });
  }

  /** The collector has it. A record that was dropped meanwhile is nothing to pass. */
  sent(record: SpooledRecord): Promise<void> {
    return this.#exclusively(async () => {
      if (this.#peeked !== record) return;
      await this.#pass(record, { generation: record.generation, part: record.part });
    });
  }

  /** The collector will never take it: it is kept aside, and an inventory is owed for what it said. */
  refused(record: SpooledRecord, reason: string): Promise<void> {
    return this.#exclusively(async () => {
      if (this.#peeked !== record) return;
      const { directory } = this.#options;
      const path = setAsidePath(
        directory,
        `refused-${record.incarnation}-${String(record.sequence).padStart(12, '0')}.batch`,
      );
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await writeFile(path, record.payload, { mode: 0o600 });
      await pruneSetAside(directory);
      this.#setAside++;
      await this.#pass(record, { generation: 0, part: 0 });
      this.#options.onDropped(`the collector refused a batch (${reason})`, true);
    });
  }

  /** Resolves after the next record was passed or dropped, or the spool was closed. */
  changed(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => this.#listeners.push(resolve));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#callOffSync?.();
    this.#callOffSync = null;
    await this.#exclusively(async () => {
      await this.#files.close();
      await this.#cursor.close();
    }, true);
    this.#wake();
  }

  #hasRoom(bytes: number): boolean {
    return this.#files.bytesAfter(this.#position) + this.#files.bytesToAppend(bytes) <= this.#options.maxBytes;
  }

  async #write(record: SpoolRecord, bytes: Buffer): Promise<'stored' | 'dropped' | 'full'> {
    try {
      this.#waiting.add(record, await this.#files.append(bytes));
    } catch (error) {
      const code = systemCodeOf(error);
      if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
      this.#options.log.error({ code }, "the disk of the agent's spool is full");
      if (record.generation > 0 && record.part > 0) return 'full';
      await this.#dropBefore(null);
      this.#droppedBatches++;
      this.#options.onDropped('the disk was full', true);
      return 'dropped';
    }
    this.#syncSoon();
    return 'stored';
  }

  /** Passes over everything before an inventory, or over everything there is. */
  async #dropBefore(inventory: WaitingInventory | null): Promise<void> {
    const { batches, inventories } = this.#waiting.passBefore(inventory);
    this.#peeked = null;
    if (batches === 0) return;
    this.#droppedBatches += batches;
    this.#droppedInventories += inventories;
    this.#options.log.warn({ batches, inventories }, 'the spool is full: old batches were dropped');
    const { segment, offset } = inventory ?? this.#files.end;
    await this.#moveTo({ segment, offset, generation: 0, part: 0 });
  }

  #follows(record: SpoolRecord): boolean {
    if (record.generation === 0 || record.part === 0) return true;
    return record.generation === this.#position.generation && record.part === this.#position.part + 1;
  }

  async #pass({ place }: SpooledRecord, last: { generation: number; part: number }): Promise<void> {
    this.#peeked = null;
    this.#waiting.passOne();
    await this.#moveTo({ segment: place.segment, offset: place.nextOffset, ...last });
  }

  async #moveTo(position: SpoolPosition): Promise<void> {
    this.#position = position;
    await this.#cursor.save(position);
    await this.#files.deleteBefore(position);
    this.#wake();
  }

  async #readNext(): Promise<SpooledRecord | null> {
    const place = this.#files.firstAt(this.#position);
    if (place === null) return null;
    const decoded = await this.#files.read(place);
    if (decoded.state === 'good') {
      return { ...decoded.record, place: { ...place, nextOffset: place.offset + decoded.nextOffset } };
    }
    // It was whole when it was written or recovered: the disk lost it since. The rest of the file cannot be told apart.
    this.#damagedFiles++;
    this.#options.log.error(
      { ...place },
      'a file of the spool cannot be read any more; everything in the spool is dropped',
    );
    await this.#dropBefore(null);
    this.#options.onDropped('a file of the spool was damaged', true);
    return null;
  }

  #syncSoon(): void {
    this.#callOffSync ??= this.#options.clock.after(this.#options.syncIntervalMs ?? 1000, () => {
      this.#callOffSync = null;
      // A batch that was sent by now need not reach this disk any more.
      if (this.isEmpty || this.#isClosed) return;
      this.#exclusively(async () => this.#files.sync()).catch((error: unknown) => {
        this.#options.log.error({ error: String(error) }, 'the spool cannot be synced to its disk');
      });
    });
  }

  #wake(): void {
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const resolve of listeners) resolve();
  }

  #exclusively<T>(run: () => Promise<T>, evenClosed = false): Promise<T> {
    const result = this.#queue.then(() => {
      if (this.#isClosed && !evenClosed) {
        throw new MeshwardError('cancelled', 'the spool is closed', { next: 'The agent is stopping; nothing to do.' });
      }
      return run();
    });
    this.#queue = result.catch(() => undefined);
    return result;
  }
}
