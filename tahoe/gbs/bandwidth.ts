/** A limit in bytes a second, shared by everything that takes from it, first come first served. */
import { type Clock, sleep } from '#mesh/clock.ts';

/** How far ahead of the rate an idle limit lets a first taker run. */
const burstMs = 250;

export class Bandwidth {
  readonly #clock: Clock;
  #bytesPerSecond: number | undefined;
  /** When the bytes taken so far are paid for. */
  #paidAtMs = Number.NEGATIVE_INFINITY;

  /** @param bytesPerSecond undefined: no limit. */
  constructor(clock: Clock, bytesPerSecond: number | undefined) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** The new rate holds for what is taken from now on. */
  set(bytesPerSecond: number | undefined): void {
    this.#bytesPerSecond = bytesPerSecond;
  }

  get isLimited(): boolean {
    return this.#bytesPerSecond !== undefined;
  }

  /** Resolves when `bytes` may pass. */
  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    if (this.#bytesPerSecond === undefined) return;
    const nowMs = this.#clock.monotonicMs();
    this.#paidAtMs = Math.max(this.#paidAtMs, nowMs - burstMs) + (bytes * 1000) / this.#bytesPerSecond;
    const waitMs = this.#paidAtMs - nowMs;
    if (waitMs > 0) await sleep(this.#clock, waitMs, signal);
  }
}
