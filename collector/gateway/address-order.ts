/**
 * Which of several collectors to ask: the first in the list that is not resting. One that failed rests, longer each time,
 * and is asked again afterwards, so that callers come back to the one that they prefer. Pure but for its clock.
 */
import type { Clock, Random } from '#mesh/clock.ts';

export interface RestLimits {
  /** After the first failure; doubles with each further one. @default 1000 */
  readonly firstRestMs: number;
  /** @default 60 000 */
  readonly longestRestMs: number;
}

export const defaultRestLimits: RestLimits = { firstRestMs: 1000, longestRestMs: 60_000 };

interface Address {
  failures: number;
  restsUntilMs: number;
}

export class AddressOrder {
  readonly #addresses: readonly Address[];
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #limits: RestLimits;

  constructor(count: number, clock: Clock, random: Random, limits: RestLimits = defaultRestLimits) {
    this.#addresses = Array.from({ length: count }, () => ({ failures: 0, restsUntilMs: 0 }));
    this.#clock = clock;
    this.#random = random;
    this.#limits = limits;
  }

  /**
   * Whom to ask in one call, one after the other until one answers: those that do not rest, in order. Where all rest, only
   * the one that will be up first, since a caller must not wait for time to pass before it may try at all.
   */
  toAsk(): readonly number[] {
    const nowMs = this.#clock.monotonicMs();
    const all = this.#addresses.map((address, index) => ({ ...address, index }));
    const awake = all.filter(({ restsUntilMs }) => restsUntilMs <= nowMs);
    if (awake.length > 0) return awake.map(({ index }) => index);
    const first = all.reduce((soonest, one) => (one.restsUntilMs < soonest.restsUntilMs ? one : soonest));
    return [first.index];
  }

  /** @param atLeastMs what the collector itself asked for. */
  failed(index: number, atLeastMs: number): void {
    const address = this.#address(index);
    const { firstRestMs, longestRestMs } = this.#limits;
    const fullMs = Math.min(longestRestMs, firstRestMs * 2 ** Math.min(30, address.failures));
    address.failures++;
    // Half of it is random, so that those who left a collector together do not come back together.
    const restMs = Math.max(atLeastMs, fullMs * (0.5 + this.#random() / 2));
    address.restsUntilMs = this.#clock.monotonicMs() + restMs;
  }

  answered(index: number): void {
    const address = this.#address(index);
    address.failures = 0;
    address.restsUntilMs = 0;
  }

  #address(index: number): Address {
    const address = this.#addresses[index];
    if (address === undefined) throw new RangeError(`there is no address ${index}`);
    return address;
  }
}
