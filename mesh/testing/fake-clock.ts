/** A clock that moves only when the test moves it. */
import type { Clock } from '../clock.ts';

export interface FakeClock extends Clock {
  /** Moves on, running what falls due in its order and letting what it started go as far as it can in between. */
  advance(byMs: number): Promise<void>;
  readonly pending: number;
}

export function fakeClock(startMs = 1_700_000_000_000): FakeClock {
  let elapsedMs = 0;
  let serial = 0;
  const timers = new Map<number, { atMs: number; run: () => void }>();

  return {
    nowMs: () => startMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    after(delayMs, run) {
      const id = ++serial;
      timers.set(id, { atMs: elapsedMs + Math.max(0, delayMs), run });
      return () => timers.delete(id);
    },
    get pending() {
      return timers.size;
    },
    async advance(byMs) {
      const untilMs = elapsedMs + byMs;
      await settle();
      for (;;) {
        let next: [number, { atMs: number; run: () => void }] | undefined;
        for (const timer of timers)
          if (timer[1].atMs <= untilMs && (next === undefined || timer[1].atMs < next[1].atMs)) next = timer;
        if (next === undefined) break;
        timers.delete(next[0]);
        elapsedMs = Math.max(elapsedMs, next[1].atMs);
        next[1].run();
        await settle();
      }
      elapsedMs = untilMs;
      await settle();
    },
  };
}

/** Lets everything that needs no timer and no socket run to its end. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
