/** What an open Kafka log counts. Plain numbers: whoever wires the log makes metrics of them. */
import type { GroupCounters } from '../shared/member.ts';

/** Counts since the log was opened, and what waits now. The names of the embedded log, where both count the same. */
export interface KafkaLogStats extends Readonly<GroupCounters> {
  readonly appendedRecords: number;
  readonly appendedBytes: number;
  readonly failedAppends: number;
  /** Requests that appended, the time that they took together, and the longest. */
  readonly commits: number;
  readonly commitMsTotal: number;
  readonly commitMsMax: number;
  readonly pendingBytes: number;
  readonly waitingAppends: number;
  readonly readRecords: number;
  readonly readBytes: number;
  /** Batches sent again after an error or without an answer. */
  readonly resentBatches: number;
  /** Times that a partition went on under a new producer id. */
  readonly producerResets: number;
  readonly openConnections: number;
  readonly lostConnections: number;
  readonly metadataRefreshes: number;
  /** Rounds of the group protocol that were completed. */
  readonly rebalances: number;
}

export type KafkaCounts = {
  -readonly [K in Exclude<keyof KafkaLogStats, 'pendingBytes' | 'waitingAppends' | 'openConnections'>]: number;
};

export function newCounts(): KafkaCounts {
  return {
    appendedRecords: 0,
    appendedBytes: 0,
    failedAppends: 0,
    commits: 0,
    commitMsTotal: 0,
    commitMsMax: 0,
    readRecords: 0,
    readBytes: 0,
    resentBatches: 0,
    producerResets: 0,
    lostConnections: 0,
    metadataRefreshes: 0,
    rebalances: 0,
    assignedPartitions: 0,
    revokedPartitions: 0,
    rejoins: 0,
    fencedCommits: 0,
    truncations: 0,
  };
}
