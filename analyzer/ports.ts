/** What the analyzer needs of the outside, so that its service can be tested without a database. */

import type { Grade } from '#mesh/grade.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { AlertChange } from './alerts/recoverability.ts';
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

/** A partition as the store holds it at some offset of the log, or earlier. */
export interface StoredPartition {
  readonly placements: Iterable<PlacementRow>;
  readonly files: Iterable<FileRow>;
  readonly applied: Iterable<AppliedOrder>;
  /** The grade that was stored last for each file, and since when the file has it. */
  readonly grades: Iterable<readonly [StorageIndex, PublishedGrade]>;
}

export interface PublishedGrade {
  readonly grade: Grade;
  readonly sinceMs: number;
}

export interface StoredLiveness {
  /** The next offset to read of each partition of peer-events; null where nothing is stored. */
  readonly offsets: readonly number[] | null;
  readonly watermarkMs: number;
  readonly elapsedMs: number;
  readonly lives: ReadonlyMap<PeerId, PeerLife>;
}

export interface HealthRow {
  readonly partition: number;
  readonly health: FileHealth;
  readonly gradeChanged: boolean;
  /** Null where the file had none before. */
  readonly previousGrade: Grade | null;
  readonly gradeSinceMs: number;
  readonly cause: string;
  readonly log10Loss: number;
}

export interface AnalyzerStore {
  loadPartition(partition: number): Promise<StoredPartition>;
  loadLiveness(): Promise<StoredLiveness>;
  /** @param version the log offset that the changes reach up to: a row with a larger one is newer. */
  savePartition(partition: number, version: number, changes: ShareMapChanges): Promise<void>;
  saveLiveness(liveness: StoredLiveness): Promise<void>;
  saveHealth(rows: readonly HealthRow[], atMs: number): Promise<void>;
  saveSweep(totals: SweepTotals, atMs: number): Promise<void>;
  savePeers(peers: readonly PeerFacts[], atMs: number): Promise<void>;
  saveStateChanges(changes: readonly StateChange[], atMs: number): Promise<void>;
  saveAlerts(changes: readonly AlertChange[]): Promise<void>;
  /** Resolves when all that was saved before is acknowledged. Waits while the store is away. */
  flush(): Promise<void>;
  /** Since when rows have been waiting in vain, or null where the store answers. */
  waitingSinceMs(): number | null;
}
