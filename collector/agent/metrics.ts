/** What an agent measures of itself. Series exist from the start, at zero, so that alerts on them can be written. */
import { type Meter, metrics } from '@opentelemetry/api';
import type { ShareChange } from './events.ts';
import { observeJournal } from './journal-metrics.ts';
import type { AgentStatus } from './status.ts';

export interface AgentMetrics {
  event(change: ShareChange): void;
  answer(lane: string, ok: boolean, code: string): void;
  scanned(durationMs: number): void;
  inventory(): void;
  /** @param read called when metrics are collected. */
  observe(read: () => AgentStatus): void;
  close(): void;
}

export function createAgentMetrics(peer: string, meter: Meter = metrics.getMeter('meshward-agent')): AgentMetrics {
  const events = meter.createCounter('meshward_agent_share_events_total', {
    description: 'Changes of shares that were reported, by kind.',
  });
  const posts = meter.createCounter('meshward_agent_posts_total', {
    description: 'Posts that the collector took, by lane.',
  });
  const failures = meter.createCounter('meshward_agent_post_failures_total', {
    description: 'Posts that failed, by lane and code.',
  });
  const inventories = meter.createCounter('meshward_agent_inventories_total', { description: 'Inventories written.' });
  const scans = meter.createHistogram('meshward_agent_scan_duration_seconds', {
    unit: 's',
    description: 'How long a look at the whole share folder took.',
    advice: { explicitBucketBoundaries: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800] },
  });
  for (const change of ['stored', 'verified', 'lost', 'corrupt']) events.add(0, { peer, kind: change });
  for (const lane of ['shares', 'peer']) {
    posts.add(0, { peer, lane });
    failures.add(0, { peer, lane, code: 'service-unavailable' });
  }
  inventories.add(0, { peer });

  const gauges: readonly [name: string, unit: string, description: string, value: (status: AgentStatus) => number][] = [
    ['meshward_agent_shares', '{share}', 'Immutable shares in the folder.', (s) => s.shares],
    ['meshward_agent_share_bytes', 'By', 'Bytes of immutable shares in the folder.', (s) => s.shareBytes],
    ['meshward_agent_corrupt_shares', '{share}', 'Shares that do not verify.', (s) => s.corruptShares],
    ['meshward_agent_verified_shares', '{share}', 'Shares found sound since the start.', (s) => s.verifiedShares],
    ['meshward_agent_spooled_batches', '{batch}', 'Batches that wait for the collector.', (s) => s.spool.batches],
    ['meshward_agent_spool_bytes', 'By', 'Bytes that wait for the collector.', (s) => s.spool.bytes],
    [
      'meshward_agent_spool_dropped_batches',
      '{batch}',
      'Batches dropped since the start.',
      (s) => s.spool.droppedBatches,
    ],
    [
      'meshward_agent_set_aside_batches',
      '{batch}',
      'Batches that the collector refused since the start.',
      (s) => s.spool.setAsideBatches,
    ],
    [
      'meshward_agent_folder_present',
      '1',
      '1 while the share folder is there.',
      (s) => (s.folder === 'present' ? 1 : 0),
    ],
    [
      'meshward_agent_collector_reachable',
      '1',
      '1 while the collector takes posts.',
      (s) => (s.collectorReachable ? 1 : 0),
    ],
    ['meshward_agent_doubled', '1', "1 while another agent speaks with this peer's key.", (s) => (s.isDoubled ? 1 : 0)],
  ];
  const instruments = gauges.map(([name, unit, description]) =>
    meter.createObservableGauge(name, { unit, description }),
  );
  const files = meter.createObservableGauge('meshward_agent_foreign_files', {
    unit: '{file}',
    description: 'Files in the share folder that are no immutable shares, by kind.',
  });
  let read: (() => AgentStatus) | null = null;
  const observe: Parameters<Meter['addBatchObservableCallback']>[0] = (result) => {
    const status = read?.();
    if (status === undefined) return;
    instruments.forEach((instrument, index) => {
      const gauge = gauges[index];
      if (gauge !== undefined) result.observe(instrument, gauge[3](status), { peer });
    });
    for (const [kind, count] of Object.entries(status.otherFiles)) result.observe(files, count, { peer, kind });
  };
  meter.addBatchObservableCallback(observe, [...instruments, files]);
  const endJournal = observeJournal(meter, peer, () => read?.().journal ?? null);

  return {
    event: (change) => events.add(1, { peer, kind: change }),
    answer: (lane, ok, code) => (ok ? posts.add(1, { peer, lane }) : failures.add(1, { peer, lane, code })),
    scanned: (durationMs) => scans.record(durationMs / 1000, { peer }),
    inventory: () => inventories.add(1, { peer }),
    observe: (status) => {
      read = status;
    },
    close: () => {
      meter.removeBatchObservableCallback(observe, [...instruments, files]);
      endJournal();
    },
  };
}
