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
