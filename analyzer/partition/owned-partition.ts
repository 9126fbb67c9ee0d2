/** One partition of share-events that this analyzer owns: its share map, its part of the standing list, its place in the log. */
import type { AssignedPartition, LogRecord } from '#collector/log/port.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { type StorageIndex, storageIndexBytes, storageIndexFromBytes } from '#mesh/storage-index.ts';
import { LogTime } from '../liveness/log-time.ts';
import type { PublishedGrade } from '../ports.ts';
import type { PeerBatch, ShareMap, ShareMapChanges } from '../share-map/share-map.ts';
import { readShareEvents, type ShareEventsValue } from '../wire.ts';
import { FileTraces } from './file-traces.ts';
import { StandingList } from './standing-list.ts';
import { Tombstones } from './tombstones.ts';

export interface PartitionCounts {
  batches: number;
  events: number;
  duplicateBatches: number;
  malformedRecords: number;
  forgottenPlacements: number;
  manifestConflicts: number;
}

export interface OwnedPartitionOptions {
  readonly assigned: AssignedPartition;
  readonly map: ShareMap;
  /** The first offset to read. */
  readonly startOffset: number;
  /** What was in the log when the partition came: until it is reached, files are not judged. */
  readonly catchUpOffset: number;
  readonly maxTickStepMs: number;
  readonly publishedGrades: Iterable<readonly [StorageIndex, PublishedGrade]>;
}

export type MalformedHandler = (record: LogRecord, error: unknown) => void;

export class OwnedPartition {
  readonly assigned: AssignedPartition;
  readonly map: ShareMap;
  readonly list = new StandingList();
  readonly tombstones = new Tombstones();
  readonly time: LogTime;
  readonly counts: PartitionCounts = {
    batches: 0,
    events: 0,
    duplicateBatches: 0,
    malformedRecords: 0,
    forgottenPlacements: 0,
    manifestConflicts: 0,
  };
  /** Grades as last written, so that histories hold changes only. */
  readonly publishedGrades: Map<StorageIndex, PublishedGrade>;
  /** Files whose row in the store is not what it should be. */
  readonly unsavedHealth = new Set<StorageIndex>();
  /** Files that batches said were deleted, since the last look. */
  readonly deletedFiles = new Set<StorageIndex>();
  /** Which traces lead to what becomes of files. */
  readonly traces = new FileTraces();
  /** The first offset not yet applied. */
  nextOffset: number;
  /** The offset committed last. */
  committedOffset: number | null;
  /** Share events applied since changes were taken for the store. */
  untakenEvents = 0;
  /** Resolves when dead letters of what was applied so far are kept. */
  deadLetters: Promise<unknown> = Promise.resolve();
  readonly #catchUpOffset: number;
  /** Peers whose inventory began after records were lost; null where none were. */
  #begunSinceTruncation: Set<PeerId> | null = null;

  constructor(options: OwnedPartitionOptions) {
    const { assigned, map, startOffset, catchUpOffset, maxTickStepMs, publishedGrades } = options;
    this.assigned = assigned;
    this.map = map;
    this.nextOffset = startOffset;
    this.#catchUpOffset = catchUpOffset;
    this.publishedGrades = new Map(publishedGrades);
    this.committedOffset = assigned.committedOffset;
    this.time = new LogTime(maxTickStepMs);
  }

  get number(): number {
    return this.assigned.partition;
  }

  get caughtUp(): boolean {
    return this.nextOffset >= this.#catchUpOffset;
  }

  /**
   * Applies records in order. @param malformed told of each record that cannot be read; reading goes on behind it.
   * @returns the count of share events that were applied.
   */
  apply(records: readonly LogRecord[], readAtMs: number, malformed: MalformedHandler): number {
    let events = 0;
    for (const record of records) {
      if (record.offset < this.nextOffset) continue;
      this.nextOffset = record.offset + 1;
      const value = this.#read(record, malformed);
      if (value === null) continue;
      if (value.kind === 'tick') this.time.tick(value.atMs, readAtMs);
      else events += this.#applyBatch(value.batch, record);
    }
    this.counts.events += events;
    this.untakenEvents += events;
    return events;
  }

  #applyBatch(batch: PeerBatch, record: LogRecord): number {
    // Before the first tick after a rebuild the log's own stamp says what time it is.
    const atMs = this.time.watermarkMs === 0 ? record.appendedAtMs : this.time.watermarkMs;
    const outcome = this.map.apply(this.#withoutTornInventory(batch), atMs);
    if (!outcome.applied) {
      this.counts.duplicateBatches++;
      return 0;
    }
    for (let i = 0; i < batch.deletedFiles.length; i += storageIndexBytes) {
      this.deletedFiles.add(storageIndexFromBytes(batch.deletedFiles, i));
    }
    this.traces.note(record.headers['traceparent'], batch.storageIndexes);
    this.counts.batches++;
    this.counts.forgottenPlacements += outcome.forgotten;
    this.counts.manifestConflicts += outcome.conflicts;
    return outcome.events;
  }

  /**
   * Records are gone from the log unread. What an inventory named in them is not lost because its end says so: ends count
   * again once the inventory has begun after the gap.
   */
  truncated(firstOffset: number): void {
    this.nextOffset = Math.max(this.nextOffset, firstOffset);
    this.#begunSinceTruncation = new Set();
  }

  #withoutTornInventory(batch: PeerBatch): PeerBatch {
    const begun = this.#begunSinceTruncation;
    if (begun === null || batch.inventory === null) return batch;
    if (batch.inventory.phase === 'begin') begun.add(batch.peer);
    return begun.has(batch.peer) ? batch : { ...batch, inventory: null };
  }

  #read(record: LogRecord, malformed: MalformedHandler): ShareEventsValue | null {
    if (record.value === null) return null;
    try {
      return readShareEvents(record.value);
    } catch (error) {
      this.counts.malformedRecords++;
      malformed(record, error);
      return null;
    }
  }

  /** What belongs into the store since the last call; the offset that it reaches up to is `nextOffset` at the call. */
  takeChanges(nowMs: number): ShareMapChanges {
    this.untakenEvents = 0;
    const changes = this.map.takeChanges();
    this.tombstones.see(changes.files);
    const due = this.tombstones.takeDue(this.map, nowMs);
    return due.length === 0 ? changes : { ...changes, files: [...due, ...changes.files] };
  }
}
