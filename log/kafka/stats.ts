/** What an open Kafka log counts, and what waits now. */
import { type LogCounts, newLogCounts } from '../shared/counts.ts';

export interface KafkaCounts extends LogCounts {
  /** Batches sent again after an error or without an answer. */
  resentBatches: number;
  /** Times that a partition went on under a new producer id. */
  producerResets: number;
  lostConnections: number;
  metadataRefreshes: number;
  /** Rounds of the group protocol that were completed. */
  rebalances: number;
}

export interface KafkaLogStats extends Readonly<KafkaCounts> {
  readonly pendingBytes: number;
  readonly waitingAppends: number;
  readonly openConnections: number;
}

export function newCounts(): KafkaCounts {
  return {
    ...newLogCounts(),
    resentBatches: 0,
    producerResets: 0,
    lostConnections: 0,
    metadataRefreshes: 0,
    rebalances: 0,
  };
}
