/** For tests of every room: a clock that stands still until the test moves it. */
import type { Clock } from '../clock.ts';

interface Timer {
  /** On the monotonic scale. */
  readonly atMs: number;
  readonly run: () => void;
}

export class ManualClock implements Clock {
  readonly #startMs: number;
  /** The monotonic time begins at 0, far from the wall's: what takes one for the other shows. */
  #elapsedMs = 0;
  readonly #timers = new Set<Timer>();

  constructor(startMs = 1_700_000_000_000) {
    this.#startMs = startMs;
  }

  nowMs(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.#elapsedMs + Math.max(0, delayMs), run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** How long each timer still waits, in the order in which they were set. */
  get pendingDelaysMs(): number[] {
    return [...this.#timers].map(({ atMs }) => atMs - this.#elapsedMs);
  }

  /** Moves on, running what falls due in its order, and lets what it started go as far as it can in between. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#elapsedMs + byMs;
    do await settle();
    while (this.#runNext(untilMs));
    this.#elapsedMs = untilMs;
    await settle();
  }

  /** Moves on within this turn: what falls due runs in its order, what it started goes on only later. */
  advanceSync(byMs: number): void {
    const untilMs = this.#elapsedMs + byMs;
    while (this.#runNext(untilMs));
    this.#elapsedMs = untilMs;
  }

  #runNext(untilMs: number): boolean {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.atMs <= untilMs && (next === undefined || timer.atMs < next.atMs)) next = timer;
    }
    if (next === undefined) return false;
    this.#timers.delete(next);
    this.#elapsedMs = Math.max(this.#elapsedMs, next.atMs);
    next.run();
    return true;
  }
}

/** Lets all that waits for nothing but its turn, and for finished file operations, go on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
