/** What repairs work with: the mesh, chance and time, and how much they may take. */
import type { Clock, Random } from '#mesh/clock.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { PolicyRule } from '#mesh/policy.ts';
import type { DirectoryPeer } from '#peers/directory.ts';
import type { PeerContact } from '#peers/peer-contact.ts';
import type { PeerView } from '#peers/peer-view.ts';
import type { Transfer } from '#peers/transfer.ts';
import type { UploadBuffers } from './upload-buffers.ts';

export interface RepairSettings {
  /** Memory for blocks: half a window is worked on while the other half is read. Pieces under way take half as much again. */
  readonly windowBytes: number;
  /** Memory for hashes of one repair: a file that needs more is read more than once. */
  readonly hashMemoryBytes: number;
  /** Opening sources for longer than this brings in others beside them. */
  readonly hedgeAfterMs: number;
  /** Peers asked at once whether they still hold what they held. */
  readonly recheckParallel: number;
  /** Part of the written shares that is read back, at least one; when one is bad all are. */
  readonly readBackRatio: number;
  /** Most peers asked before a file is called irrecoverable. */
  readonly locateMaxPeers: number;
}

export const defaultRepairSettings: RepairSettings = {
  windowBytes: 16 * 1024 * 1024,
  // 50 shares of a file of 1 TB in segments of 1 MiB; one of 100 GB takes 25 MB.
  hashMemoryBytes: 192 * 1024 * 1024,
  hedgeAfterMs: 500,
  recheckParallel: 32,
  readBackRatio: 0.25,
  locateMaxPeers: 256,
};

/** Chance, time and secrets of a process that repairs. */
export interface RepairRuntime {
  readonly clock: Clock;
  readonly random: Random;
  /** From a source fit for secrets. */
  readonly randomBytes: (count: number) => Uint8Array;
  /** 32 bytes, this controller's own: what leases are made from. A secret. */
  readonly leaseSecret: Uint8Array;
}

export interface RepairMesh {
  readonly transfer: Transfer;
  readonly contact: PeerContact;
  readonly peerView: PeerView;
  readonly directory: { peer(peerId: PeerId): DirectoryPeer | undefined; peers(): readonly DirectoryPeer[] };
}

export interface RepairTools {
  readonly mesh: RepairMesh;
  readonly policies: readonly PolicyRule[];
  readonly runtime: RepairRuntime;
  readonly settings: RepairSettings;
  /** Memory for shares that go whole, of all repairs of the process; left out where few run. */
  readonly uploadBuffers?: UploadBuffers;
}
