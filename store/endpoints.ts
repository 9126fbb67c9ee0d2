/**
 * Which endpoint is asked first: the first in the list that has not failed lately. One that failed rests, longer each time
 * until it answers again, and is then tried before those behind it: so the preferred one comes back by itself.
 */
import type { Clock } from '#mesh/clock.ts';

interface Health {
  failures: number;
  restsUntilMs: number;
}

const restMinMs = 1000;
const restMaxMs = 30_000;

export class EndpointOrder {
  readonly #clock: Clock;
  readonly #health: readonly Health[];
  #last = 0;
  #switches = 0;

  constructor(count: number, clock: Clock) {
    this.#clock = clock;
    this.#health = Array.from({ length: count }, () => ({ failures: 0, restsUntilMs: Number.NEGATIVE_INFINITY }));
  }

  /** Positions in the order in which to ask: rested ones as they stand, then the resting ones, whose rest ends first, first. */
  order(): readonly number[] {
    const nowMs = this.#clock.monotonicMs();
    const restOf = (index: number): number => Math.max(0, (this.#health[index] as Health).restsUntilMs - nowMs);
    return this.#health.map((_, index) => index).sort((a, b) => restOf(a) - restOf(b) || a - b);
  }

  answered(index: number): void {
    const health = this.#health[index] as Health;
    health.failures = 0;
    health.restsUntilMs = Number.NEGATIVE_INFINITY;
    if (index === this.#last) return;
    this.#last = index;
    this.#switches += 1;
  }

  failed(index: number): void {
    const health = this.#health[index] as Health;
    const restMs = Math.min(restMaxMs, restMinMs * 2 ** Math.min(health.failures, 10));
    health.failures += 1;
    health.restsUntilMs = this.#clock.monotonicMs() + restMs;
  }

  /** Position of the endpoint that answered last. */
  get last(): number {
    return this.#last;
  }

  /** How often another endpoint than the one before answered. */
  get switches(): number {
    return this.#switches;
  }
}
