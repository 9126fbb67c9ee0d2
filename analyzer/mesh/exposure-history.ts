/** What the loss of each peer and domain would do to the files of this analyzer, over time. */
import type { Exposure } from '../files/share-map/peer-numbering.ts';
import type { WaitingHistory } from '../files/waiting-history.ts';
import { ExposureRows, mergeExposure } from './exposure.ts';

/** Exposure changes slowly, and its rows are many. */
const sweepsPerExposure = 6;

export class ExposureHistory {
  readonly #history: Pick<WaitingHistory, 'addExposure'>;
  readonly #intervalMs: number;
  readonly #rows = new ExposureRows();
  readonly #ofPartitions = new Map<number, Exposure>();
  #nextMs = 0;

  constructor(history: Pick<WaitingHistory, 'addExposure'>, sweepIntervalMs: number) {
    this.#history = history;
    this.#intervalMs = sweepsPerExposure * sweepIntervalMs;
  }

  swept(partition: number, exposure: Exposure): void {
    this.#ofPartitions.set(partition, exposure);
  }

  /** Where it is time. @param owned by partition: what is owned still. @param now monotonic time in milliseconds. */
  addWhenDue(owned: ReadonlyMap<number, unknown>, now: number, atMs: number): void {
    for (const partition of this.#ofPartitions.keys()) if (!owned.has(partition)) this.#ofPartitions.delete(partition);
    if (now < this.#nextMs) return;
    this.#nextMs = now + this.#intervalMs;
    this.#history.addExposure(this.#rows.next(mergeExposure([...this.#ofPartitions.values()]), atMs));
  }

  /** Nothing is owned here any more: others say what their parts are exposed to. */
  withdraw(atMs: number): void {
    this.#history.addExposure(this.#rows.next({ peers: new Map(), domains: new Map() }, atMs));
  }
}
