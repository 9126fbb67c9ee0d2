/** Counts what share maps refused for want of room. */
import type { OwnedPartition } from '../files/partition/owned-partition.ts';
import type { AnalyzerMetrics } from '../metrics.ts';

type Metrics = Pick<AnalyzerMetrics, 'refusedEvents' | 'refusedUnregistered' | 'refusedPlacements'>;

export class RefusedCounts {
  readonly #metrics: Metrics;
  #before = { events: 0, unregistered: 0, placements: 0 };

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  count(owned: Iterable<Pick<OwnedPartition, 'map'>>): void {
    const refused = { events: 0, unregistered: 0, placements: 0 };
    for (const { map } of owned) {
      refused.events += map.refusedFiles;
      refused.unregistered += map.refusedUnregistered;
      refused.placements += map.refusedPlacements;
    }
    // Partitions that went took their counts along.
    this.#metrics.refusedEvents.add(Math.max(0, refused.events - this.#before.events));
    this.#metrics.refusedUnregistered.add(Math.max(0, refused.unregistered - this.#before.unregistered));
    this.#metrics.refusedPlacements.add(Math.max(0, refused.placements - this.#before.placements));
    this.#before = refused;
  }
}
