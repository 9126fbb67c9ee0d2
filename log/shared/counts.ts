/** What every open log counts. Plain numbers: whoever wires the log makes metrics of them. */
import type { GroupCounters } from './member.ts';

export interface LogCounts extends GroupCounters {
  appendedRecords: number;
  appendedBytes: number;
  failedAppends: number;
  /** Transactions or requests that appended, the time that they took together, and the longest. */
  commits: number;
  commitMsTotal: number;
  commitMsMax: number;
  readRecords: number;
  readBytes: number;
  /** Batches that could not be read and were passed over. */
  unreadableBatches: number;
}

export function newLogCounts(): LogCounts {
  return {
    appendedRecords: 0,
    appendedBytes: 0,
    failedAppends: 0,
    commits: 0,
    commitMsTotal: 0,
    commitMsMax: 0,
    readRecords: 0,
    readBytes: 0,
    unreadableBatches: 0,
    assignedPartitions: 0,
    revokedPartitions: 0,
    rejoins: 0,
    fencedCommits: 0,
    truncations: 0,
  };
}
