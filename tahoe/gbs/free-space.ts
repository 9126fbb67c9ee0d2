/** Room on the disk, as it was measured lately, less what was promised since. */
import type { Clock } from '#mesh/clock.ts';
import type { Disk } from './disk.ts';

export interface FreeSpaceOptions {
  readonly disk: Disk;
  readonly root: string;
  readonly clock: Clock;
  /** Stays free. */
  readonly reservedBytes: number;
  /** Bytes that will come, or are not on the disk yet. */
  readonly promisedBytes: () => number;
}

/** How long a measurement is used. */
const ageMs = 1000;

export class FreeSpace {
  readonly #options: FreeSpaceOptions;
  #measured: { readonly atMs: number; readonly bytes: number } | undefined;

  constructor(options: FreeSpaceOptions) {
    this.#options = options;
  }

  /** @returns what is left of it. */
  async measure(): Promise<number> {
    const { disk, root, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#measured === undefined || nowMs - this.#measured.atMs >= ageMs) {
      this.#measured = { atMs: nowMs, bytes: await disk.freeBytes(root) };
    }
    return Math.max(0, this.left);
  }

  /** By the last measurement; negative where more was promised than there is. */
  get left(): number {
    const { reservedBytes, promisedBytes } = this.#options;
    return (this.#measured?.bytes ?? 0) - promisedBytes() - reservedBytes;
  }
}
