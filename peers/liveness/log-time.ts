/**
 * Time as the log tells it: the sum of the steps between ticks. A gap between two ticks longer than `maxStepMs` counts
 * for nothing, since nobody could be heard while nobody wrote ticks. So a stopped collector, a lagging consumer or
 * a restart makes time stand still, and no peer grows silent by it. When ticks come back, time stands still for a while longer:
 * agents that could post nothing have backed off, and are heard again only when their pause is over.
 *
 * Each partition has its own: one that is read further than another must not make the other one's peers silent.
 */

/** What a log time goes on from. */
export interface LogMoment {
  readonly watermarkMs: number;
  readonly elapsedMs: number;
}

/** A tick further ahead of the reader's clock is that of a broken clock: taken in, time would stand still until then. */
export const maxTickAheadMs = 60_000;

/** The longest pause of an agent between two tries to post. It doubles, so it is never much longer than what it waited for. */
export const longestAgentPauseMs = 60_000;

export class LogTime {
  readonly #maxStepMs: number;
  /** Ticks from the future that were left out since the last good one. */
  ticksAhead = 0;
  /** The newest tick, in milliseconds since the epoch; 0 before the first. */
  watermarkMs: number;
  /** For how long ticks still count for nothing, so that peers can be heard again after a pause of the log. */
  patienceMs = 0;
  /** Milliseconds of log time since its beginning. */
  elapsedMs: number;

  constructor(maxStepMs: number, resumed: LogMoment = { watermarkMs: 0, elapsedMs: 0 }) {
    this.#maxStepMs = maxStepMs;
    this.watermarkMs = resumed.watermarkMs;
    this.elapsedMs = resumed.elapsedMs;
  }

  /**
   * Ticks of several collectors mix; one at or below the newest changes nothing.
   * @param readerMs the reader's own clock. @returns whether time went on.
   */
  tick(atMs: number, readerMs: number): boolean {
    if (atMs > readerMs + maxTickAheadMs) {
      this.ticksAhead++;
      return false;
    }
    this.ticksAhead = 0;
    if (atMs <= this.watermarkMs) return false;
    if (this.watermarkMs > 0) this.#goOn(atMs - this.watermarkMs);
    this.watermarkMs = atMs;
    return true;
  }

  #goOn(stepMs: number): void {
    if (stepMs > this.#maxStepMs) {
      this.patienceMs = Math.max(this.patienceMs, Math.min(longestAgentPauseMs, 2 * stepMs));
      return;
    }
    const waitedMs = Math.min(stepMs, this.patienceMs);
    this.patienceMs -= waitedMs;
    this.elapsedMs += stepMs - waitedMs;
  }

  /** How long ago the newest tick was, by the reader's own clock. */
  ageMs(nowMs: number): number {
    return this.watermarkMs === 0 ? Number.POSITIVE_INFINITY : Math.max(0, nowMs - this.watermarkMs);
  }
}
