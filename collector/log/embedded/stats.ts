/** What an open log counts. Plain numbers: whoever wires the log makes metrics of them. */
import type { GroupCounters } from '../shared/member.ts';

/** Counts since the log was opened, and what waits now. */
export interface EmbeddedLogStats extends Readonly<GroupCounters> {
  readonly appendedRecords: number;
  readonly appendedBytes: number;
  readonly failedAppends: number;
  /** Transactions that appended, the time that they took together, and the longest. */
  readonly commits: number;
  readonly commitMsTotal: number;
  readonly commitMsMax: number;
  readonly pendingBytes: number;
  readonly waitingAppends: number;
  readonly readRecords: number;
  readonly readBytes: number;
  /** Times that another process's appends were noticed. */
  readonly notices: number;
  readonly retentionRemovedRecords: number;
  readonly retentionRemovedBytes: number;
  readonly retentionFailures: number;
  readonly storeRestarts: number;
}

type Counts = { -readonly [K in Exclude<keyof EmbeddedLogStats, 'pendingBytes' | 'waitingAppends'>]: number };

export function newCounts(): Counts {
  return {
    appendedRecords: 0,
    appendedBytes: 0,
    failedAppends: 0,
    commits: 0,
    commitMsTotal: 0,
    commitMsMax: 0,
    readRecords: 0,
    readBytes: 0,
    notices: 0,
    storeRestarts: 0,
    retentionRemovedRecords: 0,
    retentionRemovedBytes: 0,
    retentionFailures: 0,
    assignedPartitions: 0,
    revokedPartitions: 0,
    rejoins: 0,
    fencedCommits: 0,
    truncations: 0,
  };
}
