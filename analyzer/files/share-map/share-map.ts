/** The availability of every share of every file in one partition: what the log has said, in the peers' own order. */

import type { Coding } from '#mesh/coding.ts';
import type { FileRegistration, PeerBatch, ShareFinding } from '#mesh/events/share-batch.ts';
import type { Grade } from '#mesh/grade.ts';
import type { Manifest } from '#mesh/manifest.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { Policy } from '#mesh/policy.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { AppliedOrder, FileRow, PlacementRow } from './kept-rows.ts';
import type { Exposure } from './peer-numbering.ts';
import type { PeerProgress } from './peer-progress.ts';
import type { PeerTable } from './peer-table.ts';
import type { FileBlock, PlacementBlock } from './stored-blocks.ts';

export interface ApplyOutcome {
  /** False where the batch was at or below the last one applied of its peer: nothing happened. */
  readonly applied: boolean;
  readonly events: number;
  /** Placements that an inventory's end took away, since it had not named them. */
  readonly forgotten: number;
  /** Registrations that contradict what is known of the file. */
  readonly conflicts: number;
}

/** What a sweep finds for one file. */
export interface FileHealth {
  readonly storageIndex: StorageIndex;
  readonly manifest: Manifest;
  readonly tag: string;
  readonly policy: Policy;
  /** Distinct share numbers on peers that can be asked now. */
  readonly available: number;
  /** Available, or on peers within their grace or a maintenance window: what the repair trigger looks at. */
  readonly counted: number;
  /** Distinct share numbers on peers that are not departed. */
  readonly retained: number;
  readonly corrupt: number;
  readonly margin: number;
  readonly grade: Grade;
  /**
   * The file is new and its shares are still being reported: it has never had enough of them, and has been known for less
   * than the settling time. It is not judged yet: an upload, or peers that join one by one, are no loss.
   */
  readonly settling: boolean;
  readonly distinctPeers: number;
  /** The largest matching of distinct up peers to distinct share numbers. */
  readonly happiness: number;
  /**
   * The fewest peers whose loss leaves fewer than k available shares: exact where no share number is available twice,
   * otherwise a lower bound. 0 where fewer than k are available already.
   */
  readonly tolerancePeers: number;
  /** The same for each kind of failure domain that the holding peers name. */
  readonly toleranceDomains: Readonly<Record<string, number>>;
}

export interface PlacementView {
  readonly shareNumber: number;
  readonly peer: PeerId;
  readonly corrupt: boolean;
  readonly available: boolean;
  readonly counted: boolean;
}

export interface SweepTotals {
  readonly files: number;
  readonly bytes: number;
  /** Files whose manifest nobody has sent yet: their placements are kept, their margin is unknown. */
  readonly filesWithoutManifest: number;
  /** New files that are not judged yet; they stand in no grade. */
  readonly settlingFiles: number;
  readonly byGrade: ReadonlyMap<Grade, { files: number; bytes: number }>;
  /**
   * Files that would need repair though every peer in its grace or a maintenance window were up, by the grade that they would have
   * then. Left out where that is not known.
   */
  readonly byCountedGrade?: ReadonlyMap<Grade, { files: number; bytes: number }> | undefined;
  /** By policy name, then grade. */
  readonly byPolicy: ReadonlyMap<string, ReadonlyMap<Grade, { files: number; bytes: number }>>;
  /** By policy name, then margin. */
  readonly byMargin: ReadonlyMap<string, ReadonlyMap<number, { files: number; bytes: number }>>;
}

/** Judged files that have enough available shares, of which by the confidence in their peers fewer may be expected. */
export interface ExpectedShortfall {
  readonly filesBelowK: number;
  readonly filesBelowRepair: number;
}

export interface Sweep {
  readonly totals: SweepTotals;
  /** Files whose health is not what the last sweep or look found. */
  readonly changed: readonly FileHealth[];
}

/** A sweep of which the event loop was not held up. */
export interface SweepBeside {
  readonly totals: SweepTotals;
  readonly exposure: Exposure;
  readonly changedCount: number;
  /** Changed files beyond the bound: the next sweep tells of them. */
  readonly changedLater: number;
  /** Files whose health is not what the last sweep or look found, made one by one: so that a reader can pause. */
  changed(): Iterable<FileHealth>;
}

/** Files that batches touched, as a bounded look found them. */
export interface Look {
  readonly changed: readonly FileHealth[];
  /** Touched files that this look left for the next. */
  readonly left: number;
}

export interface ShareMapChanges {
  readonly placements: readonly PlacementRow[];
  readonly files: readonly FileRow[];
  readonly applied: readonly AppliedOrder[];
}

/** What a share map goes on from. */
export interface StoredShareMap {
  readonly placements: Iterable<PlacementRow>;
  readonly files: Iterable<FileRow>;
  readonly applied: Iterable<AppliedOrder>;
  /** Files that were judged before: a restart must not take them for new ones. */
  readonly settled?: Iterable<StorageIndex>;
}

/** How a file that is known only to be deleted stands in the store. */
export function unknownRegistration(storageIndex: StorageIndex): FileRegistration {
  const manifest: Manifest = { storageIndex, uebHash: new Uint8Array(32), k: 0, n: 0, sizeBytes: 0 };
  return { manifest, origin: 'derived', tag: '' };
}

export interface ShareMapOptions {
  readonly peers: PeerTable;
  readonly policyFor: (coding: Coding, tag: string) => Policy;
  /** Files beyond this are refused and counted in `refusedFiles`; `limit` changes that. */
  readonly maxFiles: number;
  /** How long a new file may take to show its shares before it is judged. */
  readonly settleMs: number;
}

/** What a map may hold at the moment; where partitions share one limit, it moves. */
export interface ShareMapLimits {
  /** Up to so many files, events make another one known. */
  readonly files: number;
  /** So many files may be registered, whatever else is there: those of owners find room first. */
  readonly registeredFiles: number;
  /** Placements that one peer may hold in files of which nobody has said what they are. */
  readonly unregisteredPerPeer: number;
}

export interface ShareMap {
  limit(limits: ShareMapLimits): void;
  /**
   * A peer has left: what it holds in files of which nobody has said what they are goes, by and by as `reap` is called. What it holds of others
   * says why they have few shares.
   */
  freeUnregistered(peer: PeerId): void;
  /** @param atMs the log's time (its newest tick); the same for every `atMs` below. */
  apply(batch: PeerBatch, atMs: number): ApplyOutcome;
  /**
   * A reader found that a placement is not sound. It holds until the peer says that it verified the share; a placement that is not
   * known is not brought by it. @returns whether anything changed.
   */
  applyFinding(finding: ShareFinding): boolean;
  /** Every file once. */
  sweep(atMs: number): Sweep;
  /** Every file, beside the event loop; one at a time. @param mostChanged bounds what is told of. */
  sweepBeside(atMs: number, mostChanged: number): Promise<SweepBeside>;
  /** Only the files that batches touched since the last look: cheap, for prompt news between sweeps. */
  lookAtTouched(atMs: number): readonly FileHealth[];
  /** The same, at no more than so many files. */
  lookAtSome(atMs: number, mostFiles: number): Look;
  /** Frees a part of what ends of inventories took away, and notes it as changed. @returns whether some is left. */
  reap(): boolean;
  health(file: StorageIndex, atMs: number): FileHealth | undefined;
  /** Whether anything is known of the file, and its manifest if so. */
  find(file: StorageIndex): { readonly registration: FileRegistration | null; readonly deleted: boolean } | undefined;
  placements(file: StorageIndex): readonly PlacementView[];
  /** What changed since the last call and belongs into the store. */
  takeChanges(): ShareMapChanges;
  /** Changed files and orders alone; what they say of placements is in those that are taken after. */
  takeFileChanges(): Pick<ShareMapChanges, 'files' | 'applied'>;
  /** Changed placements, each as it is at the call. `left` are still to be taken. */
  takePlacements(mostRows: number): PlacementBlock & { readonly left: number };
  load(rows: StoredShareMap): void;
  /** In blocks out of the store: files first, then what is known of them, then placements. */
  loadFiles(block: FileBlock): void;
  /** Files that were judged before. @param storageIndexes 16 bytes each. */
  markSettled(storageIndexes: Uint8Array): void;
  loadPlacements(block: PlacementBlock): void;
  /** How far the batches of each peer are applied, and which inventories are under way or owed. */
  readonly progress: PeerProgress;
  readonly fileCount: number;
  /** Of these, those of which somebody has said what they are. */
  readonly registeredCount: number;
  readonly placementCount: number;
  /** Events and registrations of files beyond `maxFiles`, which found no room. */
  readonly refusedFiles: number;
  /** Events beyond what one peer may hold in files of which nobody has said what they are. */
  readonly refusedUnregistered: number;
  /** New placements of files that had `mostOtherPlacements` already. */
  readonly refusedPlacements: number;
}

/** Placements that a file may have beside the first of each share number: more are a peer's mistake or an attack. */
export const mostOtherPlacements = 4096;
