/**
 * The event log for one machine, without a broker: SQLite files in one directory that every service of the machine opens.
 * Acknowledged appends survive kill -9 of any process and power loss. Why this store: docs/decisions/embedded-log.md.
 */
import { mkdir } from 'node:fs/promises';
import type { Clock } from '#mesh/clock.ts';
import { describeError, isRetryable, MeshwardError } from '#mesh/errors.ts';
import { AppendQueue } from './embedded/append-queue.ts';
import { FileFeed } from './embedded/file-feed.ts';
import { checkTopics, type EmbeddedLogLimits, type EmbeddedLogOptions, limitsOf } from './embedded/options.ts';
import { headersToText, type PackedRecords, recordBytes, toLogRecords } from './embedded/packing.ts';
import { fullError } from './embedded/sqlite.ts';
import { type EmbeddedCounts, type EmbeddedLogStats, newCounts } from './embedded/stats.ts';
import { StoreClient } from './embedded/store-client.ts';
import type { StoreNotice } from './embedded/store-protocol.ts';
import { WakeUps } from './embedded/wake-ups.ts';
import type { AppendRecord, EventLog, PartitionBounds, Position, TopicSpec } from './port.ts';
import { EventLogFrame, type ReadAnswer } from './shared/event-log-frame.ts';
import type { GroupStore } from './shared/member.ts';
import type { PartitionSource } from './shared/partition-reader.ts';

export type { EmbeddedLogLimits, EmbeddedLogOptions } from './embedded/options.ts';
export type { EmbeddedLogStats } from './embedded/stats.ts';

export interface EmbeddedLog extends EventLog {
  stats(): EmbeddedLogStats;
  /** Runs retention over all topics now, beside its own schedule, until nothing is left to remove. */
  applyRetention(): Promise<void>;
}

/** @throws MeshwardError `config-invalid`, `log-corrupt`, `log-full`, `log-unavailable`. */
export async function createEmbeddedLog(options: EmbeddedLogOptions): Promise<EmbeddedLog> {
  const limits = limitsOf(options);
  checkTopics(options.topics);
  try {
    await mkdir(options.directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT') throw fullError(options.directory, describeError(error));
    throw new MeshwardError('log-unavailable', `the log's directory cannot be made: ${describeError(error)}`, {
      next: `Make ${options.directory} on a local file system, owned by the user of this service.`,
    });
  }
  const log = new SqliteEventLog(options.directory, options.topics, options.clock, limits);
  await log.open();
  return log;
}

/** Retention also runs after this much was appended, so that a fast topic does not outgrow its limit between two runs. */
const retentionAfterBytes = 16 * 1024 * 1024;
const retentionStepRecords = 500;
const maxReadRecords = 10_000;

const fullRoom = {
  waitsFor: "the log's disk",
  next: 'Send again later; where this lasts, the disk under the log is too slow for what arrives, or another process holds its files.',
};

class SqliteEventLog extends EventLogFrame<EmbeddedCounts> implements EmbeddedLog {
  readonly #limits: EmbeddedLogLimits;
  /** Appends and retention: waits for the disk. */
  readonly #writer: StoreClient;
  /** Reads and groups: never waits behind an append. */
  readonly #reader: StoreClient;
  readonly #wakeUps = new WakeUps();
  readonly #queues = new Map<string, AppendQueue>();
  readonly #watchedTopics = new Set<string>();
  #bytesSinceRetention = 0;
  #retention: Promise<void> | null = null;
  #callOffRetention: () => void = () => undefined;

  constructor(directory: string, topics: readonly TopicSpec[], clock: Clock, limits: EmbeddedLogLimits) {
    super({ topics, clock, limits, counts: newCounts(), fullRoom });
    this.#limits = limits;
    const { lockTimeoutMs, maxTopicBytes, pollMinMs, pollMaxMs } = limits;
    const config = { directory, topics, lockTimeoutMs, maxTopicBytes, pollMinMs, pollMaxMs };
    const restarted = (): void => {
      this.counts.storeRestarts++;
      this.#watch().catch(() => undefined);
    };
    this.#writer = new StoreClient(config, () => undefined, restarted);
    this.#reader = new StoreClient(config, (notice) => this.#noticed(notice), restarted);
    for (const { name } of topics)
      this.#queues.set(name, new AppendQueue(this.room, (batches) => this.#commit(name, batches)));
  }

  async open(): Promise<void> {
    try {
      await this.#writer.open();
      await this.#reader.open();
    } catch (error) {
      await Promise.all([this.#writer.close(), this.#reader.close()]);
      throw error;
    }
    this.#scheduleRetention();
  }

  stats(): EmbeddedLogStats {
    return { ...this.counts, ...this.waiting };
  }

  applyRetention(): Promise<void> {
    this.#retention ??= this.#retain().finally(() => {
      this.#retention = null;
    });
    return this.#retention;
  }

  protected get source(): PartitionSource {
    const tools = {
      read: (topic: string, partition: number, fromOffset: number) =>
        this.#read(topic, partition, fromOffset, this.#limits.fetchBytes),
      wakeUps: this.#wakeUps,
      clock: this.clock,
    };
    return { open: (...place) => new FileFeed(tools, ...place), clock: this.clock };
  }

  protected get groups(): GroupStore {
    const reader = this.#reader;
    return {
      join: (member) => reader.call('join', [member]),
      heartbeat: (memberId, group) => reader.call('heartbeat', [memberId, group]),
      owned: (memberId, group) => reader.call('owned', [memberId, group]),
      release: (memberId, group, partitions) => reader.call('release', [memberId, group, partitions]),
      leave: (memberId, group) => reader.call('leave', [memberId, group]),
      commit: (memberId, group, partition, nextOffset) =>
        reader.call('commit', [memberId, group, partition, nextOffset]),
      bounds: (topic) => this.#bounds(topic),
    };
  }

  protected sizeOf({ key, value, headers }: AppendRecord): number {
    return recordBytes({ key, value, headersText: headersToText(headers) });
  }

  protected async appendChecked(
    topic: string,
    records: readonly AppendRecord[],
    sizeBytes: number,
  ): Promise<readonly Position[]> {
    const positions = await (this.#queues.get(topic) as AppendQueue).append(records, sizeBytes);
    this.#bytesSinceRetention += sizeBytes;
    if (this.#bytesSinceRetention >= retentionAfterBytes) void this.#retainQuietly();
    return positions;
  }

  protected async readFrom(
    topic: string,
    partition: number,
    fromOffset: number,
    maxBytes: number,
  ): Promise<ReadAnswer> {
    const read = await this.#read(topic, partition, fromOffset, maxBytes);
    const isThere = read.firstOffset <= fromOffset && fromOffset <= read.nextOffset;
    return isThere ? { records: toLogRecords(topic, read.packed) } : read;
  }

  protected boundsOf({ name }: TopicSpec): Promise<readonly PartitionBounds[]> {
    return this.#bounds(name);
  }

  protected committedOf(group: string, { name }: TopicSpec): Promise<readonly (number | null)[]> {
    return this.#reader.call('committed', [group, name]);
  }

  protected watchTopics(topics: readonly string[]): Promise<void> {
    return this.#watch(topics);
  }

  protected joined(): Promise<void> {
    return this.#watch();
  }

  protected startClosing(): readonly Promise<void>[] {
    this.#callOffRetention();
    return [];
  }

  protected async closeStore(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.drained()));
    await this.#retention?.catch(() => undefined);
    await Promise.all([this.#writer.close(), this.#reader.close()]);
  }

  async #bounds(topic: string): Promise<readonly PartitionBounds[]> {
    const bounds = await this.#reader.call('bounds', [topic]);
    this.#wakeUps.advanceAll(topic, bounds);
    return bounds;
  }

  async #read(topic: string, partition: number, fromOffset: number, maxBytes: number) {
    const read = await this.#reader.call('read', [topic, partition, fromOffset, maxBytes, maxReadRecords]);
    this.counts.readRecords += read.packed.shapes.length;
    this.counts.readBytes += read.packed.bytes.length;
    return read;
  }

  async #commit(topic: string, batches: readonly PackedRecords[]): Promise<Position[][]> {
    const startedMs = this.clock.monotonicMs();
    const buffers = batches.map((batch) => batch.bytes.buffer);
    const positions = await this.#writer.call('append', [topic, batches, this.clock.nowMs()], buffers);
    const tookMs = this.clock.monotonicMs() - startedMs;
    this.counts.commits++;
    this.counts.commitMsTotal += tookMs;
    this.counts.commitMsMax = Math.max(this.counts.commitMsMax, tookMs);
    for (const { partition, offset } of positions.flat()) this.#wakeUps.advance(topic, partition, offset + 1);
    return positions;
  }

  #noticed(notice: StoreNotice): void {
    if (notice.kind === 'appended') {
      this.counts.notices++;
      this.#wakeUps.advanceAll(notice.topic, notice.bounds);
      return;
    }
    this.refreshMembers();
  }

  async #watch(more: readonly string[] = []): Promise<void> {
    for (const topic of more) this.#watchedTopics.add(topic);
    await this.#reader.call('watch', [[...this.#watchedTopics], this.hasMembers]);
  }

  #scheduleRetention(): void {
    this.#callOffRetention = this.clock.after(this.#limits.retentionIntervalMs, () => {
      void this.#retainQuietly().finally(() => {
        if (!this.isClosing) this.#scheduleRetention();
      });
    });
  }

  async #retainQuietly(): Promise<void> {
    try {
      await this.applyRetention();
    } catch (error) {
      // The next run tries again; what lasts shows in the count and, where it matters, as log-full.
      this.counts.retentionFailures += isRetryable(error) && this.isClosing ? 0 : 1;
    }
  }

  async #retain(): Promise<void> {
    this.#bytesSinceRetention = 0;
    const limits = { tombstoneRetentionMs: this.#limits.tombstoneRetentionMs, stepRecords: retentionStepRecords };
    for (const topic of this.topics.keys()) {
      for (let more = true; more && !this.isClosing; ) {
        const step = await this.#writer.call('retain', [topic, this.clock.nowMs(), limits]);
        this.counts.retentionRemovedRecords += step.removedRecords;
        this.counts.retentionRemovedBytes += step.removedBytes;
        more = step.more;
      }
    }
  }
}
