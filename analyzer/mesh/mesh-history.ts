/** The mesh's totals as a time series, which the owner of one partition writes for all. */
import type { WaitingHistory } from '../files/waiting-history.ts';
import type { WholeMesh } from './mesh-view.ts';

const historyIntervalMs = 1000;

export class MeshHistory {
  readonly #history: Pick<WaitingHistory, 'addSweep'>;
  readonly #intervalMs: number;
  #nextMs = 0;

  constructor(history: Pick<WaitingHistory, 'addSweep'>, sweepIntervalMs: number) {
    this.#history = history;
    this.#intervalMs = Math.min(historyIntervalMs, sweepIntervalMs);
  }

  /** Where it is time for another point. @param now monotonic time in milliseconds. */
  addWhenDue({ totals }: Pick<WholeMesh, 'totals'>, now: number, atMs: number): void {
    if (now < this.#nextMs) return;
    this.#nextMs = now + this.#intervalMs;
    this.#history.addSweep({ totals, atMs });
  }
}
