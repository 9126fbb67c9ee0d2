/** Hands the records of one partition over, batch after batch, until stopped. */
import type { Clock } from '#mesh/clock.ts';
import type { LogRecord, UnreadableBatch } from '../port.ts';

export interface PartitionRead {
  readonly records: readonly LogRecord[];
  /** Where the next read goes on: compaction leaves gaps, so this may lie beyond the last record. */
  readonly position: number;
  /** The first offset still kept, where it is known to lie beyond the position that was read from; else anything below. */
  readonly firstOffset: number;
  /** What stands after the records, before the position, and cannot be read. */
  readonly unreadable?: UnreadableBatch;
}

/** One partition, read from a position on. */
export interface PartitionFeed {
  /**
   * Waits until there may be something, and reads on; null once the signal is aborted. Failures that pass by themselves
   * are its own affair. @throws MeshwardError `log-truncated` where the position lies beyond the end, or what lasts.
   */
  next(signal: AbortSignal): Promise<PartitionRead | null>;
  close(): void;
}

export interface PartitionSource {
  readonly open: (topic: string, partition: number, fromOffset: number) => PartitionFeed;
  readonly clock: Clock;
}

export interface PartitionSink {
  records(records: readonly LogRecord[]): Promise<void>;
  /** Retention took the records from `fromOffset` to before `firstOffset`; reading goes on there unless this rejects. */
  truncated(fromOffset: number, firstOffset: number): Promise<void>;
  /** These cannot be read; reading goes on behind them unless this rejects. */
  unreadable(batch: UnreadableBatch): Promise<void>;
  /** Everything before `position` has been handed over. */
  reached?(position: number): void;
  /** Awaited before records that were read are handed over; false drops them and stops. */
  mayHandOver?(): Promise<boolean>;
}

export class PartitionReader {
  readonly topic: string;
  readonly partition: number;
  /** Resolves when stopped; rejects with what a sink or the store failed with. */
  readonly ended: Promise<void>;
  readonly #sink: PartitionSink;
  readonly #stopping = new AbortController();
  #position: number;

  constructor(source: PartitionSource, sink: PartitionSink, topic: string, partition: number, fromOffset: number) {
    this.#sink = sink;
    this.topic = topic;
    this.partition = partition;
    this.#position = fromOffset;
    this.ended = this.#run(source.open(topic, partition, fromOffset));
    // Whoever owns the reader looks at `ended`; a reader that fails in between must not end the process.
    this.ended.catch(() => undefined);
  }

  /** No call of the sink starts after this; the one under way ends by itself, and `ended` with it. */
  stop(): void {
    this.#stopping.abort(new Error('stopped'));
  }

  get isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #run(feed: PartitionFeed): Promise<void> {
    try {
      while (!this.isStopped) {
        this.#sink.reached?.(this.#position);
        const read = await feed.next(this.#stopping.signal);
        if (read === null || this.isStopped) return;
        if (read.firstOffset > this.#position) {
          await this.#sink.truncated(this.#position, read.firstOffset);
          if (this.isStopped) return;
        }
        if (read.records.length > 0 || read.unreadable !== undefined) {
          if (this.#sink.mayHandOver !== undefined && !(await this.#sink.mayHandOver())) return;
          if (this.isStopped) return;
          if (read.records.length > 0) await this.#sink.records(read.records);
          if (read.unreadable !== undefined) await this.#sink.unreadable(read.unreadable);
        }
        this.#position = read.position;
      }
    } finally {
      feed.close();
    }
  }
}
