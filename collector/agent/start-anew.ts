/**
 * When an agent starts anew because the mesh heard a later incarnation of its peer than its own. Where it was never heard itself
 * it has lost its count, and goes on above the known one at once. Where it was, another agent speaks with its key: it says so and
 * stays, and tries again after long pauses, so that stopping the other one is all that a person has to do.
 */
import { type Backoff, spreadBackoffMs } from '#mesh/backoff.ts';
import type { Clock, Random } from '#mesh/clock.ts';

const lostCount: Backoff = { firstMs: 1, longestMs: 60_000 };
const doubled: Backoff = { firstMs: 10 * 60_000, longestMs: 2 * 3_600_000 };

export class StartAnew {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #run: () => void;
  readonly #tries = { lostCount: 0, doubled: 0 };
  #callOff: (() => void) | null = null;

  constructor(clock: Clock, random: Random, run: () => void) {
    this.#clock = clock;
    this.#random = random;
    this.#run = run;
  }

  /** Further calls change nothing until it has run. */
  soon(isDoubled: boolean): void {
    if (this.#callOff !== null) return;
    const waitMs = isDoubled
      ? spreadBackoffMs(doubled, this.#tries.doubled++, this.#random)
      : spreadBackoffMs(lostCount, 4 * this.#tries.lostCount++, this.#random);
    this.#callOff = this.#clock.after(waitMs, () => {
      this.#callOff = null;
      this.#run();
    });
  }

  cancel(): void {
    this.#callOff?.();
    this.#callOff = null;
  }
}
