/** A store in memory that can hang, refuse and be away; what it acknowledged is what a later analyzer finds. */

import { MeshwardError } from '#mesh/errors.ts';
import { compareGrades, grades } from '#mesh/grade.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { PeerLife } from '#peers/liveness/peer-liveness.ts';
import type { PeerFacts, StateChange } from '#peers/liveness/peer-register.ts';
import type { LivenessMark, StoredLiveness } from '#peers/liveness/stored-lives.ts';
import type { DisputedProofs } from '#store/queries/disputed-proofs.ts';
import type { AlertChange, OpenAlert } from '../alerts/alert-board.ts';
import { type ObjectiveCount, objectiveCount } from '../alerts/objective.ts';
import { figuresOf } from '../files/partition/published-health.ts';
import type { AppliedOrder, FileRow, PlacementRow } from '../files/share-map/kept-rows.ts';
import {
  fileBlockOf,
  placementBlockOf,
  placementRowsOf,
  storageIndexColumn,
} from '../files/share-map/stored-blocks.ts';
import type {
  AnalyzerStore,
  ExposureRecord,
  FilePlace,
  GoneFile,
  HealthRow,
  PartitionChanges,
  PartitionSink,
  StoredFile,
  StoredPartition,
  StoredSweep,
  SweepRecord,
  WorstFiles,
  WorstQuery,
} from '../ports.ts';

type Mode = 'well' | 'hanging' | 'refusing';

class PartitionRows {
  version = 0;
  readonly placements = new Map<string, PlacementRow>();
  readonly files = new Map<StorageIndex, FileRow>();
  readonly applied = new Map<PeerId, AppliedOrder>();
}

/** What the database holds. */
export class DurableRows {
  readonly partitions = new Map<number, PartitionRows>();
  readonly health = new Map<StorageIndex, HealthRow>();
  /** The newest generation that claimed each partition. */
  readonly owners = new Map<number, number>();
  readonly gradeChanges: HealthRow[] = [];
  readonly lives = new Map<PeerId, PeerLife>();
  marks: readonly LivenessMark[] = [];
  readonly peers = new Map<PeerId, PeerFacts>();
  readonly stateChanges: StateChange[] = [];
  readonly alertChanges: AlertChange[] = [];
  readonly sweeps: SweepRecord[] = [];
  readonly exposure: ExposureRecord[] = [];
  /** Rows of health by file, however often each was written. */
  healthWrites = 0;

  partition(number: number): PartitionRows {
    let rows = this.partitions.get(number);
    if (rows === undefined) this.partitions.set(number, (rows = new PartitionRows()));
    return rows;
  }
}

export class MemoryStore implements AnalyzerStore {
  readonly rows: DurableRows;
  away = false;
  refusedLoads = 0;
  /** Writes that reached the database; the next ones hang after as many as this. */
  hangAfterWrites = Number.POSITIVE_INFINITY;
  #mode: Mode = 'well';
  #writes = 0;
  #released = Promise.withResolvers<void>();
  #waiting: (() => void)[] = [];
  #waitingSinceMs: number | null = null;
  readonly #nowMs: () => number;

  constructor(nowMs: () => number, rows = new DurableRows()) {
    this.#nowMs = nowMs;
    this.rows = rows;
  }

  hang(): void {
    this.#mode = 'hanging';
  }

  refuse(): void {
    this.#mode = 'refusing';
  }

  recover(): void {
    this.#mode = 'well';
    this.hangAfterWrites = Number.POSITIVE_INFINITY;
    this.#released.resolve();
    this.#released = Promise.withResolvers();
  }

  /** The same database for an analyzer that comes after one that was killed: what was not acknowledged is gone. */
  successor(): MemoryStore {
    this.hang();
    return new MemoryStore(this.#nowMs, this.rows);
  }

  async claimPartition(partition: number, generation: number): Promise<boolean> {
    await this.#reachable();
    const known = this.rows.owners.get(partition);
    this.rows.owners.set(partition, Math.max(known ?? 0, generation));
    return known === undefined;
  }

  async loadPartition(partition: number, into: PartitionSink): Promise<StoredPartition> {
    await this.#reachable();
    const { version, placements, files, applied } = this.rows.partition(partition);
    const health = [...this.rows.health.values()].filter((row) => row.partition === partition);
    await into.files(fileBlockOf([...files.values()]));
    await into.health({
      count: health.length,
      storageIndexes: storageIndexColumn(health.map((row) => row.health.storageIndex)),
      grades: Uint8Array.from(health, (row) => grades.indexOf(row.health.grade) + 1),
      sinceMs: Float64Array.from(health, (row) => row.gradeSinceMs),
      figures: Uint32Array.from(health, (row) => figuresOf(row.health)),
    });
    await into.placements(placementBlockOf([...placements.values()]));
    const watched = new Set([...files.values()].flatMap((row) => (row.deleted ? [] : row.manifest.storageIndex)));
    const strays = health.map((row) => row.health.storageIndex).filter((file) => !watched.has(file));
    return { version, applied: [...applied.values()], strays };
  }

  async loadFiles(places: readonly FilePlace[]): Promise<readonly StoredFile[]> {
    await this.#reachable();
    return places.flatMap(({ partition, storageIndex }) => {
      const rows = this.rows.partition(partition);
      const file = rows.files.get(storageIndex) ?? null;
      const placements = [...rows.placements.values()].filter((row) => row.storageIndex === storageIndex);
      return file === null && placements.length === 0 ? [] : [{ file, placements }];
    });
  }

  async loadWorst({ limit, worstUpTo, exceptPartitions }: WorstQuery): Promise<WorstFiles> {
    await this.#reachable();
    const fitting = [...this.rows.health.values()]
      .filter(({ partition, health }) => {
        return !exceptPartitions.includes(partition) && compareGrades(health.grade, worstUpTo) <= 0;
      })
      .sort((a, b) => compareGrades(a.health.grade, b.health.grade) || a.health.margin - b.health.margin);
    const files = fitting.map(({ partition, health }) => ({ partition, storageIndex: health.storageIndex }));
    return { files: files.slice(0, limit), total: files.length };
  }

  async loadLiveness(): Promise<StoredLiveness> {
    await this.#reachable();
    return { marks: this.rows.marks, lives: new Map(structuredClone([...this.rows.lives])) };
  }

  async loadLastSweep(): Promise<StoredSweep | null> {
    await this.#reachable();
    const last = this.rows.sweeps.at(-1);
    return last === undefined ? null : { ...last.totals, atMs: last.atMs };
  }

  async loadDisputedProofs(): Promise<DisputedProofs> {
    await this.#reachable();
    return { files: 0, bytes: 0, examples: [] };
  }

  async loadOpenAlerts(): Promise<readonly OpenAlert[]> {
    await this.#reachable();
    const open = new Map<string, OpenAlert>();
    for (const { id, alert, sinceMs, state } of this.rows.alertChanges) {
      if (state === 'resolved') open.delete(id);
      else open.set(id, { id, alert, sinceMs });
    }
    return [...open.values()];
  }

  async loadObjectiveHistory(sinceMs: number): Promise<readonly ObjectiveCount[]> {
    await this.#reachable();
    return this.rows.sweeps
      .filter(({ atMs }) => atMs >= sinceMs)
      .map(({ totals, atMs }) => objectiveCount(totals, atMs));
  }

  async savePartitions(partitions: readonly PartitionChanges[]): Promise<void> {
    for (const { partition, changes } of partitions) {
      const placements: PlacementRow[] = [];
      for await (const block of changes.placements) placements.push(...placementRowsOf(block));
      this.#waiting.push(() => {
        const rows = this.rows.partition(partition);
        for (const row of placements) {
          const key = `${row.storageIndex}/${row.shareNumber}/${row.peer}`;
          if (row.state === 'lost') rows.placements.delete(key);
          else rows.placements.set(key, row);
        }
        for (const row of changes.files) rows.files.set(row.manifest.storageIndex, row);
      });
    }
    await this.flush();
    for (const { partition, version, changes } of partitions) {
      this.#waiting.push(() => {
        const rows = this.rows.partition(partition);
        rows.version = Math.max(rows.version, version);
        for (const row of changes.applied) rows.applied.set(row.peer, row);
      });
    }
  }

  async saveLiveness({ marks, lives }: StoredLiveness): Promise<void> {
    const copies = structuredClone([...lives]);
    this.#waiting.push(() => {
      for (const [peer, life] of copies) this.rows.lives.set(peer, life);
    });
    await this.flush();
    this.#waiting.push(() => {
      this.rows.marks = marks;
    });
  }

  saveHealth(rows: readonly HealthRow[]): Promise<void> {
    return this.#add(() => {
      for (const row of rows) {
        const known = this.rows.health.get(row.health.storageIndex);
        if (known === undefined || row.generation >= known.generation)
          this.rows.health.set(row.health.storageIndex, row);
        const isOwners = row.generation >= (this.rows.owners.get(row.partition) ?? 0);
        if (isOwners && row.previousGrade !== row.health.grade) this.rows.gradeChanges.push(row);
      }
    });
  }

  saveGone(files: readonly GoneFile[]): Promise<void> {
    return this.#add(() => {
      for (const { storageIndex } of files) this.rows.health.delete(storageIndex);
    });
  }

  saveSweeps(sweeps: readonly SweepRecord[]): Promise<void> {
    return this.#add(() => this.rows.sweeps.push(...sweeps));
  }

  saveExposure(rows: readonly ExposureRecord[]): Promise<void> {
    return this.#add(() => this.rows.exposure.push(...rows));
  }

  savePeers(peers: readonly PeerFacts[]): Promise<void> {
    return this.#add(() => {
      for (const facts of peers) this.rows.peers.set(facts.peer, facts);
    });
  }

  saveStateChanges(changes: readonly StateChange[]): Promise<void> {
    return this.#add(() => this.rows.stateChanges.push(...changes));
  }

  saveAlerts(changes: readonly AlertChange[]): Promise<void> {
    return this.#add(() => this.rows.alertChanges.push(...changes));
  }

  async flush(): Promise<void> {
    if (this.#waiting.length === 0) return;
    this.#waitingSinceMs ??= this.#nowMs();
    if (this.#writes >= this.hangAfterWrites) this.#mode = 'hanging';
    while (this.#mode === 'hanging') await this.#released.promise;
    if (this.#mode === 'refusing') {
      throw new MeshwardError('store-refused', 'the database refuses the rows', { next: 'Look into its log.' });
    }
    for (const write of this.#waiting.splice(0)) write();
    this.#writes++;
    this.#waitingSinceMs = null;
  }

  waitingSinceMs(): number | null {
    return this.#waitingSinceMs;
  }

  #add(write: () => unknown): Promise<void> {
    this.#waiting.push(write);
    return Promise.resolve();
  }

  #reachable(): Promise<void> {
    if (!this.away) return Promise.resolve();
    this.refusedLoads++;
    return Promise.reject(
      new MeshwardError('store-unavailable', 'the database is away', { next: 'Start it.', retryable: true }),
    );
  }
}
