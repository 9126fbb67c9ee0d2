/** How far behind a consumer group is on a topic. */
import type { Clock } from '#mesh/clock.ts';
import type { EventLog } from './port.ts';

export interface GroupLagOptions {
  readonly log: Pick<EventLog, 'bounds' | 'committed'>;
  readonly group: string;
  readonly topic: string;
  /** Partitions that this member has now: over all members each is looked at once. */
  readonly partitions: () => Iterable<number>;
  readonly clock: Pick<Clock, 'after'>;
  /** Time between two looks, for each of which the log is asked. @default 10 s */
  readonly everyMs?: number;
}

/** Looks now and then, and never at the log for whoever asks. While the log does not answer, the last look stands. */
export class GroupLag {
  readonly #options: GroupLagOptions;
  #unread: ReadonlyMap<number, number> = new Map();
  #callOff: () => void = () => undefined;
  #closed = false;

  constructor(options: GroupLagOptions) {
    this.#options = options;
    this.#later();
  }

  /** Records that the log holds and that are not dealt with, of the partitions that are this member's. */
  unreadRecords(): number {
    let sum = 0;
    for (const partition of this.#options.partitions()) sum += this.#unread.get(partition) ?? 0;
    return sum;
  }

  close(): void {
    this.#closed = true;
    this.#callOff();
  }

  #later(): void {
    const { clock, everyMs = 10_000 } = this.#options;
    this.#callOff = clock.after(everyMs, () => {
      this.#look()
        .catch(() => undefined)
        .finally(() => {
          if (!this.#closed) this.#later();
        });
    });
  }

  async #look(): Promise<void> {
    const { log, group, topic } = this.#options;
    // What was dealt with is asked first: the other way round, what comes in between would make it less than nothing.
    const committed = await log.committed(group, topic);
    const bounds = await log.bounds(topic);
    this.#unread = new Map(
      bounds.map(({ partition, firstOffset, nextOffset }) => {
        const from = Math.max(firstOffset, committed[partition] ?? firstOffset);
        return [partition, Math.max(0, nextOffset - from)];
      }),
    );
  }
}
