/**
 * How long a run waits for agreement: a machine that is busy with other things takes many times as long as a quiet one, so the run
 * measures what it gets and waits in proportion. Waiting is over when for so long there were no fewer differences than before: as long as
 * they become fewer, somebody is at work on them.
 */

/** For what takes the same time on every machine, such as sessions that time out. */
const leastMs = 20_000;
/** Of the slowest agreement that there was. */
const timesSlowest = 4;
/** Nothing was measured before the first agreement, and services start in it: a standstill of so long is none on the busiest machine. */
const firstMs = 600_000;

export class Patience {
  readonly #monotonicMs: () => number;
  #slowestMs: number | null;

  /**
   * @param monotonicMs a clock that only grows.
   * @param slowestMs what is known of the machine already.
   */
  constructor(monotonicMs: () => number, slowestMs: number | null = null) {
    this.#monotonicMs = monotonicMs;
    this.#slowestMs = slowestMs;
  }

  /** Longest time that an agreement took. */
  get slowestMs(): number {
    return this.#slowestMs ?? 0;
  }

  /** How long nothing may become better. */
  get standstillMs(): number {
    return this.#slowestMs === null ? firstMs : leastMs + timesSlowest * this.#slowestMs;
  }

  begin(): Wait {
    const startedMs = this.#monotonicMs();
    const { standstillMs } = this;
    let betterMs = startedMs;
    let fewest = Number.POSITIVE_INFINITY;
    return {
      isOver: (differences) => {
        const nowMs = this.#monotonicMs();
        if (differences < fewest) [fewest, betterMs] = [differences, nowMs];
        return nowMs - betterMs > standstillMs;
      },
      agreed: () => {
        const tookMs = this.#monotonicMs() - startedMs;
        this.#slowestMs = Math.max(this.slowestMs, tookMs);
        return tookMs;
      },
    };
  }
}

export interface Wait {
  /** Whether it makes no more sense to wait for so many differences to go. */
  isOver(differences: number): boolean;
  /** @returns how long it took. */
  agreed(): number;
}
