/** A rate of bytes. What was read has to be paid for before more is read; an unused second is not saved up. */
import { type Clock, sleep } from '#mesh/clock.ts';

export class TokenBucket {
  readonly #clock: Clock;
  #bytesPerSecond: number;
  #tokens: number;
  #filledAtMs: number;

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
    this.#tokens = bytesPerSecond;
    this.#filledAtMs = clock.monotonicMs();
  }

  setRate(bytesPerSecond: number): void {
    this.#fill();
    this.#bytesPerSecond = bytesPerSecond;
    this.#tokens = Math.min(this.#tokens, bytesPerSecond);
  }

  /** Takes the bytes, into debt where there are too few, and waits until the debt is paid. */
  async pay(bytes: number, signal: AbortSignal): Promise<void> {
    this.#fill();
    this.#tokens -= bytes;
    while (this.#tokens < 0 && this.#bytesPerSecond > 0) {
      // In steps, so that a higher rate that is set meanwhile takes effect.
      const owedMs = (-this.#tokens / this.#bytesPerSecond) * 1000;
      await sleep(this.#clock, Math.min(5000, Math.ceil(owedMs)), signal);
      this.#fill();
    }
  }

  #fill(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#tokens = Math.min(
      this.#bytesPerSecond,
      this.#tokens + ((nowMs - this.#filledAtMs) / 1000) * this.#bytesPerSecond,
    );
    this.#filledAtMs = nowMs;
  }
}
