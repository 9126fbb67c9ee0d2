/** What an open embedded log counts, and what waits now. */
import { type LogCounts, newLogCounts } from '../shared/counts.ts';

export interface EmbeddedCounts extends LogCounts {
  /** Times that another process's appends were noticed. */
  notices: number;
  retentionRemovedRecords: number;
  retentionRemovedBytes: number;
  retentionFailures: number;
  storeRestarts: number;
}

export interface EmbeddedLogStats extends Readonly<EmbeddedCounts> {
  readonly pendingBytes: number;
  readonly waitingAppends: number;
}

export function newCounts(): EmbeddedCounts {
  return {
    ...newLogCounts(),
    notices: 0,
    storeRestarts: 0,
    retentionRemovedRecords: 0,
    retentionRemovedBytes: 0,
    retentionFailures: 0,
  };
}
