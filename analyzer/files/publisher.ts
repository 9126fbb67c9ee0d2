/** What becomes of a file's new health: an entry or tombstone on the at-risk list, a row in the store. */
import type { Span } from '@opentelemetry/api';
import { generationHeader } from '#mesh/list-fence.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { failSpan } from '#mesh/traces.ts';
import type { WriteGuard } from '#store/write-batch.ts';
import type { AnalyzerOptions } from '../options.ts';
import type { GoneFile, HealthRow } from '../ports.ts';
import { SurvivalTable } from '../risk/survival.ts';
import { type EntryTrace, traceEntry } from '../traces.ts';
import type { EntryFacts } from './partition/at-risk-list.ts';
import { causeOf } from './partition/cause.ts';
import type { OwnedPartition } from './partition/owned-partition.ts';
import { figuresOf } from './partition/published-health.ts';
import { isWatched } from './partition/rebuild.ts';
import type { WaitingFiles } from './partition/unsaved-health.ts';
import type { PeerTable } from './share-map/peer-table.ts';
import type { FileHealth, PlacementView } from './share-map/share-map.ts';
import { Turns } from './turns.ts';

/** Entries of one append: some 100 shares each, so about a megabyte. */
const entriesPerAppend = 200;
const rowsPerSave = 1000;
/** Files of which placements are compared in one turn. */
const filesALook = 64;

export class Publisher {
  readonly #options: AnalyzerOptions;
  readonly #peers: PeerTable;
  readonly #survival: SurvivalTable;
  #lastAtMs = 0;

  constructor(options: AnalyzerOptions, peers: PeerTable) {
    this.#options = options;
    this.#peers = peers;
    this.#survival = new SurvivalTable(options.config.analyzer.priorShareLossRatio);
  }

  log10LossOf(health: FileHealth): number {
    return this.#survival.log10Loss(health.counted, health.manifest.k);
  }

  causeOf(health: FileHealth, placements: readonly PlacementView[]): string {
    return causeOf(health, placements, ({ peer }) => this.#peers.row(this.#peers.numberOf(peer)));
  }

  /** Notes what must be written because of new health; `writeList` and `saveHealth` write it. */
  async publish(owned: OwnedPartition, changed: Iterable<FileHealth>): Promise<void> {
    const turns = new Turns(this.#options.clock);
    const atMs = this.#options.clock.nowMs();
    for (const health of changed) {
      owned.list.update(health, this.log10LossOf(health), atMs);
      if (!health.settling) noteUnsaved(owned, health);
      if (turns.over) await turns.next();
    }
  }

  /** Lists files anew of which shares have only moved. */
  async relist(owned: OwnedPartition): Promise<void> {
    const turns = new Turns(this.#options.clock);
    owned.list.beginLooking();
    while (owned.list.touched > 0) {
      owned.list.lookAtTouched(filesALook, (file) => ({
        health: owned.map.health(file, owned.time.watermarkMs),
        placements: owned.map.placements(file),
      }));
      await turns.pause();
    }
  }

  /** Takes files off the list and out of the store that their owners deleted. @returns whether there were any. */
  removeDeleted(owned: OwnedPartition): boolean {
    let removed = false;
    for (const file of owned.deletedFiles) {
      if (isWatched(owned, file)) continue;
      owned.list.remove(file);
      if (owned.published.has(file)) owned.unsavedHealth.set(file, null);
      removed = true;
    }
    owned.deletedFiles.clear();
    return removed;
  }

  /**
   * Gives the log what waits, until nothing does or `goOn` says no; then confirms what did not have to be written.
   * @throws what the log throws; it all waits on then.
   */
  async writeList(owned: OwnedPartition, goOn: () => boolean): Promise<void> {
    const { metrics } = this.#options;
    const { ownership } = owned;
    if (ownership.fenceOffset === null && goOn()) await ownership.fence();
    while (goOn() && !ownership.overtaken) {
      const files = owned.list.takeUnwritten(entriesPerAppend);
      if (files.length === 0) {
        if (!ownership.confirmed && owned.isJudged) owned.list.putBack(await ownership.confirm());
        if (owned.list.waiting === 0) return;
        continue;
      }
      const atMs = this.#options.clock.nowMs();
      const spans: Span[] = [];
      const records = files.map((file) => {
        const health = owned.map.health(file, owned.time.watermarkMs);
        const facts = (): EntryFacts => this.#factsOf(owned, health as FileHealth, atMs);
        const { headers, span } = this.#traceOf(owned, file);
        if (span !== undefined) spans.push(span);
        return {
          partition: owned.number,
          ...owned.list.recordOf(file, health, facts),
          headers: { [generationHeader]: String(owned.assigned.generation), ...headers },
        };
      });
      try {
        owned.list.putBack(await ownership.append(records));
      } catch (error) {
        owned.list.putBack(files);
        for (const span of spans) failSpan(span, error);
        throw error;
      } finally {
        for (const span of spans) span.end();
      }
      metrics.listUpdates.add(records.length);
    }
  }

  #traceOf(owned: OwnedPartition, file: StorageIndex): EntryTrace {
    const { clock, topics } = this.#options;
    return traceEntry(topics.atRisk.name, file, owned.traces.of(file, clock.monotonicMs()), owned.judgedBy);
  }

  #factsOf(owned: OwnedPartition, health: FileHealth, atMs: number): EntryFacts {
    const placements = owned.map.placements(health.storageIndex);
    return {
      atMs,
      ownerGeneration: owned.assigned.generation,
      placements,
      origin: owned.map.find(health.storageIndex)?.registration?.origin ?? 'derived',
      cause: this.causeOf(health, placements),
    };
  }

  /** Gives the store what waits. */
  async saveHealth(owned: OwnedPartition, which: WaitingFiles, guard: WriteGuard, goOn: () => boolean): Promise<void> {
    const { store } = this.#options;
    // A row of the same moment would not be newer.
    const atMs = Math.max(Math.round(this.#options.clock.nowMs()), this.#lastAtMs + 1);
    this.#lastAtMs = atMs;
    const turns = new Turns(this.#options.clock);
    const waiting = [...owned.unsavedHealth.keys(which)];
    for (let from = 0; from < waiting.length && goOn(); from += rowsPerSave) {
      const rows: HealthRow[] = [];
      const gone: GoneFile[] = [];
      for (const file of waiting.slice(from, from + rowsPerSave)) {
        const notedFigures = owned.unsavedHealth.get(file);
        // Meanwhile it was told to be what is stored.
        if (notedFigures === undefined) continue;
        const health = owned.map.health(file, owned.time.watermarkMs);
        const isThere = health !== undefined && !health.settling;
        const figures = isThere ? figuresOf(health) : 0;
        if (isThere && !isStored(owned, health, figures)) rows.push(this.#rowOf(owned, health, figures, atMs));
        if (!isThere && owned.published.delete(file)) gone.push({ ...placeOf(owned), storageIndex: file, atMs });
        // What has changed since it was told may change back, and is not told again then: the file is looked at again.
        if (!isThere || notedFigures === null || notedFigures === figures) owned.unsavedHealth.delete(file);
        if (turns.over) await turns.next();
      }
      await store.saveHealth(rows, guard);
      await store.saveGone(gone, guard);
      await turns.pause();
    }
  }

  #rowOf(owned: OwnedPartition, health: FileHealth, figures: number, atMs: number): HealthRow {
    const file = health.storageIndex;
    const previous = owned.published.get(file);
    const gradeSinceMs = previous?.grade === health.grade ? previous.sinceMs : atMs;
    owned.published.set(file, { grade: health.grade, sinceMs: gradeSinceMs, figures });
    return {
      ...placeOf(owned),
      health,
      atMs,
      previousGrade: previous?.grade ?? null,
      gradeSinceMs,
      // Which placements are silent matters only where some are.
      cause: this.causeOf(health, health.retained > health.available ? owned.map.placements(file) : []),
      log10Loss: this.log10LossOf(health),
    };
  }
}

function noteUnsaved(owned: OwnedPartition, health: FileHealth): void {
  const figures = figuresOf(health);
  if (isStored(owned, health, figures)) owned.unsavedHealth.delete(health.storageIndex);
  else owned.unsavedHealth.set(health.storageIndex, figures);
}

function isStored(owned: OwnedPartition, health: FileHealth, figures: number): boolean {
  const stored = owned.published.get(health.storageIndex);
  return stored !== undefined && stored.grade === health.grade && stored.figures === figures;
}

function placeOf({ number, assigned }: OwnedPartition): { readonly partition: number; readonly generation: number } {
  return { partition: number, generation: assigned.generation };
}
