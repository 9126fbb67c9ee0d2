/**
 * Time as the log tells it: the sum of the steps between ticks. A gap between two ticks longer than `maxStepMs` counts
 * as one step only, since nobody could be heard while nobody wrote ticks. So a stopped collector, a lagging consumer or
 * a restart makes time stand still, and no peer grows silent by it.
 */
export class LogTime {
  readonly #maxStepMs: number;
  /** The newest tick, in milliseconds since the epoch; 0 before the first. */
  watermarkMs: number;
  /** Milliseconds of log time since its beginning. */
  elapsedMs: number;

  constructor(
    maxStepMs: number,
    resumed: { watermarkMs: number; elapsedMs: number } = { watermarkMs: 0, elapsedMs: 0 },
  ) {
    this.#maxStepMs = maxStepMs;
    this.watermarkMs = resumed.watermarkMs;
    this.elapsedMs = resumed.elapsedMs;
  }

  /** Ticks of several collectors mix; one at or below the newest changes nothing. @returns whether time went on. */
  tick(atMs: number): boolean {
    if (atMs <= this.watermarkMs) return false;
    if (this.watermarkMs > 0) this.elapsedMs += Math.min(atMs - this.watermarkMs, this.#maxStepMs);
    this.watermarkMs = atMs;
    return true;
  }

  /** How long ago the newest tick was, by the reader's own clock. */
  ageMs(nowMs: number): number {
    return this.watermarkMs === 0 ? Number.POSITIVE_INFINITY : Math.max(0, nowMs - this.watermarkMs);
  }
}
