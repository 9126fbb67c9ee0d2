/**
 * A rate with a burst: a full bucket lets the burst through at once, and fills again at the rate. Two ways to take: what must
 * be granted or refused ({@link TokenBucket.tryTake}), and what may have any size and waits its turn in debt ({@link TokenBucket.pay}).
 */
import { type Clock, sleep } from './clock.ts';

export interface Rate {
  /** 0 is unlimited. */
  readonly perSecond: number;
  /** Most that is saved up while nobody takes. */
  readonly burst: number;
}

/** Sums of fractions miss a whole number by less than this; who waited as long as it was told must be granted. */
const rounding = 1e-6;

/** Longest wait before the rate is looked at again. */
const longestStepMs = 5000;

export class TokenBucket {
  readonly #clock: Clock;
  #rate: Rate;
  #level: number;
  #filledAtMs: number;
  /** All that was ever taken: tells one that waits which part of the debt came after it. */
  #taken = 0;

  constructor(rate: Rate, clock: Clock) {
    this.#clock = clock;
    this.#rate = rate;
    this.#level = rate.burst;
    this.#filledAtMs = clock.monotonicMs();
  }

  get isLimited(): boolean {
    return this.#rate.perSecond > 0;
  }

  /** Holds for those who wait as well. */
  setRate(rate: Rate): void {
    this.#fill();
    this.#level = this.isLimited ? Math.min(this.#level, rate.burst) : rate.burst;
    this.#rate = rate;
  }

  /**
   * Takes `amount` where it is there (at most the burst; more counts as the burst), and nothing where it is not.
   * @returns 0 where it was granted, otherwise the milliseconds until it could be.
   */
  tryTake(amount: number): number {
    if (!this.isLimited) return 0;
    this.#fill();
    const needed = Math.min(amount, this.#rate.burst);
    if (this.#level + rounding >= needed) {
      this.#level = Math.max(0, this.#level - needed);
      return 0;
    }
    return Math.max(1, Math.ceil(((needed - this.#level) / this.#rate.perSecond) * 1000));
  }

  /** Takes `amount`, into debt where there is too little. @returns the milliseconds until the debt is paid. */
  take(amount: number): number {
    if (!this.isLimited) return 0;
    this.#fill();
    this.#level -= amount;
    this.#taken += amount;
    return this.#owedMs(this.#taken);
  }

  /** Undoes a {@link take} that came to nothing. Not for a bucket at which others wait in {@link pay}. */
  giveBack(amount: number): void {
    if (this.isLimited) this.#level = Math.min(this.#rate.burst, this.#level + amount);
  }

  /** Takes `amount` and resolves when it is paid, those first who came first. Rejects with the signal's reason; it is spent then, too. */
  async pay(amount: number, signal?: AbortSignal): Promise<void> {
    this.take(amount);
    const turn = this.#taken;
    // In steps, so that a rate that is set meanwhile takes effect.
    for (let owedMs = this.#owedMs(turn); owedMs > 0; owedMs = this.#owedMs(turn)) {
      await sleep(this.#clock, Math.min(longestStepMs, Math.ceil(owedMs)), signal);
    }
  }

  #owedMs(turn: number): number {
    if (!this.isLimited) return 0;
    this.#fill();
    const debt = -this.#level - (this.#taken - turn);
    return debt <= rounding ? 0 : (debt / this.#rate.perSecond) * 1000;
  }

  #fill(): void {
    const nowMs = this.#clock.monotonicMs();
    const gained = ((nowMs - this.#filledAtMs) / 1000) * this.#rate.perSecond;
    this.#level = Math.min(this.#rate.burst, this.#level + gained);
    this.#filledAtMs = nowMs;
  }
}

/** A bucket for each key. Bounded: with more than `maxKeys` the one not used for longest is forgotten, and is full when it comes back. */
export class TokenBuckets {
  readonly #rate: Rate;
  readonly #clock: Clock;
  readonly #maxKeys: number;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(rate: Rate, clock: Clock, maxKeys: number) {
    this.#rate = rate;
    this.#clock = clock;
    this.#maxKeys = maxKeys;
  }

  of(key: string): TokenBucket {
    const bucket = this.#buckets.get(key) ?? new TokenBucket(this.#rate, this.#clock);
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > this.#maxKeys) this.#buckets.delete(this.#buckets.keys().next().value as string);
    return bucket;
  }
}
