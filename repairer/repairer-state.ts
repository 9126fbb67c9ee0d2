/** What the repairer shows of itself: to its API, to people, to tests. Holds no secrets. */
import type { PeerId } from '#mesh/peer-id.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { PeersFreshness } from '#peers/peer-view.ts';
import type { DrainState } from './drain/drains.ts';
import type { BrakeState } from './queue/brake.ts';
import type { RepairClass } from './queue/risk.ts';
import type { FailingFile } from './repair/failures.ts';
import type { RepairProgress } from './repair/repair.ts';
import type { RepairReport } from './repair/repair-report.ts';

export interface RepairerState {
  /** False until every owned partition has been read through and the peers are known. */
  readonly ready: boolean;
  readonly stopping: boolean;
  readonly partitions: readonly { readonly partition: number; readonly generation: number }[];
  readonly files: Readonly<Record<RepairClass, number>>;
  /** Of those, how many rest before they are tried or looked at again. */
  readonly resting: number;
  /** Partitions of which files wait in the log, for want of memory. */
  readonly leftOutPartitions: readonly number[];
  /** Partitions whose analyzer is new: what stood on their list is not acted on until it has judged every file. */
  readonly unconfirmedPartitions: readonly number[];
  readonly running: readonly RunningState[];
  readonly brake: BrakeState;
  /** Why bulk repair holds: the brake, or old facts about the peers. Null where it does not. */
  readonly bulkHeld: string | null;
  /** The newest first. */
  readonly recent: readonly RecentRepair[];
  /** Files whose last repair did not end well, the newest first; bounded. */
  readonly failing: readonly FailingFile[];
  readonly drain: DrainState;
  /** How old what is held of the peers is. */
  readonly peers: PeersFreshness;
}

export interface RunningState extends RepairProgress {
  readonly id: string;
  readonly storageIndex: StorageIndex;
  readonly repairClass: RepairClass;
  readonly lane: LaneKind;
  readonly startedAtMs: number;
  readonly cause: string;
}

export type LaneKind = 'bulk' | 'critical';

export interface RecentRepair {
  readonly id: string;
  readonly storageIndex: StorageIndex;
  readonly repairClass: RepairClass;
  readonly ending: RepairReport['ending'];
  readonly errorCode: RepairReport['errorCode'];
  readonly errorMessage: string;
  readonly endedAtMs: number;
  readonly durationMs: number;
  readonly restoredShares: number;
  readonly wantedShares: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly sources: readonly PeerId[];
  readonly targets: readonly PeerId[];
}

export type RepairerEvent =
  | { readonly kind: 'started'; readonly repair: RunningState }
  | { readonly kind: 'ended'; readonly repair: RecentRepair }
  /** The analyzer took the file off its list. */
  | { readonly kind: 'confirmed'; readonly storageIndex: StorageIndex; readonly afterMs: number }
  /** It did not in time: the file is looked at again. */
  | { readonly kind: 'unconfirmed'; readonly storageIndex: StorageIndex }
  | { readonly kind: 'brake'; readonly brake: BrakeState };

export function recentOf(report: RepairReport, repairClass: RepairClass): RecentRepair {
  return {
    id: report.id,
    storageIndex: report.entry.manifest.storageIndex,
    repairClass,
    ending: report.ending,
    errorCode: report.errorCode,
    errorMessage: report.errorMessage,
    endedAtMs: report.startedAtMs + report.durationMs,
    durationMs: report.durationMs,
    restoredShares: report.written.length + report.found.length,
    wantedShares: report.wanted.length,
    bytesRead: report.bytesRead,
    bytesWritten: report.bytesWritten,
    sources: report.sources,
    targets: report.written.map((share) => share.peerId),
  };
}
