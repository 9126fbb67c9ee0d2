/** What becomes of a file's new health: an entry or tombstone on the at-risk list, a row in the store. */
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { AnalyzerOptions } from './options.ts';
import { causeOf } from './partition/cause.ts';
import type { OwnedPartition } from './partition/owned-partition.ts';
import type { ListContext, ListRecord } from './partition/standing-list.ts';
import type { HealthRow } from './ports.ts';
import { SurvivalTable } from './risk/survival.ts';
import type { PeerTable } from './share-map/peer-table.ts';
import type { FileHealth, PlacementView } from './share-map/share-map.ts';

export class Publisher {
  readonly #options: AnalyzerOptions;
  readonly #peers: PeerTable;
  readonly #survival: SurvivalTable;
  /** Entries that the log has not taken yet: the newest of each file, so never more than there are files. */
  readonly #pending = new Map<number, Map<StorageIndex, ListRecord>>();

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

  async publish(owned: OwnedPartition, changed: readonly FileHealth[]): Promise<void> {
    if (changed.length === 0) return;
    const atMs = this.#options.clock.nowMs();
    const context = this.#context(owned, atMs);
    const rows: HealthRow[] = [];
    for (const health of changed) {
      this.#queue(owned, health.storageIndex, owned.list.update(health, context));
      if (health.settling) continue;
      const previous = owned.publishedGrades.get(health.storageIndex);
      const gradeChanged = previous?.grade !== health.grade;
      const gradeSinceMs = previous === undefined || gradeChanged ? atMs : previous.sinceMs;
      owned.publishedGrades.set(health.storageIndex, { grade: health.grade, sinceMs: gradeSinceMs });
      rows.push({
        partition: owned.assigned.partition,
        health,
        gradeChanged,
        previousGrade: previous?.grade ?? null,
        gradeSinceMs,
        cause: this.causeOf(health, owned.map.placements(health.storageIndex)),
        log10Loss: this.log10LossOf(health),
      });
    }
    await this.#options.store.saveHealth(rows, atMs);
  }

  /** Takes files off the list that their owners deleted. */
  removeDeleted(owned: OwnedPartition): void {
    for (const file of [...owned.list.files()]) {
      if (owned.map.find(file)?.deleted !== false) this.#queue(owned, file, owned.list.remove(file));
    }
  }

  /** Gives the log what waits. @throws what the log throws; everything stays queued then. */
  async flush(): Promise<void> {
    const { log, topics, metrics } = this.#options;
    for (const [partition, pending] of this.#pending) {
      if (pending.size === 0) continue;
      const entries = [...pending];
      await log.append(
        topics.atRisk.name,
        entries.map(([, record]) => ({ partition, ...record })),
      );
      for (const [file, record] of entries) if (pending.get(file) === record) pending.delete(file);
      metrics.listUpdates.add(entries.length);
    }
  }

  drop(partition: number): void {
    this.#pending.delete(partition);
  }

  #queue(owned: OwnedPartition, file: StorageIndex, record: ListRecord | null): void {
    if (record === null) return;
    const { partition } = owned.assigned;
    let ofPartition = this.#pending.get(partition);
    if (ofPartition === undefined) this.#pending.set(partition, (ofPartition = new Map()));
    ofPartition.set(file, record);
  }

  #context(owned: OwnedPartition, atMs: number): ListContext {
    return {
      atMs,
      ownerGeneration: owned.assigned.generation,
      log10LossOf: (shares, k) => this.#survival.log10Loss(shares, k),
      placementsOf: (file) => owned.map.placements(file),
      originOf: (file) => owned.map.find(file)?.registration?.origin ?? 'derived',
      causeOf: (health, placements) => this.causeOf(health, placements),
    };
  }
}
