/** One partition of share-events that this analyzer owns: its share map, its part of the standing list, its place in the log. */
import type { AssignedPartition, LogRecord } from '#log/port.ts';
import type { Clock } from '#mesh/clock.ts';
import { readShareEvents, type ShareEventsValue } from '#mesh/events/records.ts';
import type { PeerBatch, ShareFinding } from '#mesh/events/share-batch.ts';
import { type PeerId, peerIdBytes, peerIdFromBytes } from '#mesh/peer-id.ts';
import { type StorageIndex, storageIndexBytes, storageIndexFromBytes } from '#mesh/storage-index.ts';
import { LogTime } from '#peers/liveness/log-time.ts';
import type { StoreChanges } from '../../ports.ts';
import { traceBatch } from '../../traces.ts';
import type { ShareMap, SweepTotals } from '../share-map/share-map.ts';
import type { PlacementBlock } from '../share-map/stored-blocks.ts';
import { Turns } from '../turns.ts';
import { AtRiskList } from './at-risk-list.ts';
import { FileTraces } from './file-traces.ts';
import type { ListOwnership } from './list-ownership.ts';
import type { PublishedHealth } from './published-health.ts';
import type { Tombstones } from './tombstones.ts';
import { UnsavedHealth } from './unsaved-health.ts';

export interface PartitionCounts {
  batches: number;
  events: number;
  duplicateBatches: number;
  /** Shares that readers found not to be sound, and that their peers had not told of. */
  findings: number;
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
  readonly published: PublishedHealth;
  readonly tombstones: Tombstones;
  readonly ownership: ListOwnership;
  readonly clock: Pick<Clock, 'monotonicMs' | 'nowMs'>;
}

/** What a flush takes of a share map in one turn. */
const placementsATime = 8192;
/** A file whose grade in the store is younger is still arriving, or was just told of. */
const steadyMs = 2000;

export type MalformedHandler = (record: LogRecord, error: unknown) => void;

export class OwnedPartition {
  readonly assigned: AssignedPartition;
  readonly map: ShareMap;
  readonly list = new AtRiskList();
  readonly ownership: ListOwnership;
  readonly tombstones: Tombstones;
  readonly time: LogTime;
  readonly counts: PartitionCounts = {
    batches: 0,
    events: 0,
    duplicateBatches: 0,
    findings: 0,
    malformedRecords: 0,
    forgottenPlacements: 0,
    manifestConflicts: 0,
  };
  /** Health as last written, so that histories hold changes only. */
  readonly published: PublishedHealth;
  /** As the last whole sweep found it; null before the first one. */
  totals: SweepTotals | null = null;
  readonly unsavedHealth = new UnsavedHealth((file) => this.#isSteady(file));
  /** Files that batches said were deleted, since the last look. */
  readonly deletedFiles = new Set<StorageIndex>();
  /** Which traces lead to what becomes of files. */
  readonly traces = new FileTraces();
  /** The trace of the last look, where it is kept. */
  judgedBy: string | undefined;
  /** The first offset not yet applied. */
  nextOffset: number;
  /** The offset committed last. */
  committedOffset: number | null;
  /** Share events applied since changes were taken for the store. */
  untakenEvents = 0;
  /** Resolves when dead letters of what was applied so far are kept. */
  deadLetters: Promise<unknown> = Promise.resolve();
  readonly #catchUpOffset: number;
  readonly #clock: OwnedPartitionOptions['clock'];

  constructor(options: OwnedPartitionOptions) {
    const { assigned, map, startOffset, catchUpOffset, maxTickStepMs } = options;
    this.assigned = assigned;
    this.map = map;
    this.nextOffset = startOffset;
    this.#catchUpOffset = catchUpOffset;
    this.published = options.published;
    this.tombstones = options.tombstones;
    this.ownership = options.ownership;
    this.#clock = options.clock;
    this.committedOffset = assigned.committedOffset;
    this.time = new LogTime(maxTickStepMs);
  }

  get number(): number {
    return this.assigned.partition;
  }

  /** Records of the log that were never read: retention took them, or nobody can read them. */
  lostRecords = 0;
  /** A whole sweep since it caught up has told of every file. */
  isJudged = false;

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
      else if (value.kind === 'finding') events += this.#applyFinding(value.finding);
      else events += this.#applyBatch(value.batch, record);
    }
    this.counts.events += events;
    this.untakenEvents += events;
    return events;
  }

  #applyFinding(finding: ShareFinding): number {
    if (!this.map.applyFinding(finding)) return 0;
    this.list.touch(finding.storageIndex);
    this.counts.findings++;
    return 1;
  }

  #applyBatch(batch: PeerBatch, record: LogRecord): number {
    // Before the first tick after a rebuild the log's own stamp says what time it is.
    const atMs = this.time.watermarkMs === 0 ? record.appendedAtMs : this.time.watermarkMs;
    const { result: outcome, traceparent } = traceBatch(record, batch, () => this.map.apply(batch, atMs));
    if (!outcome.applied) {
      this.counts.duplicateBatches++;
      return 0;
    }
    for (let i = 0; i < batch.deletedFiles.length; i += storageIndexBytes) {
      this.deletedFiles.add(storageIndexFromBytes(batch.deletedFiles, i));
    }
    this.list.touch(batch.storageIndexes);
    if (outcome.forgotten > 0) this.list.touchAll();
    this.traces.note(traceparent, batch.storageIndexes, this.#clock.monotonicMs());
    this.counts.batches++;
    this.counts.forgottenPlacements += outcome.forgotten;
    this.counts.manifestConflicts += outcome.conflicts;
    return outcome.events;
  }

  /** Records were never read: what these peers hold is known once each has sent an inventory. */
  truncated(records: number, firstOffset: number, peers: Iterable<PeerId>): void {
    this.lostRecords += records;
    this.nextOffset = Math.max(this.nextOffset, firstOffset);
    this.map.progress.oweInventories(peers);
  }

  #isSteady(file: StorageIndex): boolean {
    const stored = this.published.get(file);
    return stored !== undefined && this.#clock.nowMs() - stored.sinceMs >= steadyMs;
  }

  #read(record: LogRecord, malformed: MalformedHandler): ShareEventsValue | null {
    if (record.value === null) return null;
    try {
      const value = readShareEvents(record.value);
      if (value.kind === 'batch' && value.unknown !== null) this.#handUnreadable(record, value.unknown, malformed);
      return value;
    } catch (error) {
      this.#tearInventoryOf(record.key);
      this.#handUnreadable(record, error, malformed);
      return null;
    }
  }

  #handUnreadable(record: LogRecord, error: unknown, malformed: MalformedHandler): void {
    this.counts.malformedRecords++;
    malformed(record, error);
  }

  /** What an unreadable record named is not known, which is not lost: the inventory that it may belong to takes nothing away. */
  #tearInventoryOf(key: Uint8Array | null): void {
    this.map.progress.tearInventories(key?.length === peerIdBytes ? peerIdFromBytes(key) : null);
  }

  /**
   * What belongs into the store since the last call. It reaches up to `nextOffset` at the call, and placements further: they are
   * taken while they are read. That is harmless, since a row with a smaller version than it could have is only replaced sooner.
   */
  takeChanges(nowMs: number): StoreChanges {
    this.untakenEvents = 0;
    const { files, applied } = this.map.takeFileChanges();
    this.tombstones.see(files);
    const due = this.tombstones.takeDue(this.map, nowMs);
    return { files: due.length === 0 ? files : [...due, ...files], applied, placements: this.#takePlacements() };
  }

  async *#takePlacements(): AsyncGenerator<PlacementBlock, void> {
    const turns = new Turns(this.#clock);
    while (this.map.reap()) await turns.next();
    for (;;) {
      const block = this.map.takePlacements(placementsATime);
      if (block.count > 0) yield block;
      if (block.left === 0) return;
      await turns.pause();
    }
  }
}
