/** Asks for the margins of all watched files at once, a few times a second: watching must not be a load of its own. */
import { setTimeout as wait } from 'node:timers/promises';

export type ReadMargins = (files: readonly number[]) => Promise<ReadonlyMap<number, number>>;

interface Watched {
  readonly wanted: number;
  readonly startedMs: number;
  readonly seen: PromiseWithResolvers<number>;
}

const patienceMs = 600_000;

export class MarginWatch {
  readonly #read: ReadMargins;
  readonly #pollMs: number;
  readonly #watched = new Map<number, Watched>();
  #polling = false;

  constructor(read: ReadMargins, pollMs: number) {
    this.#read = read;
    this.#pollMs = pollMs;
  }

  /** Seconds from `startedMs` until the file has the margin. */
  until(file: number, wanted: number, startedMs: number): Promise<number> {
    const seen = Promise.withResolvers<number>();
    this.#watched.set(file, { wanted, startedMs, seen });
    if (!this.#polling) void this.#poll();
    return seen.promise;
  }

  async #poll(): Promise<void> {
    this.#polling = true;
    try {
      while (this.#watched.size > 0) {
        const margins = await this.#read([...this.#watched.keys()]);
        const nowMs = performance.now();
        for (const [file, { wanted, startedMs, seen }] of this.#watched) {
          if (margins.get(file) !== wanted && nowMs - startedMs < patienceMs) continue;
          this.#watched.delete(file);
          if (margins.get(file) === wanted) seen.resolve((nowMs - startedMs) / 1000);
          else seen.reject(new Error(`the margin of file ${file} is ${margins.get(file)}, not ${wanted}`));
        }
        await wait(this.#pollMs);
      }
    } catch (error) {
      for (const { seen } of this.#watched.values()) seen.reject(error);
      this.#watched.clear();
    } finally {
      this.#polling = false;
    }
  }
}
