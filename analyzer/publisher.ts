/** What becomes of a file's new health: an entry or tombstone on the at-risk list, a row in the store. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { AnalyzerOptions } from './options.ts';
import { causeOf } from './partition/cause.ts';
import type { OwnedPartition } from './partition/owned-partition.ts';
import { isWatched } from './partition/rebuild.ts';
import type { EntryFacts } from './partition/standing-list.ts';
import type { GoneFile, HealthRow } from './ports.ts';
import { SurvivalTable } from './risk/survival.ts';
import type { PeerTable } from './share-map/peer-table.ts';
import type { FileHealth, PlacementView } from './share-map/share-map.ts';

/** Entries of one append: some 100 shares each, so about a megabyte. */
const entriesPerAppend = 200;
const rowsPerSave = 1000;

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
  publish(owned: OwnedPartition, changed: readonly FileHealth[]): void {
    const atMs = this.#options.clock.nowMs();
    for (const health of changed) {
      owned.list.update(health, this.log10LossOf(health), atMs);
      if (!health.settling) owned.unsavedHealth.add(health.storageIndex);
    }
  }

  /** Takes files off the list and out of the store that their owners deleted. @returns whether there were any. */
  removeDeleted(owned: OwnedPartition): boolean {
    let removed = false;
    for (const file of owned.deletedFiles) {
      if (isWatched(owned, file)) continue;
      owned.list.remove(file);
      if (owned.publishedGrades.has(file)) owned.unsavedHealth.add(file);
      removed = true;
    }
    owned.deletedFiles.clear();
    return removed;
  }

  /** Gives the log what waits, until nothing does or `goOn` says no. @throws what the log throws; it all waits on then. */
  async writeList(owned: OwnedPartition, goOn: () => boolean): Promise<void> {
    const { log, topics, metrics } = this.#options;
    while (goOn()) {
      const files = owned.list.takeUnwritten(entriesPerAppend);
      if (files.length === 0) return;
      const atMs = this.#options.clock.nowMs();
      const records = files.map((file) => {
        const health = owned.map.health(file, owned.time.watermarkMs);
        const facts = (): EntryFacts => this.#factsOf(owned, health as FileHealth, atMs);
        return {
          partition: owned.number,
          ...owned.list.recordOf(file, health, facts),
          ...owned.traces.headersOf(file),
        };
      });
      try {
        await log.append(topics.atRisk.name, records);
      } catch (error) {
        owned.list.putBack(files);
        throw error;
      }
      metrics.listUpdates.add(records.length);
    }
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
  async saveHealth(owned: OwnedPartition, goOn: () => boolean): Promise<void> {
    const { store } = this.#options;
    // A row of the same moment would not be newer.
    const atMs = Math.max(Math.round(this.#options.clock.nowMs()), this.#lastAtMs + 1);
    this.#lastAtMs = atMs;
    const waiting = [...owned.unsavedHealth];
    for (let from = 0; from < waiting.length && goOn(); from += rowsPerSave) {
      const rows: HealthRow[] = [];
      const gone: GoneFile[] = [];
      for (const file of waiting.slice(from, from + rowsPerSave)) {
        owned.unsavedHealth.delete(file);
        const row = this.#rowOf(owned, file, atMs);
        if (row !== undefined) rows.push(row);
        else if (owned.publishedGrades.delete(file)) gone.push({ partition: owned.number, storageIndex: file, atMs });
      }
      await store.saveHealth(rows);
      await store.saveGone(gone);
      await nextTurn();
    }
  }

  #rowOf(owned: OwnedPartition, file: StorageIndex, atMs: number): HealthRow | undefined {
    const health = owned.map.health(file, owned.time.watermarkMs);
    if (health === undefined || health.settling) return undefined;
    const previous = owned.publishedGrades.get(file);
    const gradeChanged = previous?.grade !== health.grade;
    const gradeSinceMs = previous === undefined || gradeChanged ? atMs : previous.sinceMs;
    owned.publishedGrades.set(file, { grade: health.grade, sinceMs: gradeSinceMs });
    return {
      partition: owned.number,
      health,
      atMs,
      gradeChanged,
      previousGrade: previous?.grade ?? null,
      gradeSinceMs,
      cause: this.causeOf(health, owned.map.placements(file)),
      log10Loss: this.log10LossOf(health),
    };
  }
}
