/** Looks at files when it is due: at all of them in a sweep, at those that were touched in between. */
import type { Span } from '@opentelemetry/api';
import type { MeshWatch } from '../mesh/mesh-watch.ts';
import type { AnalyzerOptions } from '../options.ts';
import { keptTrace, startLook } from '../traces.ts';
import type { OwnedPartition } from './partition/owned-partition.ts';
import type { Publisher } from './publisher.ts';
import type { PeerTable } from './share-map/peer-table.ts';
import type { SweepTotals } from './share-map/share-map.ts';
import { Turns } from './turns.ts';

export interface SweeperOptions {
  readonly analyzer: Pick<AnalyzerOptions, 'clock' | 'config' | 'metrics'>;
  readonly table: PeerTable;
  readonly publisher: Pick<Publisher, 'publish' | 'relist' | 'removeDeleted'>;
  readonly owned: ReadonlyMap<number, OwnedPartition>;
  readonly watch: Pick<MeshWatch, 'swept' | 'afterSweep'>;
}

const touchIntervalMs = 200;
/** Sweeps because of peers rest for this many times what the last one took: peers that flap must not take the whole core. */
const restRatio = 4;
/** Bounds what waits for the store in memory: a sweep tells of no more, and the next one of the rest. */
const mostUnsaved = 200_000;
const leastChanged = 1000;
/** Touched files that are judged in one turn. */
const filesALook = 512;

export class Sweeper {
  sweptAtMs = 0;
  readonly #options: SweeperOptions;
  #sweptRevision = -1;
  #nextSweepMs = 0;
  #nextUrgentSweepMs = 0;
  #nextLookMs = 0;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  sweepSoon(): void {
    this.#nextSweepMs = 0;
  }

  /** Does what is due. @returns whether anything may have changed. */
  async step(): Promise<boolean> {
    const now = this.#options.analyzer.clock.monotonicMs();
    const peersChanged = this.#options.table.revision !== this.#sweptRevision && now >= this.#nextUrgentSweepMs;
    if (now >= this.#nextSweepMs || peersChanged) {
      await this.#sweep();
      return true;
    }
    if (now < this.#nextLookMs) return false;
    this.#nextLookMs = now + touchIntervalMs;
    return this.#look();
  }

  async #sweep(): Promise<void> {
    const { analyzer, watch, table } = this.#options;
    const { clock, metrics, config } = analyzer;
    const startedMs = clock.monotonicMs();
    this.#nextSweepMs = startedMs + config.analyzer.sweepIntervalMs;
    this.#sweptRevision = table.revision;
    const partitions = this.#caughtUp();
    const span = this.#startLook('sweep', partitions);
    for (const owned of partitions) {
      if (this.#isOwned(owned) && (await this.#sweepOne(owned)) > 0) this.sweepSoon();
    }
    span?.end();
    this.sweptAtMs = clock.nowMs();
    const now = clock.monotonicMs();
    this.#nextUrgentSweepMs = now + restRatio * (now - startedMs);
    metrics.sweepSeconds.record((now - startedMs) / 1000);
    watch.afterSweep(this.sweptAtMs, keptTrace(span));
  }

  /** @returns how many changed files the next sweep has to tell of. */
  async #sweepOne(owned: OwnedPartition): Promise<number> {
    const { publisher, watch } = this.#options;
    publisher.removeDeleted(owned);
    const mostChanged = Math.max(leastChanged, mostUnsaved - owned.unsavedHealth.size);
    const sweep = await owned.map.sweepBeside(owned.time.watermarkMs, mostChanged);
    if (!this.#isOwned(owned)) return 0;
    const totals = (): SweepTotals => ({ ...sweep.totals, byCountedGrade: owned.list.countedGrades() });
    owned.totals = totals();
    watch.swept(owned.number, sweep.exposure);
    await publisher.publish(owned, sweep.changed());
    owned.totals = totals();
    await publisher.relist(owned);
    if (sweep.changedLater === 0) owned.isJudged = true;
    return sweep.changedLater;
  }

  async #look(): Promise<boolean> {
    let changed = false;
    const partitions = this.#caughtUp();
    const span = this.#startLook('look', partitions);
    for (const owned of partitions) {
      if (this.#isOwned(owned) && (await this.#lookAtOne(owned))) changed = true;
    }
    span?.end();
    return changed;
  }

  async #lookAtOne(owned: OwnedPartition): Promise<boolean> {
    const { publisher, analyzer } = this.#options;
    const turns = new Turns(analyzer.clock);
    let changed = publisher.removeDeleted(owned);
    while (owned.map.reap()) await turns.next();
    for (let left = 1; left > 0; ) {
      const look = owned.map.lookAtSome(owned.time.watermarkMs, filesALook);
      left = look.left;
      if (look.changed.length > 0) changed = true;
      await publisher.publish(owned, look.changed);
      await turns.pause();
    }
    await publisher.relist(owned);
    return changed;
  }

  #startLook(name: 'sweep' | 'look', partitions: readonly OwnedPartition[]): Span | undefined {
    const batches = partitions.map(({ traces }) => traces.takeUnjudged());
    const span = startLook(name, batches.flat());
    // A file that a batch touched is judged by the first look after it, and may be listed after the next one.
    partitions.forEach((owned, i) => {
      if (name === 'sweep' || (batches[i] as readonly string[]).length > 0) owned.judgedBy = keptTrace(span);
    });
    return span;
  }

  #isOwned(owned: OwnedPartition): boolean {
    return this.#options.owned.get(owned.number) === owned;
  }

  /** Files of a partition that is still being rebuilt are not judged. */
  #caughtUp(): readonly OwnedPartition[] {
    return [...this.#options.owned.values()].filter((owned) => owned.caughtUp);
  }
}
