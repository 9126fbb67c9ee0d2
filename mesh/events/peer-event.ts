/** What a record of `peer-events` says of one peer, as values. */
import type { Domains } from '../peer-state.ts';

export interface PeerVitals {
  readonly cpuUsedRatio: number;
  readonly memoryUsedBytes: number;
  readonly diskUsedBytes: number;
  readonly diskCapacityBytes: number;
  readonly networkReceivedBytes: number;
  readonly networkSentBytes: number;
  readonly sharesHeld: number;
  readonly shareBytesHeld: number;
  readonly sharesVerified: number;
  readonly spooledBatches: number;
  readonly spoolDroppedInventories: number;
  readonly processMemoryBytes: number;
  /** 0 … 1: the part of the last seconds in which some work waited for a disk; left out where it is not said. */
  readonly diskWaitRatio?: number;
}

export type PeerEventBody =
  | {
      readonly kind: 'announce';
      readonly name: string;
      readonly domains: Domains;
      readonly host: string;
      readonly port: number;
      readonly agentVersion: string;
      readonly capacityBytes: number;
    }
  | {
      readonly kind: 'heartbeat';
      readonly vitals: PeerVitals | null;
      /** When the next one is to come, where the peer says so. */
      readonly intervalMs?: number;
    }
  | { readonly kind: 'drain'; readonly draining: boolean }
  | { readonly kind: 'maintenance'; readonly untilMs: number }
  | { readonly kind: 'depart' };

/** What who reads from a peer met there. */
export type ReaderReportBody =
  | { readonly kind: 'reach'; readonly reachable: boolean; readonly reason: string }
  | { readonly kind: 'claims'; readonly held: number; readonly failed: number };
