/**
 * Which of several equal endpoints to ask: the first in the list that is not resting. One that failed rests, longer each time
 * until it answers again, and is then tried before those behind it: so the preferred one comes back by itself.
 */
import { type Backoff, backoffMs, spreadBackoffMs } from './backoff.ts';
import type { Clock, Random } from './clock.ts';

interface Health {
  failures: number;
  restsUntilMs: number;
}

export class EndpointOrder {
  readonly #clock: Clock;
  readonly #rests: Backoff;
  readonly #random: Random | undefined;
  readonly #health: readonly Health[];
  #last = 0;
  #switches = 0;

  /** @param random where many callers share the endpoints: half of each rest is random, so that they do not come back together. */
  constructor(count: number, clock: Clock, rests: Backoff, random?: Random) {
    this.#clock = clock;
    this.#rests = rests;
    this.#random = random;
    this.#health = Array.from({ length: count }, () => ({ failures: 0, restsUntilMs: Number.NEGATIVE_INFINITY }));
  }

  /** All, in the order in which to ask: rested ones as they stand, then the resting ones, whose rest ends first, first. */
  order(): readonly number[] {
    const restsMs = this.#restsMs();
    const restOf = (index: number): number => restsMs[index] as number;
    return restsMs.map((_, index) => index).sort((a, b) => restOf(a) - restOf(b) || a - b);
  }

  /**
   * Those that do not rest, in order, for callers that spare the others. Where all rest, only the one that will be up first,
   * since a caller must not wait for time to pass before it may try at all.
   */
  rested(): readonly number[] {
    const restsMs = this.#restsMs();
    const order = this.order();
    const rested = order.filter((index) => restsMs[index] === 0);
    return rested.length > 0 ? rested : order.slice(0, 1);
  }

  answered(index: number): void {
    const health = this.#healthOf(index);
    health.failures = 0;
    health.restsUntilMs = Number.NEGATIVE_INFINITY;
    if (index === this.#last) return;
    this.#last = index;
    this.#switches += 1;
  }

  /** @param atLeastMs what the endpoint itself asked for. */
  failed(index: number, atLeastMs = 0): void {
    const health = this.#healthOf(index);
    const failures = health.failures++;
    const restMs =
      this.#random === undefined
        ? backoffMs(this.#rests, failures)
        : spreadBackoffMs(this.#rests, failures, this.#random);
    health.restsUntilMs = this.#clock.monotonicMs() + Math.max(atLeastMs, restMs);
  }

  /** Position of the endpoint that answered last. */
  get last(): number {
    return this.#last;
  }

  /** How often another endpoint than the one before answered. */
  get switches(): number {
    return this.#switches;
  }

  #restsMs(): number[] {
    const nowMs = this.#clock.monotonicMs();
    return this.#health.map(({ restsUntilMs }) => Math.max(0, restsUntilMs - nowMs));
  }

  #healthOf(index: number): Health {
    const health = this.#health[index];
    if (health === undefined) throw new RangeError(`there is no endpoint ${index}`);
    return health;
  }
}
