/** Takes a partition out of the store into its share map: by columns, in short turns, and saying how far it is. */
import type { Clock } from '#mesh/clock.ts';
import type { Logger } from '#mesh/logger.ts';
import type { AnalyzerMetrics } from '../../metrics.ts';
import type { PartitionSink } from '../../ports.ts';
import type { ShareMap } from '../share-map/share-map.ts';
import {
  type FileBlock,
  fileRowsOf,
  type PlacementBlock,
  sliceOfFiles,
  sliceOfPlacements,
} from '../share-map/stored-blocks.ts';
import { Turns } from '../turns.ts';
import { type HealthBlock, PublishedHealth } from './published-health.ts';
import { Tombstones } from './tombstones.ts';

export interface RestoreOptions {
  readonly partition: number;
  readonly map: ShareMap;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Pick<AnalyzerMetrics, 'rebuiltRows'>;
  /** Aborted when the partition is not wanted any more: what is to come of it is refused. */
  readonly signal: AbortSignal;
}

/** Rows that a share map takes in about a millisecond. */
const rowsATime = 2048;
const progressEveryMs = 5000;

export class PartitionRestore implements PartitionSink {
  readonly published = new PublishedHealth();
  readonly tombstones = new Tombstones();
  readonly #options: RestoreOptions;
  readonly #turns: Turns;
  readonly #startedMs: number;
  #nextProgressMs: number;

  constructor(options: RestoreOptions) {
    this.#options = options;
    this.#turns = new Turns(options.clock);
    this.#startedMs = options.clock.monotonicMs();
    this.#nextProgressMs = this.#startedMs + progressEveryMs;
  }

  async files(block: FileBlock): Promise<void> {
    const { map } = this.#options;
    for (let from = 0; from < block.count; from += rowsATime) {
      const slice = sliceOfFiles(block, from, Math.min(block.count, from + rowsATime));
      map.loadFiles(slice);
      if (slice.deleted.includes(1)) this.tombstones.see(fileRowsOf(slice));
      await this.#turns.pause();
    }
    this.#progress('files', block.count);
  }

  async health(block: HealthBlock): Promise<void> {
    this.#options.map.markSettled(block.storageIndexes);
    for (let from = 0; from < block.count; from += rowsATime) {
      this.published.load(block, from, Math.min(block.count, from + rowsATime));
      await this.#turns.pause();
    }
    this.#progress('health', block.count);
  }

  async placements(block: PlacementBlock): Promise<void> {
    for (let from = 0; from < block.count; from += rowsATime) {
      this.#options.map.loadPlacements(sliceOfPlacements(block, from, Math.min(block.count, from + rowsATime)));
      await this.#turns.pause();
    }
    this.#progress('placements', block.count);
  }

  /** @throws the signal's reason. */
  #progress(kind: 'files' | 'health' | 'placements', rows: number): void {
    const { metrics, clock, logger, map, partition, signal } = this.#options;
    signal.throwIfAborted();
    metrics.rebuiltRows.add(rows, { kind });
    const now = clock.monotonicMs();
    if (now < this.#nextProgressMs) return;
    this.#nextProgressMs = now + progressEveryMs;
    const { fileCount: files, placementCount: placements } = map;
    const durationMs = Math.round(now - this.#startedMs);
    logger.info({ partition, files, placements, durationMs }, 'a partition is being rebuilt from the store');
  }
}
