/**
 * Appends of many peers that go to the log as one. A heartbeat is a few hundred bytes and has seconds of time, an append is a
 * transaction with a sync whatever stands in it: so one goes at once, those that come within a moment of it go together when the
 * moment is over, and each is acknowledged when the append that holds it is durable. docs/decisions/at-rest.md.
 */
import type { AppendRecord, EventLog } from '#log/port.ts';
import type { Clock } from '#mesh/clock.ts';

export interface GatheredAppendsOptions {
  readonly log: Pick<EventLog, 'append'>;
  readonly topic: string;
  readonly clock: Clock;
  /** Least time from one append to the next. */
  readonly gatherMs: number;
  /** As many do not wait: callers wait with their posts, of which only so many may be under way. */
  readonly mostRecords: number;
}

interface Gathering {
  readonly records: AppendRecord[];
  readonly appended: PromiseWithResolvers<void>;
  readonly callOff: () => void;
}

export class GatheredAppends {
  readonly #options: GatheredAppendsOptions;
  #gathering: Gathering | null = null;
  #nextAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: GatheredAppendsOptions) {
    this.#options = options;
  }

  /** Resolves when the records are durable. @throws what the append of all of them throws: each is then sent again by its peer. */
  append(records: readonly AppendRecord[]): Promise<void> {
    const { clock, mostRecords } = this.#options;
    const waitMs = this.#nextAtMs - clock.monotonicMs();
    this.#gathering ??= {
      records: [],
      appended: Promise.withResolvers(),
      callOff: waitMs > 0 ? clock.after(waitMs, () => this.#send()) : () => undefined,
    };
    const gathering = this.#gathering;
    gathering.records.push(...records);
    if (waitMs <= 0 || gathering.records.length >= mostRecords) this.#send();
    return gathering.appended.promise;
  }

  #send(): void {
    const gathering = this.#gathering;
    if (gathering === null) return;
    this.#gathering = null;
    gathering.callOff();
    const { log, topic, clock, gatherMs } = this.#options;
    this.#nextAtMs = clock.monotonicMs() + gatherMs;
    log.append(topic, gathering.records).then(() => gathering.appended.resolve(), gathering.appended.reject);
  }
}
