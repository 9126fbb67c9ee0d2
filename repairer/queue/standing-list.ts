/**
 * The standing list of the topic `at-risk`, as far as this repairer owns its partitions, kept in the queue. Each partition is
 * first read through from its beginning, aside, so that no file is taken by a record that a later one has overtaken; then
 * its records are applied as they come. What did not fit in the queue is read again when there is room.
 */
import type { EventLog, LogRecord } from '#log/port.ts';
import { type Clock, sleep } from '#mesh/clock.ts';
import { describeError, hasCode } from '#mesh/errors.ts';
import {
  afterEntry,
  afterOwner,
  generationOf,
  isOwnerRecord,
  type ListFence,
  noFence,
  type Standing,
  standingOf,
} from '#mesh/list-fence.ts';
import { isStorageIndex, type StorageIndex, storageIndexBytes, storageIndexFromBytes } from '#mesh/storage-index.ts';
import { type AtRiskEntry, parseAtRiskEntry } from './at-risk.ts';
import { type OfferedFile, type QueuedFile, RepairQueue } from './queue.ts';
import { classOf } from './risk.ts';

export interface StandingListOptions {
  readonly log: Pick<EventLog, 'read' | 'bounds'>;
  /** Name of the topic `at-risk`. */
  readonly topic: string;
  readonly queue: RepairQueue;
  readonly maxFiles: number;
  readonly clock: Clock;
  /** Least time between two readings of what did not fit. */
  readonly refillEveryMs: number;
  /** Something may have become takeable. */
  readonly onChange: () => void;
  /** The file no longer needs repair, so says the analyzer. */
  readonly onRemoved: (file: QueuedFile) => void;
  readonly onUnusable: (reason: string) => void;
  readonly onFailed: (what: string, error: unknown) => void;
}

interface Partition {
  readonly number: number;
  /** The first offset that was not applied. */
  position: number;
  owned: boolean;
  loaded: boolean;
  fence: ListFence;
  /** One thing at a time: reading through, or applying. */
  turn: Promise<void>;
}

const readBytes = 1024 * 1024;
const retryReadMs = 1000;
/** Records kept while a partition is read through, so that few are read again. */
const asideHeldBytes = 16 * 1024 * 1024;

export class StandingList {
  readonly #options: StandingListOptions;
  readonly #partitions = new Map<number, Partition>();
  #lastRefillMs = -Infinity;
  #refilling = false;

  constructor(options: StandingListOptions) {
    this.#options = options;
  }

  /** Name of the topic that it is kept in. */
  get topic(): string {
    return this.#options.topic;
  }

  get owned(): readonly number[] {
    return [...this.#partitions.keys()];
  }

  /** Whether every owned partition has been read through. */
  get isLoaded(): boolean {
    return [...this.#partitions.values()].every((partition) => partition.loaded);
  }

  /** Takes partitions over. Resolves at once with the offset from which their new records are wanted; reading through goes on. */
  async own(numbers: readonly number[]): Promise<ReadonlyMap<number, number>> {
    const bounds = await this.#options.log.bounds(this.#options.topic);
    const starts = new Map<number, number>();
    for (const number of numbers) {
      const position = bounds.find((each) => each.partition === number)?.nextOffset ?? 0;
      const partition: Partition = {
        number,
        position,
        owned: true,
        loaded: false,
        fence: noFence,
        turn: Promise.resolve(),
      };
      this.#partitions.set(number, partition);
      starts.set(number, position);
      void this.#inTurn(partition, () => this.#load(partition));
    }
    return starts;
  }

  disown(number: number): void {
    const partition = this.#partitions.get(number);
    if (partition === undefined) return;
    partition.owned = false;
    this.#partitions.delete(number);
    this.#options.queue.removePartition(number);
  }

  /** Resolves when the records are in the queue. */
  async apply(number: number, records: readonly LogRecord[]): Promise<void> {
    const partition = this.#partitions.get(number);
    if (partition === undefined) return;
    await this.#inTurn(partition, () => {
      if (!partition.owned) return Promise.resolve();
      const { queue, onRemoved } = this.#options;
      for (const record of records) {
        const before = partition.fence;
        this.#applyTo(partition, queue, record, () => false, onRemoved);
        if (partition.fence !== before) this.#refence(partition);
      }
      partition.position = (records.at(-1)?.offset ?? partition.position - 1) + 1;
      return Promise.resolve();
    });
    this.#options.onChange();
  }

  /** The newest entry of a file; undefined where a newer record has replaced it and is still to come. @throws what the log throws. */
  async entryOf(file: QueuedFile): Promise<AtRiskEntry | undefined> {
    let { value } = file;
    if (value === null) {
      const [record] = await this.#read(file.partition, file.offset, 1);
      value = record?.offset === file.offset ? record.value : null;
    }
    return value === null ? undefined : parseAtRiskEntry(value);
  }

  /** Whether the file may be repaired by what is known of it: not while a new owner of its partition has yet to confirm that. */
  isConfirmed(file: QueuedFile): boolean {
    return this.#standingOf(file) === 'counts';
  }

  /** Partitions whose new owner has not confirmed yet what it found. */
  get unconfirmed(): readonly number[] {
    return [...this.#partitions.values()].flatMap(({ number, fence }) => (fence.confirmed ? [] : [number]));
  }

  /** Reads partitions of which files were left out again, when half of the queue is empty. */
  async refill(): Promise<void> {
    const { queue, clock, maxFiles, refillEveryMs } = this.#options;
    const due = clock.monotonicMs() - this.#lastRefillMs >= refillEveryMs;
    if (this.#refilling || !due || queue.leftOutPartitions.size === 0 || queue.size > maxFiles / 2) return;
    this.#refilling = true;
    this.#lastRefillMs = clock.monotonicMs();
    try {
      const leftOut = Array.from(queue.leftOutPartitions);
      for (const number of leftOut) {
        const partition = this.#partitions.get(number);
        if (partition === undefined) queue.forgetLeftOut(number);
        else await this.#inTurn(partition, () => this.#readThrough(partition));
      }
    } finally {
      this.#refilling = false;
    }
  }

  /** Until it succeeds or the partition is taken away: without the list there is nothing to do here. */
  async #load(partition: Partition): Promise<void> {
    while (partition.owned) {
      try {
        await this.#readThrough(partition);
        return;
      } catch (error) {
        this.#options.onFailed(`partition ${partition.number} of ${this.#options.topic} cannot be read`, error);
        await sleep(this.#options.clock, retryReadMs);
      }
    }
  }

  async #readThrough(partition: Partition): Promise<void> {
    const { queue } = this.#options;
    const aside = await this.#newestOf(partition);
    if (!partition.owned) return;
    this.#refence(partition);
    queue.forgetLeftOut(partition.number);
    for (const file of aside.files())
      if (!this.#isFenced(file) && queue.find(file.storageIndex)?.offset !== file.offset) queue.offer(file);
    if (aside.leftOutPartitions.size > 0) queue.rememberLeftOut(partition.number);
    partition.loaded = true;
    this.#options.onChange();
  }

  /**
   * The newest record of each file up to the position, the most urgent ones of them where there are too many. A file that
   * has left the list again may have pushed out one that is on it: then the log is read once more, past those that left.
   */
  async #newestOf(partition: Partition): Promise<RepairQueue> {
    const { maxFiles } = this.#options;
    const endedAt = new Map<StorageIndex, number>();
    for (;;) {
      const aside = new RepairQueue({ maxFiles, maxHeldBytes: asideHeldBytes });
      const knownEnds = endedAt.size;
      await this.#readInto(aside, endedAt, partition);
      const isShort = aside.size < maxFiles && aside.leftOutPartitions.size > 0;
      if (!isShort || endedAt.size === knownEnds || !partition.owned) return aside;
    }
  }

  async #readInto(aside: RepairQueue, endedAt: Map<StorageIndex, number>, partition: Partition): Promise<void> {
    const { topic, log, maxFiles } = this.#options;
    const bounds = await log.bounds(topic);
    let at = bounds.find((each) => each.partition === partition.number)?.firstOffset ?? 0;
    while (partition.owned && at < partition.position) {
      const records = await this.#read(partition.number, at, readBytes);
      for (const record of records) {
        if (record.offset >= partition.position) break;
        this.#applyTo(
          partition,
          aside,
          record,
          (storageIndex) => record.offset < (endedAt.get(storageIndex) ?? 0),
          (removed) => {
            if (endedAt.size < maxFiles) endedAt.set(removed.storageIndex, record.offset);
          },
        );
      }
      const last = records.at(-1);
      if (last === undefined) return;
      at = last.offset + 1;
    }
  }

  #applyTo(
    partition: Partition,
    queue: RepairQueue,
    record: LogRecord,
    isPast: (storageIndex: StorageIndex) => boolean,
    onRemoved: (file: QueuedFile) => void,
  ): void {
    try {
      if (isOwnerRecord(record)) {
        partition.fence = afterOwner(partition.fence, record);
        return;
      }
      const storageIndex = storageIndexOfKey(record.key);
      partition.fence = afterEntry(partition.fence, record);
      if (isPast(storageIndex)) return;
      if (record.value !== null) {
        const offer = offerOf(record, record.value);
        if (standingOf(partition.fence, offer.generation, record.offset) === 'fenced') return;
        queue.offer(offer);
        const known = queue.find(storageIndex);
        if (known !== undefined && isHeld(known) && this.#standingOf(known) === 'counts') queue.release(known);
        return;
      }
      if (standingOf(partition.fence, generationOf(record) ?? 0, record.offset) === 'fenced') return;
      const removed = queue.remove(storageIndex);
      if (removed !== undefined) onRemoved(removed);
    } catch (error) {
      this.#options.onUnusable(
        `the at-risk record ${record.partition}/${record.offset} is not usable: ${describeError(error)}`,
      );
    }
  }

  /** Another owner, or its confirmation: what is fenced goes, and what was held waits no longer where it counts. */
  #refence(partition: Partition): void {
    const { queue } = this.#options;
    for (const file of queue.files()) {
      if (file.partition !== partition.number) continue;
      if (this.#isFenced(file)) queue.remove(file.storageIndex);
      else if (isHeld(file) && this.isConfirmed(file)) queue.release(file);
    }
  }

  #isFenced(file: Pick<QueuedFile, 'partition' | 'generation' | 'offset'>): boolean {
    return this.#standingOf(file) === 'fenced';
  }

  #standingOf({ partition, generation, offset }: Pick<QueuedFile, 'partition' | 'generation' | 'offset'>): Standing {
    return standingOf(this.#partitions.get(partition)?.fence ?? noFence, generation, offset);
  }

  async #read(partition: number, offset: number, maxBytes: number): Promise<readonly LogRecord[]> {
    const { log, topic } = this.#options;
    try {
      return await log.read(topic, partition, offset, maxBytes);
    } catch (error) {
      if (!hasCode(error, 'log-truncated')) throw error;
      const first = (await log.bounds(topic)).find((each) => each.partition === partition)?.firstOffset ?? offset;
      return first > offset ? log.read(topic, partition, first, maxBytes) : [];
    }
  }

  async #inTurn(partition: Partition, run: () => Promise<void>): Promise<void> {
    const turn = partition.turn.then(run);
    partition.turn = turn.catch(() => undefined);
    await turn;
  }
}

function offerOf(record: LogRecord, value: Uint8Array): OfferedFile {
  const entry = parseAtRiskEntry(value);
  return {
    storageIndex: entry.manifest.storageIndex,
    repairClass: classOf({ grade: entry.grade, retained: entry.retained, k: entry.manifest.k }),
    risk: entry.risk,
    sinceMs: entry.sinceMs,
    partition: record.partition,
    offset: record.offset,
    generation: generationOf(record) ?? entry.ownerGeneration,
    value,
    headers: record.headers,
  };
}

/** Put to rest until the partition's owner confirms what is known of it. */
function isHeld({ state, restUntilMs }: QueuedFile): boolean {
  return state === 'resting' && restUntilMs === Number.POSITIVE_INFINITY;
}

/** Keys are the 16 bytes of a storage index, or its text. */
function storageIndexOfKey(key: Uint8Array | null): StorageIndex {
  if (key?.length === storageIndexBytes) return storageIndexFromBytes(key);
  const text = Buffer.from(key ?? []).toString('utf8');
  if (!isStorageIndex(text)) throw new RangeError('its key is no storage index');
  return text;
}
