/** Long work in short turns: the event loop comes round every few milliseconds, for heartbeats, answers and other partitions. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '#mesh/clock.ts';

const longestTurnMs = 3;

export class Turns {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #startedMs: number;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
    this.#startedMs = clock.monotonicMs();
  }

  /** Whether the turn has lasted for long enough. */
  get over(): boolean {
    return this.#clock.monotonicMs() - this.#startedMs >= longestTurnMs;
  }

  /** Lets the event loop come round. */
  async next(): Promise<void> {
    await nextTurn();
    this.#startedMs = this.#clock.monotonicMs();
  }

  /** Does so where the turn is over. */
  async pause(): Promise<void> {
    if (this.over) await this.next();
  }
}
