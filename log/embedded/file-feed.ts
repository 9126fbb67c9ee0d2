/** One partition as its file gives it: waits until the file reaches further, then reads. */
import { type Clock, sleep } from '#mesh/clock.ts';
import { isRetryable } from '#mesh/errors.ts';
import { beyondEndError } from '../shared/errors.ts';
import type { PartitionFeed, PartitionRead } from '../shared/partition-reader.ts';
import { toLogRecords } from './packing.ts';
import type { PartitionRead as FileRead } from './topic-file.ts';
import type { WakeUps } from './wake-ups.ts';

export interface FileFeedTools {
  readonly read: (topic: string, partition: number, fromOffset: number) => Promise<FileRead>;
  readonly wakeUps: WakeUps;
  readonly clock: Clock;
}

/** Between tries while the files cannot be read. */
const retryDelayMs = 250;

export class FileFeed implements PartitionFeed {
  readonly #tools: FileFeedTools;
  readonly #topic: string;
  readonly #partition: number;
  #position: number;

  constructor(tools: FileFeedTools, topic: string, partition: number, fromOffset: number) {
    this.#tools = tools;
    this.#topic = topic;
    this.#partition = partition;
    this.#position = fromOffset;
  }

  async next(signal: AbortSignal): Promise<PartitionRead | null> {
    await this.#tools.wakeUps.beyond(this.#topic, this.#partition, this.#position, signal);
    while (!signal.aborted) {
      try {
        const read = await this.#tools.read(this.#topic, this.#partition, this.#position);
        if (read.nextOffset < this.#position)
          throw beyondEndError(this.#topic, this.#partition, this.#position, read.nextOffset);
        this.#position = read.position;
        return {
          records: toLogRecords(this.#topic, read.packed),
          position: read.position,
          firstOffset: read.firstOffset,
        };
      } catch (error) {
        if (!isRetryable(error)) throw error;
        await sleep(this.#tools.clock, retryDelayMs, signal).catch(() => undefined);
      }
    }
    return null;
  }

  close(): void {
    // Nothing is held between reads.
  }
}
