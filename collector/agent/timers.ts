/** Named timers of one agent: setting one again replaces it, and all end together. */
import type { Clock, Random } from '#mesh/clock.ts';

/** A timer of the system holds at most 2^31 ms: a longer wait is made of shorter ones. */
const longestStepMs = 2 ** 30;

export class Timers {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #running = new Map<string, () => void>();
  #isStopped = false;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  has(name: string): boolean {
    return this.#running.has(name);
  }

  after(name: string, delayMs: number, run: () => void): void {
    this.cancel(name);
    if (this.#isStopped) return;
    const stepMs = Math.min(delayMs, longestStepMs);
    const callOff = this.#clock.after(stepMs, () => {
      this.#running.delete(name);
      if (stepMs < delayMs) this.after(name, delayMs - stepMs, run);
      else run();
    });
    this.#running.set(name, callOff);
  }

  /** Every interval differs by up to a tenth, so that the peers of a mesh do not fall into step. */
  every(name: string, intervalMs: number, run: () => void): void {
    this.after(name, intervalMs * (0.9 + this.#random() / 5), () => {
      this.every(name, intervalMs, run);
      run();
    });
  }

  cancel(name: string): void {
    this.#running.get(name)?.();
    this.#running.delete(name);
  }

  stop(): void {
    this.#isStopped = true;
    for (const callOff of this.#running.values()) callOff();
    this.#running.clear();
  }
}
