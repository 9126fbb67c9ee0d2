/**
 * An inventory that is owed, because something was dropped that only an inventory makes good. It is taken once the collector is
 * there to receive it, and not again and again where the cause persists: the pause doubles from five seconds to ten minutes.
 */
import { type Backoff, backoffMs } from '#mesh/backoff.ts';
import type { Clock } from '#mesh/clock.ts';

const pauses: Backoff = { firstMs: 5000, longestMs: 10 * 60_000 };

export class OwedInventory {
  readonly #clock: Clock;
  readonly #request: () => void;
  #isOwed = false;
  #isReachable = false;
  /** Taken one soon after the other. */
  #inRow = 0;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #callOff: (() => void) | null = null;
  #isStopped = false;

  constructor(clock: Clock, request: () => void) {
    this.#clock = clock;
    this.#request = request;
  }

  get isOwed(): boolean {
    return this.#isOwed;
  }

  owe(): void {
    this.#isOwed = true;
    this.#settle();
  }

  /** An inventory begins that names everything: what was dropped before, it makes good. */
  settled(): void {
    this.#isOwed = false;
  }

  setReachable(isReachable: boolean): void {
    this.#isReachable = isReachable;
    if (this.#isOwed) this.#settle();
  }

  stop(): void {
    this.#isStopped = true;
    this.#callOff?.();
  }

  #settle(): void {
    if (!this.#isReachable || this.#isStopped || this.#callOff !== null) return;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#notBeforeMs) {
      this.#callOff = this.#clock.after(this.#notBeforeMs - nowMs, () => {
        this.#callOff = null;
        if (this.#isOwed) this.#settle();
      });
      return;
    }
    const wasLongAgo = nowMs - this.#notBeforeMs > pauses.longestMs;
    this.#inRow = wasLongAgo ? 0 : this.#inRow + 1;
    this.#notBeforeMs = nowMs + backoffMs(pauses, this.#inRow);
    this.#isOwed = false;
    this.#request();
  }
}
