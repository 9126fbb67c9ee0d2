/** What the analyzer counts. */
import type { Counter, Histogram, Meter } from '@opentelemetry/api';

export interface AnalyzerMetrics {
  readonly events: Counter;
  readonly duplicateBatches: Counter;
  readonly malformedRecords: Counter;
  readonly truncatedEvents: Counter;
  readonly refusedEvents: Counter;
  readonly refusedUnregistered: Counter;
  readonly refusedPlacements: Counter;
  readonly droppedRows: Counter;
  readonly listUpdates: Counter;
  readonly flushes: Counter;
  readonly sweepSeconds: Histogram;
  readonly rebuiltRows: Counter;
  readonly rebuildSeconds: Histogram;
}

/** Why records become dead letters here: what is unforeseen is `internal`. */
const deadLetterReasons = ['batch-malformed', 'event-unknown', 'log-corrupt', 'internal'] as const;

/** Counters stand at zero from the start, so that alerts on them can exist. */
export function analyzerMetrics(meter: Meter): AnalyzerMetrics {
  const counter = (name: string, description: string): Counter => {
    const made = meter.createCounter(`meshward_analyzer_${name}`, { description });
    made.add(0);
    return made;
  };
  const malformedRecords = meter.createCounter('meshward_analyzer_malformed_records', {
    description: 'Records of the log that could not be read, or not wholly, by reason; they are in the dead letters.',
  });
  const rebuiltRows = meter.createCounter('meshward_analyzer_rebuilt_rows', {
    description: 'Rows of partitions that were read back from ClickHouse, by kind.',
  });
  for (const kind of ['files', 'health', 'placements']) rebuiltRows.add(0, { kind });
  for (const reason of deadLetterReasons) malformedRecords.add(0, { reason });
  return {
    events: counter('events', 'Share events applied.'),
    duplicateBatches: counter(
      'duplicate_batches',
      'Batches at or below the last one applied of their peer; passed over.',
    ),
    malformedRecords,
    truncatedEvents: counter(
      'truncated_events',
      'Records that were not read: retention took them, or nobody can read them.',
    ),
    refusedEvents: counter('refused_events', 'Events of files beyond analyzer.maxFiles; those files are not watched.'),
    refusedUnregistered: counter(
      'refused_unregistered_events',
      'Events of files that nobody has registered, beyond analyzer.maxUnregisteredPerPeer of their peer; they are not watched.',
    ),
    refusedPlacements: counter(
      'refused_placements',
      'Placements beyond the 4,096 that a file may have beside the first of each share number; they are not watched.',
    ),
    droppedRows: counter('dropped_history_rows', 'Rows of histories that were dropped while ClickHouse was away.'),
    listUpdates: counter('at_risk_updates', 'Entries and tombstones written to the at-risk topic.'),
    flushes: counter('flushes', 'Times that changes were acknowledged by ClickHouse and offsets committed.'),
    rebuiltRows,
    rebuildSeconds: meter.createHistogram('meshward_analyzer_rebuild_seconds', {
      description: 'Time until a partition that came was read back from ClickHouse.',
      advice: { explicitBucketBoundaries: [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300] },
    }),
    sweepSeconds: meter.createHistogram('meshward_analyzer_sweep_seconds', {
      description: 'Time to look at every file.',
      advice: { explicitBucketBoundaries: [0.001, 0.005, 0.025, 0.1, 0.25, 1, 2.5, 10] },
    }),
  };
}
