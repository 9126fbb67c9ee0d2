/**
 * A log that is being opened: a full disk, or brokers that are away, stop no service from starting and saying so. Whatever is read of it
 * waits until it is open; what is appended is refused with what is wrong.
 */
import { type Backoff, backoffMs } from '#mesh/backoff.ts';
import { type Clock, sleep } from '#mesh/clock.ts';
import { describeError, isRetryable, MeshwardError } from '#mesh/errors.ts';
import type {
  AppendRecord,
  EventLog,
  FollowFrom,
  Following,
  FollowOptions,
  GroupConsumer,
  LogRecord,
  Membership,
  PartitionBounds,
  Position,
  RecordsHandler,
} from './port.ts';

export interface OpeningLogOptions<L extends EventLog> {
  /** @throws MeshwardError that may pass by itself (retryable), or one that does not. */
  readonly open: () => Promise<L>;
  readonly clock: Clock;
  /** Aborted when the log is not wanted any more. */
  readonly signal: AbortSignal;
  /** Told of each failure that may pass by itself. */
  readonly onAway: (error: unknown) => void;
  /** Told once it is open, where it was away before. */
  readonly onOpened?: () => void;
}

const pauses: Backoff = { firstMs: 500, longestMs: 10_000 };

export class OpeningLog<L extends EventLog> implements EventLog {
  readonly #options: OpeningLogOptions<L>;
  readonly #closing = new AbortController();
  readonly #opening: Promise<L>;
  /** Once it is open. */
  opened: L | null = null;
  /** Why it cannot be opened now; null once it is open. */
  trouble: Error | null = null;
  /** Resolves when a try has failed and it must be waited for. */
  readonly away: Promise<void>;
  readonly #isAway = Promise.withResolvers<void>();

  constructor(options: OpeningLogOptions<L>) {
    this.#options = options;
    this.away = this.#isAway.promise;
    this.#opening = this.#open();
    // Whoever asks is told.
    this.#opening.catch(() => undefined);
  }

  async #open(): Promise<L> {
    this.opened = await this.#untilItWorks(this.#options.open);
    return this.opened;
  }

  async #untilItWorks<T>(run: () => Promise<T>): Promise<T> {
    const { clock, onAway, onOpened } = this.#options;
    const signal = AbortSignal.any([this.#options.signal, this.#closing.signal]);
    for (let failures = 0; ; failures++) {
      try {
        const result = await run();
        this.trouble = null;
        if (failures > 0) onOpened?.();
        return result;
      } catch (error) {
        this.trouble = error instanceof Error ? error : new Error(describeError(error));
        if (!isRetryable(error)) throw error;
        onAway(error);
        this.#isAway.resolve();
        await sleep(clock, backoffMs(pauses, failures), signal);
      }
    }
  }

  /** Does not wait: what cannot be kept now is not kept here either, so that no queue of it grows. */
  async append(topic: string, records: readonly AppendRecord[]): Promise<readonly Position[]> {
    if (this.trouble !== null) throw this.trouble;
    return (await this.#opening).append(topic, records);
  }

  /** Members are written down: a disk that is full can be read, and not joined. */
  async join(group: string, topics: readonly string[], consumer: GroupConsumer): Promise<Membership> {
    const log = await this.#opening;
    return this.#untilItWorks(() => log.join(group, topics, consumer));
  }

  async follow(
    topics: readonly string[],
    from: FollowFrom,
    onRecords: RecordsHandler,
    options?: FollowOptions,
  ): Promise<Following> {
    return (await this.#opening).follow(topics, from, onRecords, options);
  }

  async read(topic: string, partition: number, fromOffset: number, maxBytes: number): Promise<readonly LogRecord[]> {
    return (await this.#opening).read(topic, partition, fromOffset, maxBytes);
  }

  async bounds(topic: string): Promise<readonly PartitionBounds[]> {
    return (await this.#opening).bounds(topic);
  }

  async committed(group: string, topic: string): Promise<readonly (number | null)[]> {
    return (await this.#opening).committed(group, topic);
  }

  async partitionCount(topic: string): Promise<number> {
    return (await this.#opening).partitionCount(topic);
  }

  async close(): Promise<void> {
    this.#closing.abort(
      new MeshwardError('log-closed', 'the log was closed before it could be opened', { next: 'Open it again.' }),
    );
    await (await this.#opening.catch(() => null))?.close();
  }
}
