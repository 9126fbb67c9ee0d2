/** The analyzer's state as gauges. */
import type { Meter } from '@opentelemetry/api';
import { grades } from '#mesh/grade.ts';
import { peerStates } from '#mesh/peer-state.ts';
import { versionsOf } from './peers/version-spread.ts';
import type { Analyzer } from './service.ts';

/** Gauges of what the analyzer knows, read when they are asked for. */
export function observeAnalyzer(meter: Meter, analyzer: Analyzer): void {
  const files = meter.createObservableGauge('meshward_files', {
    description: 'Files by grade, of the partitions owned here: the sum over analyzers is the mesh.',
  });
  const bytes = meter.createObservableGauge('meshward_file_bytes', {
    description: 'Bytes of files by grade, of the partitions owned here.',
  });
  const withoutManifest = meter.createObservableGauge('meshward_files_without_manifest', {
    description: 'Files that have shares and no manifest, of the partitions owned here: they are not watched.',
  });
  const peers = meter.createObservableGauge('meshward_peers', { description: 'Peers by state.' });
  const versions = meter.createObservableGauge('meshward_peers_by_version', {
    description: 'Peers that have not left, by the release of their agent.',
  });
  const outdated = meter.createObservableGauge('meshward_peers_outdated', {
    description: 'Peers that collectors refuse because they count their starts lower than they were heard.',
  });
  const outdatedEvents = meter.createObservableCounter('meshward_analyzer_outdated_peer_events', {
    description: 'Events of peers under an earlier incarnation that were passed over.',
  });
  const stale = meter.createObservableGauge('meshward_health_stale', { description: '1 while health is stale.' });
  const owned = meter.createObservableGauge('meshward_analyzer_owned_partitions', {
    description: 'Partitions of share-events owned here.',
  });
  const wanted = meter.createObservableGauge('meshward_objective_wanted_ratio', {
    description: 'Part of the files that shall be recoverable, or at or above the repair threshold, as configured.',
  });
  const left = meter.createObservableGauge('meshward_objective_budget_left_ratio', {
    description: 'What is left of the error budget of the objective: 1 is untouched, below 0 is overdrawn.',
  });
  meter.addBatchObservableCallback(
    (result) => {
      const health = analyzer.health();
      for (const grade of grades) {
        result.observe(files, health.ownTotals.byGrade.get(grade)?.files ?? 0, { grade });
        result.observe(bytes, health.ownTotals.byGrade.get(grade)?.bytes ?? 0, { grade });
      }
      result.observe(withoutManifest, health.ownTotals.filesWithoutManifest);
      for (const state of peerStates)
        result.observe(peers, health.peers.filter((peer) => peer.state === state).length, { state });
      for (const [version, count] of versionsOf(health.peers)) result.observe(versions, count, { version });
      result.observe(outdated, health.peers.filter((peer) => peer.outdatedAtMs > 0 && !peer.revoked).length);
      result.observe(
        outdatedEvents,
        health.peers.reduce((sum, peer) => sum + peer.outdatedEvents, 0),
      );
      result.observe(stale, health.freshness.state === 'stale' ? 1 : 0);
      result.observe(owned, health.ownedPartitions);
      for (const { objective, wantedRatio, budgetLeftRatio } of analyzer.objective()) {
        result.observe(wanted, wantedRatio, { objective });
        result.observe(left, budgetLeftRatio, { objective });
      }
    },
    [files, bytes, withoutManifest, peers, versions, outdated, outdatedEvents, stale, owned, wanted, left],
  );
}
