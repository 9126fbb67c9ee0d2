/** One partition of share-events that this analyzer owns: its share map, its part of the standing list, its place in the log. */
import type { AssignedPartition, LogRecord } from '#collector/log/port.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { LogTime } from '../liveness/log-time.ts';
import type { PublishedGrade } from '../ports.ts';
import type { ShareMap } from '../share-map/share-map.ts';
import { readShareEvents, type ShareEventsValue } from '../wire.ts';
import { StandingList } from './standing-list.ts';

export interface PartitionCounts {
  batches: number;
  events: number;
  duplicateBatches: number;
  malformedRecords: number;
  forgottenPlacements: number;
  manifestConflicts: number;
}

export class OwnedPartition {
  readonly assigned: AssignedPartition;
  readonly map: ShareMap;
  readonly list = new StandingList();
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
  /** The first offset not yet applied. */
  nextOffset: number;
  /** What was in the log when the partition came: until it is reached, files are not judged. */
  readonly catchUpOffset: number;
  /** The offset committed last. */
  committedOffset: number | null;

  constructor(
    assigned: AssignedPartition,
    map: ShareMap,
    startOffset: number,
    catchUpOffset: number,
    maxTickStepMs: number,
    publishedGrades: Iterable<readonly [StorageIndex, PublishedGrade]>,
  ) {
    this.publishedGrades = new Map(publishedGrades);
    this.assigned = assigned;
    this.map = map;
    this.nextOffset = startOffset;
    this.catchUpOffset = catchUpOffset;
    this.committedOffset = assigned.committedOffset;
    this.time = new LogTime(maxTickStepMs);
  }

  get caughtUp(): boolean {
    return this.nextOffset >= this.catchUpOffset;
  }

  /**
   * Applies records in order. @param malformed told of each record that cannot be read; reading goes on behind it.
   * @returns the count of share events that were applied.
   */
  apply(records: readonly LogRecord[], malformed: (record: LogRecord, error: unknown) => void): number {
    let events = 0;
    for (const record of records) {
      if (record.offset < this.nextOffset) continue;
      this.nextOffset = record.offset + 1;
      const value = this.#read(record, malformed);
      if (value === null) continue;
      if (value.kind === 'tick') {
        this.time.tick(value.atMs);
        continue;
      }
      const outcome = this.map.apply(value.batch, this.time.watermarkMs);
      if (!outcome.applied) {
        this.counts.duplicateBatches++;
        continue;
      }
      events += outcome.events;
      this.counts.batches++;
      this.counts.forgottenPlacements += outcome.forgotten;
      this.counts.manifestConflicts += outcome.conflicts;
    }
    this.counts.events += events;
    return events;
  }

  #read(record: LogRecord, malformed: (record: LogRecord, error: unknown) => void): ShareEventsValue | null {
    if (record.value === null) return null;
    try {
      return readShareEvents(record.value);
    } catch (error) {
      this.counts.malformedRecords++;
      malformed(record, error);
      return null;
    }
  }
}
