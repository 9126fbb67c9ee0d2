/**
 * How long a run waits for agreement: a machine that is busy with other things takes many times as long as a quiet one, so the run
 * measures what it gets and waits in proportion. Waiting is over when nothing has changed for so long; as long as the differences
 * change, somebody is at work on them.
 */

/** For what takes the same time on every machine, such as sessions that time out. */
const leastMs = 20_000;
/** Of the slowest agreement that there was. */
const timesSlowest = 4;
/** Nothing was measured before the first agreement, and services start in it: a standstill of so long is none on the busiest machine. */
const firstMs = 600_000;
/** Differences that change for ever are no progress either. */
const standstillsInAll = 8;

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

  /** How long nothing may change. */
  get standstillMs(): number {
    return this.#slowestMs === null ? firstMs : leastMs + timesSlowest * this.#slowestMs;
  }

  begin(): Wait {
    const startedMs = this.#monotonicMs();
    const { standstillMs } = this;
    let changedMs = startedMs;
    let last = '';
    return {
      isOver: (differences) => {
        const nowMs = this.#monotonicMs();
        const text = differences.join('\n');
        if (text !== last) changedMs = nowMs;
        last = text;
        return nowMs - changedMs > standstillMs || nowMs - startedMs > standstillsInAll * standstillMs;
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
  /** Whether waiting for these differences to go has no more sense. */
  isOver(differences: readonly string[]): boolean;
  /** @returns how long it took. */
  agreed(): number;
}
