/**
 * The event log for one machine, without a broker: SQLite files in one directory that every service of the machine opens.
 * Acknowledged appends survive kill -9 of any process and power loss. Why this store: docs/decisions/embedded-log.md.
 */
import { mkdir } from 'node:fs/promises';
import { type Clock, sleep } from '#mesh/clock.ts';
import { describeError, isRetryable, MeshwardError } from '#mesh/errors.ts';
import { AppendQueue } from './embedded/append-queue.ts';
import { FileFeed } from './embedded/file-feed.ts';
import { checkTopics, type EmbeddedLogLimits, type EmbeddedLogOptions, limitsOf } from './embedded/options.ts';
import { headersToText, type PackedRecords, recordBytes, toLogRecords } from './embedded/packing.ts';
import { type EmbeddedLogStats, newCounts } from './embedded/stats.ts';
import { StoreClient } from './embedded/store-client.ts';
import type { StoreNotice } from './embedded/store-protocol.ts';
import { WakeUps } from './embedded/wake-ups.ts';
import type {
  AppendRecord,
  EventLog,
  FollowFrom,
  Following,
  FollowOptions,
  GroupConsumer,
  LogRecord,
  Membership,
  PartitionBounds,
  Position,
  RecordsHandler,
  TopicSpec,
} from './port.ts';
import { badInput, beyondEndError, closedError, truncatedError } from './shared/errors.ts';
import { startFollowing } from './shared/following.ts';
import { checkRecord, isIndex, openTopic } from './shared/input.ts';
import { type GroupStore, Member } from './shared/member.ts';
import type { PartitionSource } from './shared/partition-reader.ts';
import { PendingRoom } from './shared/pending-room.ts';

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

class SqliteEventLog implements EmbeddedLog {
  readonly #topics: ReadonlyMap<string, TopicSpec>;
  readonly #clock: Clock;
  readonly #limits: EmbeddedLogLimits;
  /** Appends and retention: waits for the disk. */
  readonly #writer: StoreClient;
  /** Reads and groups: never waits behind an append. */
  readonly #reader: StoreClient;
  readonly #wakeUps = new WakeUps();
  readonly #room: PendingRoom;
  readonly #queues = new Map<string, AppendQueue>();
  readonly #members = new Set<Member>();
  readonly #followings = new Set<Following>();
  readonly #watchedTopics = new Set<string>();
  readonly #counts = newCounts();
  #bytesSinceRetention = 0;
  #retention: Promise<void> | null = null;
  #callOffRetention: () => void = () => undefined;
  #closing: Promise<void> | null = null;

  constructor(directory: string, topics: readonly TopicSpec[], clock: Clock, limits: EmbeddedLogLimits) {
    this.#topics = new Map(topics.map((spec) => [spec.name, spec]));
    this.#clock = clock;
    this.#limits = limits;
    this.#room = new PendingRoom(limits, clock, fullRoom);
    const { lockTimeoutMs, maxTopicBytes, pollMinMs, pollMaxMs } = limits;
    const config = { directory, topics, lockTimeoutMs, maxTopicBytes, pollMinMs, pollMaxMs };
    const restarted = (): void => {
      this.#counts.storeRestarts++;
      this.#watch().catch(() => undefined);
    };
    this.#writer = new StoreClient(config, () => undefined, restarted);
    this.#reader = new StoreClient(config, (notice) => this.#noticed(notice), restarted);
    for (const { name } of topics)
      this.#queues.set(name, new AppendQueue(this.#room, (batches) => this.#commit(name, batches)));
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

  async append(topic: string, records: readonly AppendRecord[]): Promise<readonly Position[]> {
    const spec = this.#topic(topic);
    this.#mustBeOpen();
    let sizeBytes = 0;
    for (const record of records) sizeBytes += this.#checkedBytes(spec, record);
    if (records.length === 0) return [];
    try {
      const positions = await (this.#queues.get(topic) as AppendQueue).append(records, sizeBytes);
      this.#counts.appendedRecords += records.length;
      this.#counts.appendedBytes += sizeBytes;
      this.#bytesSinceRetention += sizeBytes;
      if (this.#bytesSinceRetention >= retentionAfterBytes) void this.#retainQuietly();
      return positions;
    } catch (error) {
      this.#counts.failedAppends++;
      throw error;
    }
  }

  async join(group: string, topics: readonly string[], consumer: GroupConsumer): Promise<Membership> {
    this.#mustBeOpen();
    const specs = [...new Set(topics)].map((name) => this.#topic(name));
    await this.#watch(topics);
    const { sessionTimeoutMs, revokeTimeoutMs } = this.#limits;
    const spec = {
      group,
      topics: specs.map(({ name, partitions }) => ({ name, partitions })),
      sessionTimeoutMs,
      revokeTimeoutMs,
    };
    const member = await Member.join(this.#groupStore, this.#source, spec, consumer, this.#counts);
    this.#members.add(member);
    void member.settled.then(() => this.#members.delete(member));
    await this.#watch();
    member.refresh();
    return member;
  }

  async follow(
    topics: readonly string[],
    from: FollowFrom,
    onRecords: RecordsHandler,
    options: FollowOptions = {},
  ): Promise<Following> {
    this.#mustBeOpen();
    const names = [...new Set(topics)];
    for (const topic of names) this.#topic(topic);
    await this.#watch(names);
    const states = await Promise.all(names.map(async (topic) => ({ topic, bounds: await this.bounds(topic) })));
    this.#mustBeOpen();
    const { following, settled } = startFollowing(this.#source, states, from, onRecords, options, this.#counts);
    this.#followings.add(following);
    void settled.then(() => this.#followings.delete(following));
    return following;
  }

  async read(topic: string, partition: number, fromOffset: number, maxBytes: number): Promise<readonly LogRecord[]> {
    const { partitions } = this.#topic(topic);
    if (!isIndex(partition, partitions) || !isIndex(fromOffset, Number.MAX_SAFE_INTEGER)) {
      throw badInput(
        `${topic}/${partition} at offset ${fromOffset} is not a place to read`,
        `${topic} has partitions 0 to ${partitions - 1}.`,
      );
    }
    const read = await this.#read(topic, partition, fromOffset, maxBytes);
    if (read.firstOffset > fromOffset) throw truncatedError(topic, partition, fromOffset, read.firstOffset);
    if (read.nextOffset < fromOffset) throw beyondEndError(topic, partition, fromOffset, read.nextOffset);
    return toLogRecords(topic, read.packed);
  }

  async bounds(topic: string): Promise<readonly PartitionBounds[]> {
    this.#topic(topic);
    const bounds = await this.#reader.call('bounds', [topic]);
    this.#wakeUps.advanceAll(topic, bounds);
    return bounds;
  }

  async committed(group: string, topic: string): Promise<readonly (number | null)[]> {
    this.#topic(topic);
    return this.#reader.call('committed', [group, topic]);
  }

  partitionCount(topic: string): Promise<number> {
    return Promise.resolve().then(() => this.#topic(topic).partitions);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  stats(): EmbeddedLogStats {
    return { ...this.#counts, pendingBytes: this.#room.pendingBytes, waitingAppends: this.#room.waitingAppends };
  }

  applyRetention(): Promise<void> {
    this.#retention ??= this.#retain().finally(() => {
      this.#retention = null;
    });
    return this.#retention;
  }

  async #close(): Promise<void> {
    this.#callOffRetention();
    this.#room.close();
    const subscriptions = [...this.#members].map((member) => member.leave());
    subscriptions.push(...[...this.#followings].map((following) => following.close()));
    const waited = new AbortController();
    await Promise.race([
      Promise.all(subscriptions),
      sleep(this.#clock, this.#limits.closeTimeoutMs, waited.signal).catch(() => undefined),
    ]);
    waited.abort(new Error('closed'));
    await Promise.all([...this.#queues.values()].map((queue) => queue.drained()));
    await this.#retention?.catch(() => undefined);
    await Promise.all([this.#writer.close(), this.#reader.close()]);
  }

  get #source(): PartitionSource {
    const tools = {
      read: (topic: string, partition: number, fromOffset: number) =>
        this.#read(topic, partition, fromOffset, this.#limits.fetchBytes),
      wakeUps: this.#wakeUps,
      clock: this.#clock,
    };
    return { open: (...place) => new FileFeed(tools, ...place), clock: this.#clock };
  }

  get #groupStore(): GroupStore {
    const reader = this.#reader;
    return {
      join: (member) => reader.call('join', [member]),
      heartbeat: (memberId, group) => reader.call('heartbeat', [memberId, group]),
      owned: (memberId, group) => reader.call('owned', [memberId, group]),
      release: (memberId, group, partitions) => reader.call('release', [memberId, group, partitions]),
      leave: (memberId, group) => reader.call('leave', [memberId, group]),
      commit: (memberId, group, partition, nextOffset) =>
        reader.call('commit', [memberId, group, partition, nextOffset]),
      bounds: (topic) => this.bounds(topic),
    };
  }

  async #read(topic: string, partition: number, fromOffset: number, maxBytes: number) {
    const read = await this.#reader.call('read', [topic, partition, fromOffset, maxBytes, maxReadRecords]);
    this.#counts.readRecords += read.packed.shapes.length;
    this.#counts.readBytes += read.packed.bytes.length;
    return read;
  }

  async #commit(topic: string, batches: readonly PackedRecords[]): Promise<Position[][]> {
    const startedMs = this.#clock.monotonicMs();
    const buffers = batches.map((batch) => batch.bytes.buffer);
    const positions = await this.#writer.call('append', [topic, batches, this.#clock.nowMs()], buffers);
    const tookMs = this.#clock.monotonicMs() - startedMs;
    this.#counts.commits++;
    this.#counts.commitMsTotal += tookMs;
    this.#counts.commitMsMax = Math.max(this.#counts.commitMsMax, tookMs);
    for (const { partition, offset } of positions.flat()) this.#wakeUps.advance(topic, partition, offset + 1);
    return positions;
  }

  #noticed(notice: StoreNotice): void {
    if (notice.kind === 'appended') {
      this.#counts.notices++;
      this.#wakeUps.advanceAll(notice.topic, notice.bounds);
      return;
    }
    for (const member of this.#members) member.refresh();
  }

  async #watch(more: readonly string[] = []): Promise<void> {
    for (const topic of more) this.#watchedTopics.add(topic);
    await this.#reader.call('watch', [[...this.#watchedTopics], this.#members.size > 0]);
  }

  #scheduleRetention(): void {
    this.#callOffRetention = this.#clock.after(this.#limits.retentionIntervalMs, () => {
      void this.#retainQuietly().finally(() => {
        if (this.#closing === null) this.#scheduleRetention();
      });
    });
  }

  async #retainQuietly(): Promise<void> {
    try {
      await this.applyRetention();
    } catch (error) {
      // The next run tries again; what lasts shows in the count and, where it matters, as log-full.
      this.#counts.retentionFailures += isRetryable(error) && this.#closing !== null ? 0 : 1;
    }
  }

  async #retain(): Promise<void> {
    this.#bytesSinceRetention = 0;
    const limits = { tombstoneRetentionMs: this.#limits.tombstoneRetentionMs, stepRecords: retentionStepRecords };
    for (const topic of this.#topics.keys()) {
      for (let more = true; more && this.#closing === null; ) {
        const step = await this.#writer.call('retain', [topic, this.#clock.nowMs(), limits]);
        this.#counts.retentionRemovedRecords += step.removedRecords;
        this.#counts.retentionRemovedBytes += step.removedBytes;
        more = step.more;
      }
    }
  }

  #topic(name: string): TopicSpec {
    return openTopic(this.#topics, name);
  }

  #mustBeOpen(): void {
    if (this.#closing !== null) throw closedError();
  }

  #checkedBytes(spec: TopicSpec, record: AppendRecord): number {
    const { key, value } = record;
    const bytes = recordBytes({ key, value, headersText: headersToText(record.headers) });
    checkRecord(spec, record, bytes, this.#limits.maxRecordBytes);
    return bytes;
  }
}
