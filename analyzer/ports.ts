/** What the analyzer needs of the outside, so that its service can be tested without a database. */

import type { Grade } from '#mesh/grade.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { PeerFacts, StateChange } from '#peers/liveness/peer-register.ts';
import type { StoredLiveness } from '#peers/liveness/stored-lives.ts';
import type { DisputedProofs } from '#store/queries/disputed-proofs.ts';
import type { WriteGuard } from '#store/write-batch.ts';
import type { AlertChange, OpenAlert } from './alerts/alert-board.ts';
import type { ObjectiveCount } from './alerts/objective.ts';
import type { HealthBlock } from './files/partition/published-health.ts';
import type { AppliedOrder, FileRow, PlacementRow } from './files/share-map/kept-rows.ts';
import type { ExposureRow } from './files/share-map/peer-numbering.ts';
import type { FileHealth, SweepTotals } from './files/share-map/share-map.ts';
import type { FileBlock, PlacementBlock } from './files/share-map/stored-blocks.ts';

/** Takes a partition in, block after block; each promise resolves when there is room for the next. */
export interface PartitionSink {
  /** First; deleted ones too, for as long as the store remembers them. */
  files(block: FileBlock): Promise<void>;
  health(block: HealthBlock): Promise<void>;
  /** Last. */
  placements(block: PlacementBlock): Promise<void>;
}

/** What else the store holds of a partition at some offset of the log. */
export interface StoredPartition {
  /** The largest log offset that anything in it reaches up to; 0 where nothing is stored. */
  readonly version: number;
  readonly applied: readonly AppliedOrder[];
  /** Files that have a health in the store and are not watched. */
  readonly strays: readonly StorageIndex[];
}

export interface PartitionChanges {
  readonly partition: number;
  /** The log offset that the changes reach up to: a row with a larger one is newer. */
  readonly version: number;
  readonly changes: StoreChanges;
}

export interface StoreChanges {
  readonly files: readonly FileRow[];
  /** As they were when the changes were asked for: placements that follow from them are in `placements`. */
  readonly applied: readonly AppliedOrder[];
  /** Taken while they are read, so that they never stand in memory together. */
  readonly placements: AsyncIterable<PlacementBlock> | Iterable<PlacementBlock>;
}

export interface HealthRow {
  readonly partition: number;
  /** Of the partition's owner: a row of a larger one is newer, whatever the clocks say. */
  readonly generation: number;
  readonly health: FileHealth;
  readonly atMs: number;
  /** Null where the file had none before. Another one than the health's is a change, which the store keeps besides. */
  readonly previousGrade: Grade | null;
  readonly gradeSinceMs: number;
  readonly cause: string;
  readonly log10Loss: number;
}

/** A file that has a health in the store and is no more. */
export interface GoneFile {
  readonly partition: number;
  readonly generation: number;
  readonly storageIndex: StorageIndex;
  readonly atMs: number;
}

/** The whole mesh as sweeps found it. */
export interface SweepRecord {
  readonly totals: SweepTotals;
  readonly atMs: number;
}

/** What is kept of a sweep of the whole mesh. */
export type StoredSweep = Pick<SweepTotals, 'byPolicy' | 'byMargin'> & { readonly atMs: number };

/** What the loss of one domain would do to the files of this analyzer; kind `peer` is a single peer. */
export interface ExposureRecord extends ExposureRow {
  readonly kind: string;
  readonly domain: string;
  readonly atMs: number;
}

/** Where rows of a file stand. */
export interface FilePlace {
  readonly partition: number;
  readonly storageIndex: StorageIndex;
}

export interface StoredFile {
  /** Null where nobody has said what it is. Deleted ones are told of for as long as the store remembers them. */
  readonly file: FileRow | null;
  readonly placements: readonly PlacementRow[];
}

export interface WorstQuery {
  readonly limit: number;
  readonly worstUpTo: Grade;
  readonly exceptPartitions: readonly number[];
}

export interface WorstFiles {
  /** The worst first. */
  readonly files: readonly FilePlace[];
  /** Of all that the query fits. */
  readonly total: number;
}

export interface AnalyzerStore {
  /** @throws MeshwardError `store-unavailable` half-way too: then what went into the sink is of no use. */
  /**
   * Says who owns a partition from now on, before anything of it is read: histories take nothing more of earlier owners.
   * @returns whether nobody has ever owned it in this database.
   * @throws MeshwardError `store-unavailable` while the store is away.
   */
  claimPartition(partition: number, generation: number): Promise<boolean>;
  loadPartition(partition: number, into: PartitionSink): Promise<StoredPartition>;
  /** Those of which anything is known, in the order of the places. */
  loadFiles(places: readonly FilePlace[]): Promise<readonly StoredFile[]>;
  loadWorst(query: WorstQuery): Promise<WorstFiles>;
  loadLiveness(): Promise<StoredLiveness>;
  /** Alerts of the mesh that were firing when they were last told of, whoever told it. */
  loadOpenAlerts(): Promise<readonly OpenAlert[]>;
  /** The last one of the whole mesh; null where none is kept any more. */
  loadLastSweep(): Promise<StoredSweep | null>;
  /** Files of which the newest proof since then says otherwise than their margin. */
  loadDisputedProofs(sinceMs: number): Promise<DisputedProofs>;
  /** Files by whether they keep the objective, oldest first, in steps of at least a minute and at most as many. */
  loadObjectiveHistory(sinceMs: number, maxSteps: number): Promise<readonly ObjectiveCount[]>;
  /** Placements and files are in the store before the orders that they are applied up to. */
  savePartitions(partitions: readonly PartitionChanges[]): Promise<void>;
  /** Lives are in the store before the marks that they reach up to. @param liveness every mark, and the lives that changed. */
  saveLiveness(liveness: StoredLiveness): Promise<void>;
  /** @param guard asked when they are sent: rows of a partition that has moved are left out. */
  saveHealth(rows: readonly HealthRow[], guard: WriteGuard): Promise<void>;
  saveGone(files: readonly GoneFile[], guard: WriteGuard): Promise<void>;
  saveSweeps(sweeps: readonly SweepRecord[]): Promise<void>;
  saveExposure(rows: readonly ExposureRecord[]): Promise<void>;
  savePeers(peers: readonly PeerFacts[], atMs: number): Promise<void>;
  saveStateChanges(changes: readonly StateChange[], atMs: number): Promise<void>;
  saveAlerts(changes: readonly AlertChange[]): Promise<void>;
  /** Resolves when all that was saved before is acknowledged. Waits while the store is away. */
  flush(): Promise<void>;
  /** Since when rows have been waiting, or null where none are. */
  waitingSinceMs(): number | null;
  /** Why it cannot be used yet, where it is still being opened; null or undefined else. */
  readonly trouble?: unknown;
}
