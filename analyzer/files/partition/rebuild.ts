/**
 * A partition that arrives is rebuilt: first a fence on its part of the at-risk list, so that nobody believes what its last owner may
 * still write; then placements from the store at the committed offset and the list as it stood before the fence; then the log.
 */
import type { AssignedPartition, LogRecord } from '#log/port.ts';
import { describeError, isRetryable, MeshwardError } from '#mesh/errors.ts';
import { afterRecord, generationOf, isOwnerRecord, type ListFence, noFence, standingOf } from '#mesh/list-fence.ts';
import { type StorageIndex, storageIndexBytes, storageIndexFromBytes } from '#mesh/storage-index.ts';
import { maxTickStepMs } from '#peers/liveness/rules.ts';
import type { AnalyzerOptions } from '../../options.ts';
import type { StoredPartition } from '../../ports.ts';
import { NativeShareMap, type NativeShareMapOptions } from '../share-map/native-share-map.ts';
import { Turns } from '../turns.ts';
import { ListOwnership } from './list-ownership.ts';
import { OwnedPartition } from './owned-partition.ts';
import { PartitionRestore } from './restore.ts';

const listReadBytes = 1024 * 1024;

export interface Arrival {
  readonly assigned: AssignedPartition;
  /** Where reading begins: the committed offset, or the first one kept. */
  readonly startOffset: number;
  readonly ownership: ListOwnership;
  /** Aborted when the partition is not wanted here any more. */
  readonly signal: AbortSignal;
}

export interface Rebuilt {
  readonly partition: OwnedPartition;
  /** Records before the start that retention removed before anybody read them. */
  readonly lostRecords: number;
}

/** Puts the fence. Where the log takes nothing now, the partition comes without, and the fence with what is written first. */
export async function fenceList(
  { log, topics, clock, logger }: AnalyzerOptions,
  { partition, generation }: AssignedPartition,
): Promise<ListOwnership> {
  const options = { log, topic: topics.atRisk.name, partition, generation, nowMs: () => clock.nowMs() };
  const ownership = new ListOwnership(options);
  try {
    await ownership.fence();
  } catch (error) {
    if (!isRetryable(error)) throw error;
    logger.warn({ partition, error: describeError(error) }, 'the log takes no fence for the at-risk list now');
  }
  return ownership;
}

/** @throws the signal's reason, MeshwardError `store-unavailable` while the store is away, `log-truncated` where log and store do not belong together. */
export async function rebuildPartition(
  options: AnalyzerOptions,
  mapOptions: NativeShareMapOptions,
  { assigned, startOffset, ownership, signal }: Arrival,
): Promise<Rebuilt> {
  const { log, topics, store, logger, clock, metrics, config } = options;
  const startedMs = clock.monotonicMs();
  const map = new NativeShareMap(mapOptions);
  const restore = new PartitionRestore({ partition: assigned.partition, map, clock, logger, metrics, signal });
  const isNew = await store.claimPartition(assigned.partition, assigned.generation);
  const stored = await store.loadPartition(assigned.partition, restore);
  map.progress.load(stored.applied);
  const bounds = (await log.bounds(topics.shareEvents.name))[assigned.partition];
  if (bounds === undefined) throw new RangeError(`partition ${assigned.partition} has no bounds`);
  if (stored.version > bounds.nextOffset) {
    throw anotherLog(topics.shareEvents.name, assigned.partition, stored.version, bounds.nextOffset);
  }
  // Nobody may have read what was there before the first record that is kept; and what was read for another database is not in this one,
  // nor what an owner read who was killed before it had saved anything: every peer's first inventory leaves a mark in each partition.
  const holdsNothing = isNew || stored.version === 0;
  // What is in the store was read, whether or not its owner came to commit it: of what peers said since they owe nothing again.
  const from = holdsNothing ? stored.version : Math.max(assigned.committedOffset ?? 0, stored.version);
  const owned = new OwnedPartition({
    assigned,
    map,
    ownership,
    published: restore.published,
    tombstones: restore.tombstones,
    startOffset,
    catchUpOffset: bounds.nextOffset,
    maxTickStepMs: maxTickStepMs(config),
    clock,
  });
  await loadStandingList(options, owned, signal);
  forgetUnknownFiles(owned, stored);
  const durationMs = Math.round(clock.monotonicMs() - startedMs);
  metrics.rebuildSeconds.record(durationMs / 1000);
  logger.info(
    {
      partition: assigned.partition,
      generation: assigned.generation,
      files: map.fileCount,
      placements: map.placementCount,
      recordsToRead: bounds.nextOffset - owned.nextOffset,
      durationMs,
    },
    'partition rebuilt from the store; catching up with the log',
  );
  return { partition: owned, lostRecords: Math.max(0, startOffset - from) };
}

/**
 * The list as readers hold it. What an earlier owner wrote behind a later one's fence they do not believe, nor is it loaded; its files are written
 * anew, since compaction may keep it in place of what counted.
 */
async function loadStandingList(
  { log, topics, logger, clock }: AnalyzerOptions,
  owned: OwnedPartition,
  signal: AbortSignal,
): Promise<void> {
  const turns = new Turns(clock);
  const bounds = (await log.bounds(topics.atRisk.name))[owned.number];
  const end = owned.ownership.fenceOffset ?? bounds?.nextOffset ?? 0;
  owned.ownership.readTo(end);
  const fenced = new Set<StorageIndex>();
  let fence = noFence;
  let offset = bounds?.firstOffset ?? 0;
  while (offset < end) {
    signal.throwIfAborted();
    const records = await log.read(topics.atRisk.name, owned.number, offset, listReadBytes);
    if (records.length === 0) break;
    for (const record of records) {
      if (record.offset >= end) break;
      fence = fenceAfter(fence, record, logger);
      if (!isOwnerRecord(record)) {
        if (standingOf(fence, generationOf(record) ?? 0, record.offset) !== 'fenced') loadEntry(owned, record, logger);
        else if (record.key?.length === storageIndexBytes) fenced.add(storageIndexFromBytes(record.key));
      }
      await turns.pause();
    }
    offset = (records.at(-1) as LogRecord).offset + 1;
  }
  owned.list.putBack([...fenced]);
}

function fenceAfter(fence: ListFence, record: LogRecord, logger: AnalyzerOptions['logger']): ListFence {
  try {
    return afterRecord(fence, record);
  } catch (error) {
    logger.error({ offset: record.offset, error: describeError(error) }, 'an owner of the at-risk list cannot be read');
    return fence;
  }
}

function loadEntry(owned: OwnedPartition, record: LogRecord, logger: AnalyzerOptions['logger']): void {
  try {
    if (record.key !== null) owned.list.load(record.key, record.value);
  } catch (error) {
    logger.error(
      { partition: owned.number, offset: record.offset, error: describeError(error) },
      'an entry of the at-risk list cannot be read; its file is listed anew if it needs repair',
    );
  }
}

/** Files that stand on the list or in the store and that the share map does not watch any more. */
function forgetUnknownFiles(owned: OwnedPartition, { strays }: StoredPartition): void {
  for (const { file } of owned.list.entries()) if (!isWatched(owned, file)) owned.deletedFiles.add(file);
  for (const file of strays) owned.deletedFiles.add(file);
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
