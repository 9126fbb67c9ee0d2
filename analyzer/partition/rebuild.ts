/** A partition that arrives is rebuilt: placements from the store at the committed offset, its part of the standing list, then the log. */
import type { AssignedPartition, LogRecord } from '#collector/log/port.ts';
import { policyFor } from '#mesh/policy.ts';
import { type AnalyzerOptions, maxTickStepMs } from '../options.ts';
import type { PeerTable } from '../share-map/peer-table.ts';
import { PlainShareMap } from '../share-map/plain-share-map.ts';
import { OwnedPartition } from './owned-partition.ts';

const listReadBytes = 4 * 1024 * 1024;

/** @throws MeshwardError `store-unavailable` while the store is away. */
export async function rebuildPartition(
  options: AnalyzerOptions,
  peers: PeerTable,
  assigned: AssignedPartition,
): Promise<OwnedPartition> {
  const { log, topics, config, store, logger, clock } = options;
  const startedMs = clock.monotonicMs();
  const map = new PlainShareMap({
    peers,
    policyFor: (coding, tag) => policyFor(config.policies, coding, tag),
    maxFiles: config.analyzer.maxFiles,
    settleMs: config.analyzer.settleMs,
  });
  const stored = await store.loadPartition(assigned.partition);
  map.load(stored);
  const bounds = (await log.bounds(topics.shareEvents.name))[assigned.partition];
  if (bounds === undefined) throw new RangeError(`partition ${assigned.partition} has no bounds`);
  const from = assigned.committedOffset ?? bounds.firstOffset;
  if (from < bounds.firstOffset) {
    logger.error(
      { partition: assigned.partition, from, firstOffset: bounds.firstOffset },
      'events were removed from the log before they were read; the next inventory of each peer mends what was missed',
    );
    options.metrics.truncatedEvents.add(bounds.firstOffset - from);
  }
  const owned = new OwnedPartition(
    assigned,
    map,
    Math.max(from, bounds.firstOffset),
    bounds.nextOffset,
    maxTickStepMs(config),
    stored.grades,
  );
  await loadStandingList(options, owned);
  logger.info(
    {
      partition: assigned.partition,
      generation: assigned.generation,
      files: map.fileCount,
      placements: map.placementCount,
      recordsToRead: bounds.nextOffset - owned.nextOffset,
      durationMs: Math.round(clock.monotonicMs() - startedMs),
    },
    'partition rebuilt from the store; catching up with the log',
  );
  return owned;
}

async function loadStandingList({ log, topics }: AnalyzerOptions, owned: OwnedPartition): Promise<void> {
  const { partition } = owned.assigned;
  const bounds = (await log.bounds(topics.atRisk.name))[partition];
  let offset = bounds?.firstOffset ?? 0;
  while (offset < (bounds?.nextOffset ?? 0)) {
    const records = await log.read(topics.atRisk.name, partition, offset, listReadBytes);
    if (records.length === 0) break;
    for (const record of records) if (record.key !== null) owned.list.load(record.key, record.value);
    offset = (records.at(-1) as LogRecord).offset + 1;
  }
}
