/** A partition that arrives is rebuilt: placements from the store at the committed offset, its part of the standing list, then the log. */
import type { AssignedPartition, LogRecord, PartitionBounds } from '#collector/log/port.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { type AnalyzerOptions, maxTickStepMs } from '../options.ts';
import type { StoredPartition } from '../ports.ts';
import { PlainShareMap, type ShareMapOptions } from '../share-map/plain-share-map.ts';
import { OwnedPartition } from './owned-partition.ts';

const listReadBytes = 4 * 1024 * 1024;

export interface Rebuilt {
  readonly owned: OwnedPartition;
  /** Records that retention removed before they were read. */
  readonly truncatedRecords: number;
}

/** @throws MeshwardError `store-unavailable` while the store is away, `log-truncated` where log and store do not belong together. */
export async function rebuildPartition(
  options: AnalyzerOptions,
  mapOptions: ShareMapOptions,
  assigned: AssignedPartition,
): Promise<Rebuilt> {
  const { log, topics, store, logger, clock } = options;
  const startedMs = clock.monotonicMs();
  const stored = await store.loadPartition(assigned.partition);
  const bounds = (await log.bounds(topics.shareEvents.name))[assigned.partition];
  if (bounds === undefined) throw new RangeError(`partition ${assigned.partition} has no bounds`);
  if (stored.version > bounds.nextOffset) {
    throw anotherLog(topics.shareEvents.name, assigned.partition, stored.version, bounds.nextOffset);
  }
  const owned = restore(options, mapOptions, assigned, stored, bounds);
  await loadStandingList(options, owned);
  forgetUnknownFiles(owned);
  const from = assigned.committedOffset ?? bounds.firstOffset;
  const truncatedRecords = Math.max(0, bounds.firstOffset - from);
  if (truncatedRecords > 0) owned.truncated(bounds.firstOffset);
  logger.info(
    {
      partition: assigned.partition,
      generation: assigned.generation,
      files: owned.map.fileCount,
      placements: owned.map.placementCount,
      recordsToRead: bounds.nextOffset - owned.nextOffset,
      durationMs: Math.round(clock.monotonicMs() - startedMs),
    },
    'partition rebuilt from the store; catching up with the log',
  );
  return { owned, truncatedRecords };
}

function restore(
  { config, createShareMap }: AnalyzerOptions,
  mapOptions: ShareMapOptions,
  assigned: AssignedPartition,
  stored: StoredPartition,
  bounds: PartitionBounds,
): OwnedPartition {
  const map = createShareMap?.(mapOptions) ?? new PlainShareMap(mapOptions);
  const grades = new Map(stored.grades);
  const files = [...stored.files];
  map.load({ placements: stored.placements, files, applied: stored.applied, settled: grades.keys() });
  const owned = new OwnedPartition({
    assigned,
    map,
    startOffset: Math.max(assigned.committedOffset ?? 0, bounds.firstOffset),
    catchUpOffset: bounds.nextOffset,
    maxTickStepMs: maxTickStepMs(config),
    publishedGrades: grades,
  });
  owned.tombstones.see(files);
  return owned;
}

async function loadStandingList({ log, topics, logger }: AnalyzerOptions, owned: OwnedPartition): Promise<void> {
  const bounds = (await log.bounds(topics.atRisk.name))[owned.number];
  let offset = bounds?.firstOffset ?? 0;
  while (offset < (bounds?.nextOffset ?? 0)) {
    const records = await log.read(topics.atRisk.name, owned.number, offset, listReadBytes);
    if (records.length === 0) break;
    for (const record of records) {
      try {
        if (record.key !== null) owned.list.load(record.key, record.value);
      } catch (error) {
        logger.error(
          { partition: owned.number, offset: record.offset, error: describeError(error) },
          'an entry of the at-risk list cannot be read; its file is listed anew if it needs repair',
        );
      }
    }
    offset = (records.at(-1) as LogRecord).offset + 1;
  }
}

/** Files that stand on the list or in the store and that the share map does not watch any more. */
function forgetUnknownFiles(owned: OwnedPartition): void {
  for (const { file } of owned.list.entries()) if (!isWatched(owned, file)) owned.deletedFiles.add(file);
  for (const file of owned.publishedGrades.keys()) if (!isWatched(owned, file)) owned.deletedFiles.add(file);
}

export function isWatched({ map }: OwnedPartition, file: StorageIndex): boolean {
  const known = map.find(file);
  return known !== undefined && !known.deleted && known.registration !== null;
}

/** Offsets order what is in the store; those of another log would order it wrongly. */
export function anotherLog(topic: string, partition: number, storedOffset: number, nextOffset: number): MeshwardError {
  return new MeshwardError(
    'log-truncated',
    `the database has ${topic}/${partition} up to offset ${storedOffset}, but the log ends at ${nextOffset}: they do not belong together`,
    {
      next: 'Point the analyzer at the log that this database was filled from, or at a new database (clickhouse.database): inventories fill it again.',
    },
  );
}
