/** What an open log counts, as metrics: the same names for both adapters, where both count the same. */
import type { Meter } from '@opentelemetry/api';
import type { EmbeddedLogStats } from '#log/embedded/stats.ts';
import type { KafkaLogStats } from '#log/kafka/stats.ts';

export type LogStats = Partial<EmbeddedLogStats & KafkaLogStats>;

interface Series {
  readonly stat: keyof LogStats;
  readonly name: string;
  readonly description: string;
  /** @default counter */
  readonly kind?: 'gauge';
  /** The figure times this is what is shown. @default 1 */
  readonly factor?: number;
}

const everySeries: readonly Series[] = [
  { stat: 'appendedRecords', name: 'appended_records', description: 'Records appended and acknowledged.' },
  { stat: 'appendedBytes', name: 'appended_bytes', description: 'Bytes of these.' },
  { stat: 'failedAppends', name: 'failed_appends', description: 'Appends that failed for good; callers try again.' },
  { stat: 'commits', name: 'commits', description: 'Transactions or requests that appended.' },
  { stat: 'commitMsTotal', name: 'commit_seconds', description: 'Time that these took together.', factor: 1 / 1000 },
  { stat: 'pendingBytes', name: 'pending_bytes', description: 'Bytes that are not acknowledged yet.', kind: 'gauge' },
  { stat: 'waitingAppends', name: 'waiting_appends', description: 'Appends that wait for room.', kind: 'gauge' },
  { stat: 'readRecords', name: 'read_records', description: 'Records read.' },
  { stat: 'readBytes', name: 'read_bytes', description: 'Bytes of these.' },
  {
    stat: 'unreadableBatches',
    name: 'unreadable_batches',
    description: 'Batches that could not be read and were passed over; analyzers keep them as dead letters.',
  },
  { stat: 'assignedPartitions', name: 'assigned_partitions', description: 'Partitions that came to this member.' },
  {
    stat: 'revokedPartitions',
    name: 'revoked_partitions',
    description: 'Partitions that were taken from this member.',
  },
  { stat: 'rejoins', name: 'rejoins', description: 'Times that a member was taken for dead and joined again.' },
  { stat: 'fencedCommits', name: 'fenced_commits', description: 'Commits refused: the partition has another owner.' },
  { stat: 'truncations', name: 'truncations', description: 'Times that retention was faster than a reader.' },
  { stat: 'retentionRemovedRecords', name: 'retention_records', description: 'Records that retention removed.' },
  { stat: 'retentionRemovedBytes', name: 'retention_bytes', description: 'Bytes of these.' },
  { stat: 'retentionFailures', name: 'retention_failures', description: 'Runs of retention that failed.' },
  {
    stat: 'storeRestarts',
    name: 'store_restarts',
    description: 'Times that the thread of the files was started again.',
  },
  { stat: 'resentBatches', name: 'resent_batches', description: 'Batches sent again: an error, or no answer.' },
  { stat: 'producerResets', name: 'producer_resets', description: 'Partitions that went on under a new producer id.' },
  { stat: 'openConnections', name: 'connections', description: 'Connections to brokers.', kind: 'gauge' },
  { stat: 'lostConnections', name: 'lost_connections', description: 'Connections to brokers that were lost.' },
  { stat: 'metadataRefreshes', name: 'metadata_refreshes', description: 'Times that brokers were asked for leaders.' },
  { stat: 'rebalances', name: 'rebalances', description: 'Rounds of the group protocol.' },
];

/** Series that the adapter does not count are left out; the others stand there from the start. */
export function observeLog(meter: Meter, stats: () => LogStats): void {
  const counted = stats();
  for (const { stat, name, description, kind, factor } of everySeries) {
    if (counted[stat] === undefined) continue;
    const options = { description };
    const made =
      kind === 'gauge'
        ? meter.createObservableGauge(`meshward_log_${name}`, options)
        : meter.createObservableCounter(`meshward_log_${name}`, options);
    made.addCallback((observer) => observer.observe((stats()[stat] ?? 0) * (factor ?? 1)));
  }
}

/** @param records of share-events that wait for this analyzer's partitions */
export function observeUnread(meter: Meter, records: () => number): void {
  const unread = meter.createObservableGauge('meshward_log_unread_records', {
    description:
      'Records of share-events that the log holds and that are not dealt with, of the partitions owned here, at the last look: the sum over analyzers is the lag.',
  });
  unread.addCallback((observer) => observer.observe(records()));
}
