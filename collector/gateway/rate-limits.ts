/** Token buckets by key: a caller may do `perSecond` of something, and save up `burst` of it. */
import type { Clock } from '#mesh/clock.ts';

export interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

/** Sums of fractions miss a whole number by less than this; who waited as long as it was told must be granted. */
const rounding = 1e-6;

interface Bucket {
  tokens: number;
  filledAtMs: number;
}

/** Bounded: with more than `maxKeys` callers the one that was silent longest is forgotten, and starts with a full bucket again. */
export class RateLimits {
  readonly #limit: RateLimit;
  readonly #clock: Clock;
  readonly #maxKeys: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(limit: RateLimit, clock: Clock, maxKeys: number) {
    this.#limit = limit;
    this.#clock = clock;
    this.#maxKeys = maxKeys;
  }

  /**
   * Takes `amount` (at most the burst; more counts as the burst) for `key`.
   * @returns 0 where it was granted, otherwise the milliseconds until it could be.
   */
  take(key: string, amount = 1): number {
    const { perSecond, burst } = this.#limit;
    const nowMs = this.#clock.monotonicMs();
    const bucket = this.#bucket(key, nowMs);
    bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.filledAtMs) / 1000) * perSecond);
    bucket.filledAtMs = nowMs;
    const needed = Math.min(amount, burst);
    if (bucket.tokens + rounding >= needed) {
      bucket.tokens = Math.max(0, bucket.tokens - needed);
      return 0;
    }
    return Math.max(1, Math.ceil(((needed - bucket.tokens) / perSecond) * 1000));
  }

  #bucket(key: string, nowMs: number): Bucket {
    const bucket = this.#buckets.get(key) ?? { tokens: this.#limit.burst, filledAtMs: nowMs };
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > this.#maxKeys) this.#buckets.delete(this.#buckets.keys().next().value as string);
    return bucket;
  }
}
