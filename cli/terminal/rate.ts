/** How fast work goes, and how long it still takes: by the last seconds, not by a start that may have been slow. */

const rememberedMs = 10_000;
const mostSamples = 64;

export interface Pace {
  /** A second; null before it can be told. */
  readonly rate: number | null;
  readonly leftMs: number | null;
}

export class PaceMeter {
  readonly #total: number;
  #samples: { readonly atMs: number; readonly done: number }[] = [];

  constructor(total: number) {
    this.#total = total;
  }

  note(done: number, nowMs: number): Pace {
    const last = this.#samples.at(-1);
    // What begins anew has no pace yet.
    if (last !== undefined && done < last.done) this.#samples = [];
    this.#samples.push({ atMs: nowMs, done });
    while (this.#samples.length > 2 && nowMs - (this.#samples[1]?.atMs ?? nowMs) >= rememberedMs) this.#samples.shift();
    // Of many samples every other one tells as much.
    if (this.#samples.length > mostSamples)
      this.#samples = this.#samples.filter((_, i) => i % 2 === 0 || i === mostSamples);
    const first = this.#samples[0] as { atMs: number; done: number };
    const spanMs = nowMs - first.atMs;
    if (spanMs <= 0 || done <= first.done) return { rate: null, leftMs: null };
    const rate = ((done - first.done) / spanMs) * 1000;
    return { rate, leftMs: (Math.max(0, this.#total - done) / rate) * 1000 };
  }
}
