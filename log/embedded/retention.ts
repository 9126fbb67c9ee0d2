/**
 * What may go from a topic, removed in small steps so that appends wait for at most one of them.
 *
 * - Not compacted: the oldest records of a partition, while they are too old or the partition too large. The newest record
 *   stays whatever its size; its age can end it.
 * - Compacted: tombstones past their time. (Superseded records went when their successor came.)
 */
import { offsetOfRecordId, recordId, type TopicFile } from './topic-file.ts';

export interface RetentionLimits {
  /** How long a tombstone stays, so that followers that were away for less still see it. */
  readonly tombstoneRetentionMs: number;
  /** The most records that one step removes. */
  readonly stepRecords: number;
}

export interface RetentionStep {
  readonly removedRecords: number;
  readonly removedBytes: number;
  /** Whether another step would find work now. */
  readonly more: boolean;
}

/** Unused pages are given back to the file system above this share of the file, and above this count. */
const shrinkAboveShare = 0.25;
const shrinkAbovePages = 2048;
const shrinkStepPages = 512;

export function retentionStep(file: TopicFile, nowMs: number, limits: RetentionLimits): RetentionStep {
  const step = file.spec.compacted ? removeTombstones(file, nowMs, limits) : removeOldest(file, nowMs, limits);
  if (step.more) return step;
  return { ...step, more: giveBackSpace(file) };
}

function removeOldest(file: TopicFile, nowMs: number, limits: RetentionLimits): RetentionStep {
  const { database, spec } = file;
  if (spec.retentionMs <= 0 && spec.retentionBytes <= 0) return nothing;
  const oldestKeptMs = spec.retentionMs > 0 ? nowMs - spec.retentionMs : Number.NEGATIVE_INFINITY;
  const due = database.read(() => duePartitions(file, oldestKeptMs));
  if (due.length === 0) return nothing;
  return database.write(() => {
    let removedRecords = 0;
    let removedBytes = 0;
    for (const partition of due) {
      const removed = removeFrom(file, partition, oldestKeptMs, limits.stepRecords - removedRecords);
      removedRecords += removed.removedRecords;
      removedBytes += removed.removedBytes;
      if (removedRecords >= limits.stepRecords) break;
    }
    return { removedRecords, removedBytes, more: removedRecords >= limits.stepRecords };
  });
}

/** The largest first: under a steady stream of appends, none waits behind the others for ever. */
function duePartitions(file: TopicFile, oldestKeptMs: number): number[] {
  const { database, spec } = file;
  return database
    .all('SELECT partition, size_bytes FROM partition ORDER BY size_bytes DESC')
    .filter((row) => {
      const isTooLarge = spec.retentionBytes > 0 && Number(row['size_bytes']) > spec.retentionBytes;
      return isTooLarge || (firstRecord(file, Number(row['partition']))?.appendedAtMs ?? oldestKeptMs) < oldestKeptMs;
    })
    .map((row) => Number(row['partition']));
}

function removeFrom(
  file: TopicFile,
  partition: number,
  oldestKeptMs: number,
  atMost: number,
): { removedRecords: number; removedBytes: number } {
  const { database, spec } = file;
  const state = database.get('SELECT next_offset, size_bytes FROM partition WHERE partition = ?', partition);
  const nextOffset = Number(state?.['next_offset']);
  let keptBytes = Number(state?.['size_bytes']);
  let removedBytes = 0;
  let removedRecords = 0;
  let firstOffset = nextOffset;
  const rows = database.all(
    'SELECT id, appended_at_ms, size_bytes FROM record WHERE id >= ? AND id < ? ORDER BY id LIMIT ?',
    recordId(partition, 0),
    recordId(partition, nextOffset),
    atMost + 1,
  );
  for (const row of rows) {
    const offset = offsetOfRecordId(Number(row['id']));
    const tooLarge = spec.retentionBytes > 0 && keptBytes > spec.retentionBytes && offset < nextOffset - 1;
    const tooOld = Number(row['appended_at_ms']) < oldestKeptMs;
    if (removedRecords === atMost || !(tooLarge || tooOld)) {
      firstOffset = offset;
      break;
    }
    keptBytes -= Number(row['size_bytes']);
    removedBytes += Number(row['size_bytes']);
    removedRecords++;
  }
  if (removedRecords === 0) return nothing;
  database.run('DELETE FROM record WHERE id >= ? AND id < ?', recordId(partition, 0), recordId(partition, firstOffset));
  database.run(
    'UPDATE partition SET first_offset = ?, size_bytes = ? WHERE partition = ?',
    firstOffset,
    keptBytes,
    partition,
  );
  return { removedRecords, removedBytes };
}

function firstRecord(file: TopicFile, partition: number): { appendedAtMs: number } | undefined {
  const row = file.database.get(
    'SELECT appended_at_ms FROM record WHERE id >= ? AND id < ? ORDER BY id LIMIT 1',
    recordId(partition, 0),
    recordId(partition + 1, 0),
  );
  return row === undefined ? undefined : { appendedAtMs: Number(row['appended_at_ms']) };
}

function removeTombstones(file: TopicFile, nowMs: number, limits: RetentionLimits): RetentionStep {
  const { database } = file;
  const oldestKeptMs = nowMs - limits.tombstoneRetentionMs;
  const due =
    'SELECT id, size_bytes, key FROM record WHERE shape = 1 AND appended_at_ms < ? ORDER BY appended_at_ms LIMIT ?';
  if (database.read(() => database.get(due, oldestKeptMs, 1)) === undefined) return nothing;
  return database.write(() => {
    let removedBytes = 0;
    const rows = database.all(due, oldestKeptMs, limits.stepRecords);
    for (const row of rows) {
      const id = Number(row['id']);
      const partition = Math.floor(id / recordId(1, 0));
      const sizeBytes = Number(row['size_bytes']);
      database.run('DELETE FROM record WHERE id = ?', id);
      database.run('DELETE FROM newest WHERE partition = ? AND key = ?', partition, row['key'] ?? new Uint8Array(0));
      database.run('UPDATE partition SET size_bytes = size_bytes - ? WHERE partition = ?', sizeBytes, partition);
      removedBytes += sizeBytes;
    }
    return { removedRecords: rows.length, removedBytes, more: rows.length === limits.stepRecords };
  });
}

function giveBackSpace({ database }: TopicFile): boolean {
  const unused = database.pragma('freelist_count');
  if (unused < shrinkAbovePages || unused < shrinkAboveShare * database.pragma('page_count')) return false;
  database.shrink(shrinkStepPages);
  return true;
}

const nothing: RetentionStep = { removedRecords: 0, removedBytes: 0, more: false };
