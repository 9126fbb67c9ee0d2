/**
 * A table that is kept by following a compacted topic of one partition from its first record on. Where following ends it is begun
 * anew, and the last table stands until the new one has caught up. Changes are made by appending and reading back.
 */
import { type Clock, sleep } from '#mesh/clock.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import type { AppendRecord, EventLog, Following, LogRecord } from './port.ts';

/** A fold over the records of a topic. */
export interface FoldedTable {
  /** The first offset that has not been applied. */
  readonly nextOffset: number;
  apply(record: LogRecord): void;
  /** Everything below this offset that the log still holds has been applied; what is missing was compacted away. */
  caughtUpTo(nextOffset: number): void;
}

export interface FollowedTableOptions<T extends FoldedTable> {
  readonly log: Pick<EventLog, 'append' | 'follow' | 'bounds'>;
  readonly topic: string;
  readonly create: () => T;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called after records were applied, and when a new table takes the place of the last. */
  readonly onChange?: () => void;
}

/** How long a change may take to come back from the log. */
const readBackMs = 10_000;
const refollowMs = 1000;
const maxWaiters = 1000;

interface Waiter {
  readonly offset: number;
  readonly done: () => void;
}

export class FollowedTable<T extends FoldedTable> {
  readonly #options: FollowedTableOptions<T>;
  readonly #waiters = new Set<Waiter>();
  readonly #stopped = new AbortController();
  #table: T;
  #following: Following | null = null;
  #isCurrent = false;
  #supervision: Promise<void> = Promise.resolve();

  constructor(options: FollowedTableOptions<T>) {
    this.#options = options;
    this.#table = options.create();
  }

  get table(): T {
    return this.#table;
  }

  /** Whether the table follows the log at this moment. */
  get isCurrent(): boolean {
    return this.#isCurrent;
  }

  /** Resolves when everything that was in the topic is in the table. */
  async start(): Promise<void> {
    const following = await this.#follow();
    this.#supervision = this.#supervise(following);
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new MeshwardError('cancelled', 'the service is stopping', { next: 'Ask another one.' }));
    await this.#following?.close();
    await this.#supervision;
  }

  /** Resolves when everything that is in the topic now is in the table. @throws MeshwardError `log-unavailable`. */
  async catchUp(): Promise<void> {
    await this.#applied((await this.#endOffset()) - 1);
  }

  /** Appends, and resolves when the records are in the table. @throws MeshwardError `log-unavailable`: whether they are in the log is not known then. */
  async append(records: readonly Omit<AppendRecord, 'partition'>[]): Promise<void> {
    const { log, topic } = this.#options;
    const places = await log.append(
      topic,
      records.map((record) => ({ ...record, partition: 0 })),
    );
    await this.#applied(Math.max(...places.map(({ offset }) => offset)));
  }

  async #endOffset(): Promise<number> {
    const { log, topic } = this.#options;
    return (await log.bounds(topic))[0]?.nextOffset ?? 0;
  }

  async #follow(): Promise<Following> {
    const { log, topic, create, onChange } = this.#options;
    const table = create();
    let caughtUp = false;
    const endOffset = await this.#endOffset();
    const following = await log.follow([topic], 'first', (_topic, _partition, records) => {
      for (const record of records) table.apply(record);
      if (caughtUp) this.#changed();
      return Promise.resolve();
    });
    await Promise.race([following.caughtUp, following.ended.then(() => Promise.reject(this.#endedEarly()))]);
    caughtUp = true;
    table.caughtUpTo(endOffset);
    this.#table = table;
    this.#following = following;
    this.#isCurrent = true;
    this.#wake();
    onChange?.();
    return following;
  }

  async #supervise(first: Following): Promise<void> {
    const { clock, logger, topic } = this.#options;
    const { signal } = this.#stopped;
    let following: Following | null = first;
    while (!signal.aborted) {
      try {
        following ??= await this.#follow();
        await following.ended;
        if (!signal.aborted) throw this.#endedEarly();
      } catch (error) {
        this.#isCurrent = false;
        following = null;
        if (signal.aborted) return;
        logger.error(
          { error: describeError(error), topic },
          'a table of the log can no longer be followed; trying again',
        );
        await sleep(clock, refollowMs, signal).catch(() => undefined);
      }
    }
  }

  #applied(offset: number): Promise<void> {
    if (this.#table.nextOffset > offset) return Promise.resolve();
    if (this.#waiters.size >= maxWaiters) return Promise.reject(notReadBack());
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        offset,
        done: () => {
          callOff();
          this.#waiters.delete(waiter);
          resolve();
        },
      };
      const callOff = this.#options.clock.after(readBackMs, () => {
        this.#waiters.delete(waiter);
        reject(notReadBack());
      });
      this.#waiters.add(waiter);
    });
  }

  #changed(): void {
    this.#wake();
    this.#options.onChange?.();
  }

  #wake(): void {
    for (const waiter of this.#waiters) if (this.#table.nextOffset > waiter.offset) waiter.done();
  }

  #endedEarly(): MeshwardError {
    return new MeshwardError('log-unavailable', `the log ended the reading of ${this.#options.topic}`, {
      next: 'See whether the log is well.',
      retryable: true,
    });
  }
}

function notReadBack(): MeshwardError {
  return new MeshwardError('log-unavailable', 'a change was written but has not come back from the log yet', {
    next: 'Look at what stands there now, and try again.',
    retryable: true,
  });
}
