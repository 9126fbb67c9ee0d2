/** A condition that counts only once it has held for long enough without a break. */
export class Lasting {
  readonly #leastMs: number;
  #sinceMs: number | null = null;

  constructor(leastMs: number) {
    this.#leastMs = leastMs;
  }

  /** @param now monotonic time in milliseconds, here and below. */
  see(holds: boolean, now: number): void {
    this.#sinceMs = holds ? (this.#sinceMs ?? now) : null;
  }

  hasLasted(now: number): boolean {
    return this.#sinceMs !== null && now - this.#sinceMs >= this.#leastMs;
  }
}

/** A count of which that part counts which has lasted: the least that was seen for long enough. */
export class LastingCount {
  readonly #leastMs: number;
  #least = 0;
  #leastNow = 0;
  #windowEndsMs = Number.NEGATIVE_INFINITY;

  constructor(leastMs: number) {
    this.#leastMs = leastMs;
  }

  /** To be called again and again. @param now monotonic time in milliseconds. */
  see(count: number, now: number): void {
    this.#leastNow = Math.min(this.#leastNow, count);
    this.#least = Math.min(this.#least, count);
    if (now < this.#windowEndsMs) return;
    // The first window begins with nothing seen.
    if (this.#windowEndsMs !== Number.NEGATIVE_INFINITY) this.#least = this.#leastNow;
    this.#leastNow = count;
    this.#windowEndsMs = now + this.#leastMs;
  }

  get lasting(): number {
    return this.#least;
  }
}
