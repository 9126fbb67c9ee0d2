/** Hands the records of one partition over, batch after batch, until stopped. */
import { type Clock, sleep } from '#mesh/clock.ts';
import { isRetryable, MeshwardError } from '#mesh/errors.ts';
import type { LogRecord } from '../port.ts';
import { toLogRecords } from './packing.ts';
import type { PartitionRead } from './topic-file.ts';
import type { WakeUps } from './wake-ups.ts';

export interface PartitionSource {
  readonly read: (topic: string, partition: number, fromOffset: number) => Promise<PartitionRead>;
  readonly wakeUps: WakeUps;
  readonly clock: Clock;
}

export interface PartitionSink {
  records(records: readonly LogRecord[]): Promise<void>;
  /** Retention took the records from `fromOffset` to before `firstOffset`; reading goes on there unless this rejects. */
  truncated(fromOffset: number, firstOffset: number): Promise<void>;
  /** Everything before `position` has been handed over. */
  reached?(position: number): void;
  /** Awaited before records that were read are handed over; false drops them and stops. */
  mayHandOver?(): Promise<boolean>;
}

/** Between tries while the files cannot be read. */
const retryDelayMs = 250;

export class PartitionReader {
  readonly topic: string;
  readonly partition: number;
  /** Resolves when stopped; rejects with what a sink or the store failed with. */
  readonly ended: Promise<void>;
  readonly #source: PartitionSource;
  readonly #sink: PartitionSink;
  readonly #stopping = new AbortController();
  #position: number;

  constructor(source: PartitionSource, sink: PartitionSink, topic: string, partition: number, fromOffset: number) {
    this.#source = source;
    this.#sink = sink;
    this.topic = topic;
    this.partition = partition;
    this.#position = fromOffset;
    this.ended = this.#run();
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

  async #run(): Promise<void> {
    while (!this.isStopped) {
      this.#sink.reached?.(this.#position);
      await this.#source.wakeUps.beyond(this.topic, this.partition, this.#position, this.#stopping.signal);
      if (this.isStopped) return;
      const read = await this.#read();
      if (read === null || this.isStopped) return;
      if (read.nextOffset < this.#position)
        throw beyondEndError(this.topic, this.partition, this.#position, read.nextOffset);
      if (read.firstOffset > this.#position) {
        await this.#sink.truncated(this.#position, read.firstOffset);
        if (this.isStopped) return;
      }
      if (read.packed.shapes.length > 0) {
        if (this.#sink.mayHandOver !== undefined && !(await this.#sink.mayHandOver())) return;
        if (this.isStopped) return;
        await this.#sink.records(toLogRecords(this.topic, read.packed));
      }
      this.#position = read.position;
    }
  }

  async #read(): Promise<PartitionRead | null> {
    for (;;) {
      try {
        return await this.#source.read(this.topic, this.partition, this.#position);
      } catch (error) {
        if (!isRetryable(error)) throw error;
        await sleep(this.#source.clock, retryDelayMs, this.#stopping.signal).catch(() => undefined);
        if (this.isStopped) return null;
      }
    }
  }
}

export function beyondEndError(topic: string, partition: number, offset: number, nextOffset: number): MeshwardError {
  return new MeshwardError(
    'log-truncated',
    `${topic}/${partition} ends at offset ${nextOffset}, before the offset ${offset} to start from`,
    {
      next: 'The topic was started anew or restored from an older copy: rebuild from its first record, or restore the newer copy.',
      details: { topic, partition, offset, nextOffset },
    },
  );
}

export function truncatedError(
  topic: string,
  partition: number,
  fromOffset: number,
  firstOffset: number,
): MeshwardError {
  return new MeshwardError(
    'log-truncated',
    `${topic}/${partition} begins at offset ${firstOffset}; retention took what was from ${fromOffset} on`,
    {
      next: 'Rebuild from a checkpoint at or after the first kept offset, and raise the retention above the longest stop of a consumer.',
      details: { topic, partition, fromOffset, firstOffset },
    },
  );
}
