/** One partition as its subscriber reads it: a piece is held ready while the one before is dealt with. */
import { isRetryable, type MeshwardError } from '#mesh/errors.ts';
import type { LogRecord, PartitionBounds, UnreadableBatch } from '../port.ts';
import { beyondEndError } from '../shared/errors.ts';
import type { PartitionFeed, PartitionRead } from '../shared/partition-reader.ts';
import { BatchFault, decodeBatch, type FoundBatch } from './record-batch.ts';
import type { FetchAnswer } from './requests.ts';
import { findCommitted } from './transactions.ts';

export interface FeedTools {
  /** What one call of `next` hands over, about. */
  readonly fetchBytes: number;
  readonly bounds: (topic: string, partition: number, reaching: number) => Promise<PartitionBounds>;
  /** The feed can take more, or has ended. */
  readonly changed: () => void;
  readonly handedOver: (records: number, bytes: number) => void;
  readonly passedOver: (batch: UnreadableBatch) => void;
}

interface Piece {
  readonly bytes: Buffer;
  readonly batches: FoundBatch[];
}

/** A batch that does not match its checksum is asked for this often before it is passed over: it may have been the way here. */
const damagedTries = 3;

export class KafkaFeed implements PartitionFeed {
  readonly topic: string;
  readonly partition: number;
  /** Over which connections it is asked for: a question names a partition once, so two feeds of one have two channels. */
  readonly channel: number;
  readonly #tools: FeedTools;
  #isClosed = false;
  /** The first offset that has not been handed over. */
  #position: number;
  /** The first offset that has not been fetched. */
  #fetchOffset: number;
  #piece: Piece | null = null;
  #isOutOfRange = false;
  #failure: MeshwardError | null = null;
  #damaged = 0;
  /** Grows where a single batch is larger than what was asked for. */
  #maxBytes: number;
  #wake: () => void = () => undefined;
  /** The node that is asked now. */
  askedNode: number | null = null;
  /** Not to be asked before. */
  notBeforeMs = Number.NEGATIVE_INFINITY;
  tries = 0;

  constructor(topic: string, partition: number, fromOffset: number, channel: number, tools: FeedTools) {
    this.topic = topic;
    this.partition = partition;
    this.channel = channel;
    this.#tools = tools;
    this.#position = fromOffset;
    this.#fetchOffset = fromOffset;
    this.#maxBytes = tools.fetchBytes;
  }

  get isHungry(): boolean {
    const isFull = this.#piece !== null || this.#isOutOfRange || this.#failure !== null;
    return !this.#isClosed && !isFull && this.askedNode === null;
  }

  get fetchOffset(): number {
    return this.#fetchOffset;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** A good answer to what was asked at `fetchOffset`. */
  take(answer: FetchAnswer): void {
    if (answer.batches.length === 0) return;
    const batches = findCommitted(answer.batches, answer.aborted).filter(
      ({ nextOffset }) => nextOffset > this.#fetchOffset,
    );
    const last = batches.at(-1);
    if (last === undefined) {
      this.#maxBytes = Math.min(2 ** 30, this.#maxBytes * 2);
      return;
    }
    this.#maxBytes = this.#tools.fetchBytes;
    // A copy: the answer holds other partitions too, and would stay in memory as long as any of them.
    this.#piece = { bytes: Buffer.from(answer.batches), batches };
    this.#fetchOffset = last.nextOffset;
    this.#wake();
  }

  outOfRange(): void {
    this.#isOutOfRange = true;
    this.#wake();
  }

  fail(failure: MeshwardError): void {
    this.#failure = failure;
    this.#wake();
  }

  close(): void {
    this.#isClosed = true;
    this.#piece = null;
    this.#wake();
    this.#tools.changed();
  }

  async next(signal: AbortSignal): Promise<PartitionRead | null> {
    while (!signal.aborted && !this.#isClosed) {
      if (this.#failure !== null) throw this.#failure;
      if (this.#piece !== null) {
        const read = await this.#decode(this.#piece);
        if (read !== null) return read;
      } else if (this.#isOutOfRange) {
        const read = await this.#findRange(signal);
        if (read !== null) return read;
      } else await this.#woken(signal);
    }
    return null;
  }

  async #decode(piece: Piece): Promise<PartitionRead | null> {
    const records: LogRecord[] = [];
    let bytes = 0;
    let position = this.#position;
    let unreadable: UnreadableBatch | undefined;
    while (piece.batches.length > 0 && bytes < this.#tools.fetchBytes) {
      const batch = piece.batches[0] as FoundBatch;
      try {
        const content = piece.bytes.subarray(batch.start, batch.end);
        const found =
          batch.isData === false ? [] : await decodeBatch(this.topic, this.partition, content, this.#position);
        for (const record of found) {
          records.push(record);
          bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0);
        }
      } catch (error) {
        if (!(error instanceof BatchFault)) throw error;
        // What stands before the damage is handed over first.
        if (records.length > 0) break;
        if (error.mayPass && ++this.#damaged < damagedTries) {
          this.#piece = null;
          this.#fetchOffset = this.#position;
          this.#tools.changed();
          return null;
        }
        unreadable = error.batch;
      }
      piece.batches.shift();
      position = batch.nextOffset;
      if (unreadable !== undefined) break;
    }
    this.#damaged = 0;
    if (piece.batches.length === 0) {
      this.#piece = null;
      this.#tools.changed();
    }
    this.#position = position;
    this.#tools.handedOver(records.length, bytes);
    if (unreadable === undefined) return { records, position, firstOffset: 0 };
    this.#tools.passedOver(unreadable);
    return { records, position, firstOffset: 0, unreadable };
  }

  /** The broker does not keep our position: retention took it, or the topic is another one. */
  async #findRange(signal: AbortSignal): Promise<PartitionRead | null> {
    let bounds: PartitionBounds;
    try {
      bounds = await this.#tools.bounds(this.topic, this.partition, this.#position);
    } catch (error) {
      // It took its time over this: no need to wait before the next try.
      if (isRetryable(error) || this.#isClosed || signal.aborted) return null;
      throw error;
    }
    const { firstOffset, nextOffset } = bounds;
    this.#isOutOfRange = false;
    if (this.#position > nextOffset) throw beyondEndError(this.topic, this.partition, this.#position, nextOffset);
    this.#tools.changed();
    if (this.#position >= firstOffset) return null;
    this.#position = firstOffset;
    this.#fetchOffset = firstOffset;
    this.#tools.changed();
    return { records: [], position: firstOffset, firstOffset };
  }

  async #woken(signal: AbortSignal): Promise<void> {
    const woken = Promise.withResolvers<void>();
    const wake = (): void => woken.resolve();
    this.#wake = wake;
    signal.addEventListener('abort', wake);
    await woken.promise;
    signal.removeEventListener('abort', wake);
    this.#wake = () => undefined;
  }
}
