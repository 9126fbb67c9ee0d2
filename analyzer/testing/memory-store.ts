/** A store in memory that can hang, refuse and be away; what it acknowledged is what a later analyzer finds. */
import { MeshwardError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { AlertChange, OpenAlert } from '../alerts/alert-board.ts';
import type { PeerLife } from '../liveness/peer-liveness.ts';
import type { PeerFacts, StateChange } from '../liveness/peer-register.ts';
import type {
  AnalyzerStore,
  GoneFile,
  HealthRow,
  LivenessMark,
  PartitionChanges,
  StoredLiveness,
  StoredPartition,
  SweepRecord,
} from '../ports.ts';
import type { AppliedOrder, FileRow, PlacementRow } from '../share-map/share-map.ts';

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
  readonly gradeChanges: HealthRow[] = [];
  readonly lives = new Map<PeerId, PeerLife>();
  marks: readonly LivenessMark[] = [];
  readonly peers = new Map<PeerId, PeerFacts>();
  readonly stateChanges: StateChange[] = [];
  readonly alertChanges: AlertChange[] = [];
  readonly sweeps: SweepRecord[] = [];

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

  async loadPartition(partition: number): Promise<StoredPartition> {
    await this.#reachable();
    const { version, placements, files, applied } = this.rows.partition(partition);
    const ofPartition = [...this.rows.health.values()].filter((row) => row.partition === partition);
    return {
      version,
      placements: [...placements.values()],
      files: [...files.values()],
      applied: [...applied.values()],
      grades: ofPartition.map(({ health, gradeSinceMs }) => [
        health.storageIndex,
        { grade: health.grade, sinceMs: gradeSinceMs },
      ]),
    };
  }

  async loadLiveness(): Promise<StoredLiveness> {
    await this.#reachable();
    return { marks: this.rows.marks, lives: new Map(structuredClone([...this.rows.lives])) };
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

  async savePartitions(partitions: readonly PartitionChanges[]): Promise<void> {
    for (const { partition, changes } of partitions) {
      this.#waiting.push(() => {
        const rows = this.rows.partition(partition);
        for (const row of changes.placements) {
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
        this.rows.health.set(row.health.storageIndex, row);
        if (row.gradeChanged) this.rows.gradeChanges.push(row);
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
