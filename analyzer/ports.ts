/** What the analyzer needs of the outside, so that its service can be tested without a database. */

import type { Grade } from '#mesh/grade.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { AlertChange, OpenAlert } from './alerts/alert-board.ts';
import type { LogMoment } from './liveness/log-time.ts';
import type { PeerLife } from './liveness/peer-liveness.ts';
import type { PeerFacts, StateChange } from './liveness/peer-register.ts';
import type {
  AppliedOrder,
  FileHealth,
  FileRow,
  PlacementRow,
  ShareMapChanges,
  SweepTotals,
} from './share-map/share-map.ts';

/** A partition as the store holds it at some offset of the log. */
export interface StoredPartition {
  /** The largest log offset that anything in here reaches up to; 0 where nothing is stored. */
  readonly version: number;
  readonly placements: Iterable<PlacementRow>;
  /** Deleted ones too, for as long as the store remembers them. */
  readonly files: Iterable<FileRow>;
  readonly applied: Iterable<AppliedOrder>;
  /** The grade that was stored last for each file, and since when the file has it. */
  readonly grades: Iterable<readonly [StorageIndex, PublishedGrade]>;
}

export interface PublishedGrade {
  readonly grade: Grade;
  readonly sinceMs: number;
}

/** How far a partition of peer-events is in the lives, and its time there. */
export interface LivenessMark extends LogMoment {
  readonly nextOffset: number;
}

export interface StoredLiveness {
  /** By partition of peer-events; empty where nothing is stored. */
  readonly marks: readonly LivenessMark[];
  readonly lives: ReadonlyMap<PeerId, PeerLife>;
}

export interface PartitionChanges {
  readonly partition: number;
  /** The log offset that the changes reach up to: a row with a larger one is newer. */
  readonly version: number;
  readonly changes: ShareMapChanges;
}

export interface HealthRow {
  readonly partition: number;
  readonly health: FileHealth;
  readonly atMs: number;
  readonly gradeChanged: boolean;
  /** Null where the file had none before. */
  readonly previousGrade: Grade | null;
  readonly gradeSinceMs: number;
  readonly cause: string;
  readonly log10Loss: number;
}

/** A file that has a health in the store and is no more. */
export interface GoneFile {
  readonly partition: number;
  readonly storageIndex: StorageIndex;
  readonly atMs: number;
}

export interface SweepRecord {
  readonly totals: SweepTotals;
  readonly atMs: number;
}

export interface AnalyzerStore {
  loadPartition(partition: number): Promise<StoredPartition>;
  loadLiveness(): Promise<StoredLiveness>;
  /** Alerts of this analyzer that were firing when it was last heard of. */
  loadOpenAlerts(): Promise<readonly OpenAlert[]>;
  /** Placements and files are in the store before the orders that they are applied up to. */
  savePartitions(partitions: readonly PartitionChanges[]): Promise<void>;
  /** Lives are in the store before the marks that they reach up to. @param liveness every mark, and the lives that changed. */
  saveLiveness(liveness: StoredLiveness): Promise<void>;
  saveHealth(rows: readonly HealthRow[]): Promise<void>;
  saveGone(files: readonly GoneFile[]): Promise<void>;
  saveSweeps(sweeps: readonly SweepRecord[]): Promise<void>;
  savePeers(peers: readonly PeerFacts[], atMs: number): Promise<void>;
  saveStateChanges(changes: readonly StateChange[], atMs: number): Promise<void>;
  saveAlerts(changes: readonly AlertChange[]): Promise<void>;
  /** Resolves when all that was saved before is acknowledged. Waits while the store is away. */
  flush(): Promise<void>;
  /** Since when rows have been waiting, or null where none are. */
  waitingSinceMs(): number | null;
}
