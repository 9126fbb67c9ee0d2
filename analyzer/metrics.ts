import type { Counter, Histogram, Meter } from '@opentelemetry/api';
import { grades } from '#mesh/grade.ts';
import { peerStates } from '#mesh/peer-state.ts';
import type { Analyzer } from './service.ts';

export interface AnalyzerMetrics {
  readonly events: Counter;
  readonly malformedRecords: Counter;
  readonly truncatedEvents: Counter;
  readonly refusedEvents: Counter;
  readonly droppedRows: Counter;
  readonly listUpdates: Counter;
  readonly flushes: Counter;
  readonly sweepSeconds: Histogram;
}

/** Counters stand at zero from the start, so that alerts on them can exist. */
export function analyzerMetrics(meter: Meter): AnalyzerMetrics {
  const counter = (name: string, description: string): Counter => {
    const made = meter.createCounter(`meshward_analyzer_${name}`, { description });
    made.add(0);
    return made;
  };
  return {
    events: counter('events', 'Share events applied.'),
    malformedRecords: counter(
      'malformed_records',
      'Records of the log that could not be read; they are in the dead letters.',
    ),
    truncatedEvents: counter('truncated_events', 'Records that retention removed before they were read.'),
    refusedEvents: counter('refused_events', 'Events of files beyond analyzer.maxFiles; those files are not watched.'),
    droppedRows: counter('dropped_history_rows', 'Rows of histories that were dropped while ClickHouse was away.'),
    listUpdates: counter('at_risk_updates', 'Entries and tombstones written to the at-risk topic.'),
    flushes: counter('flushes', 'Times that changes were acknowledged by ClickHouse and offsets committed.'),
    sweepSeconds: meter.createHistogram('meshward_analyzer_sweep_seconds', {
      description: 'Time to look at every file.',
      advice: { explicitBucketBoundaries: [0.001, 0.005, 0.025, 0.1, 0.25, 1, 2.5, 10] },
    }),
  };
}

/** Gauges of what the analyzer knows, read when they are asked for. */
export function observeAnalyzer(meter: Meter, analyzer: Analyzer): void {
  const files = meter.createObservableGauge('meshward_files', { description: 'Files by grade.' });
  const bytes = meter.createObservableGauge('meshward_file_bytes', { description: 'Bytes of files by grade.' });
  const peers = meter.createObservableGauge('meshward_peers', { description: 'Peers by state.' });
  const stale = meter.createObservableGauge('meshward_health_stale', { description: '1 while health is stale.' });
  const owned = meter.createObservableGauge('meshward_analyzer_owned_partitions', {
    description: 'Partitions of share-events owned here.',
  });
  meter.addBatchObservableCallback(
    (result) => {
      const health = analyzer.health();
      for (const grade of grades) {
        result.observe(files, health.totals.byGrade.get(grade)?.files ?? 0, { grade });
        result.observe(bytes, health.totals.byGrade.get(grade)?.bytes ?? 0, { grade });
      }
      for (const state of peerStates)
        result.observe(peers, health.peers.filter((peer) => peer.state === state).length, { state });
      result.observe(stale, health.freshness.state === 'stale' ? 1 : 0);
      result.observe(owned, health.ownedPartitions);
    },
    [files, bytes, peers, stale, owned],
  );
}
