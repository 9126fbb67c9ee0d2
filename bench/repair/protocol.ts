/** What the bench of repairs says to its processes, and what they tell. */
import type { Manifest } from '#mesh/manifest.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { ProcessFigures } from '../breakdown/process-figures.ts';
import type { BySubject } from '../breakdown/profile-subjects.ts';
import type { FilesBreakdown } from '../breakdown/waits.ts';

export interface StartPeers {
  /** One peer each. */
  readonly folders: readonly string[];
  readonly syncToDisk: boolean;
}

export interface PeersFigures {
  readonly requests: number;
  readonly syncs: number;
  readonly connections: number;
}

export interface StartRepairer {
  readonly nurls: readonly string[];
}

export interface FileToRepair {
  readonly manifest: Manifest;
  readonly placements: readonly {
    readonly shareNumber: number;
    readonly peerId: PeerId;
    readonly available: boolean;
  }[];
  readonly maxSharesPerPeer: number;
}

export interface RepairBatch {
  readonly files: readonly FileToRepair[];
  readonly atOnce: number;
}

/** Of some files that a process worked on. */
export interface WorkFigures {
  readonly seconds: number;
  /** Of each file alone. */
  readonly fileSeconds: readonly number[];
  /** Requests that had to wait for another one of the same file, one after the other, in a file. */
  readonly roundTrips: number;
  /** Longest that the event loop was held. */
  readonly stallMs: number;
  /** Of our own queue and budget, summed over requests. */
  readonly queuedSeconds: number;
  /** From going to the peer to its answer, summed over requests. */
  readonly waitedSeconds: number;
  /** Most memory of the process since its start. */
  readonly peakMiB: number;
}

export interface BatchFigures extends WorkFigures {
  readonly sharesWritten: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly failures: readonly string[];
}

export interface ProfileFigures {
  readonly loopUs: BySubject;
  /** Of all threads. */
  readonly cpuSeconds: number;
}

/** What the repairer tells of files that it repaired while it was watched. */
export interface WatchedFiles {
  readonly files: FilesBreakdown;
  readonly figures: ProcessFigures;
}
