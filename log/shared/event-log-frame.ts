/**
 * What every log does the same: it takes only what is in order, counts, keeps its members and followers and lets go of them
 * when it is closed. An adapter says how records are appended and read, and who owns what.
 */
import { type Clock, sleep } from '#mesh/clock.ts';
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
} from '../port.ts';
import type { LogCounts } from './counts.ts';
import { badInput, beyondEndError, closedError, truncatedError } from './errors.ts';
import { startFollowing } from './following.ts';
import { checkRecord, isIndex, openTopic } from './input.ts';
import { type GroupStore, Member } from './member.ts';
import type { PartitionSource } from './partition-reader.ts';
import { type FullRoomWords, type PendingLimits, PendingRoom } from './pending-room.ts';

export interface FrameLimits extends PendingLimits {
  readonly maxRecordBytes: number;
  readonly sessionTimeoutMs: number;
  readonly revokeTimeoutMs: number;
  readonly closeTimeoutMs: number;
}

export interface FrameOptions<C extends LogCounts> {
  readonly topics: readonly TopicSpec[];
  readonly clock: Clock;
  readonly limits: FrameLimits;
  readonly counts: C;
  readonly fullRoom: FullRoomWords;
}

/** Records, or how far the partition reaches where it has none at that offset. */
export type ReadAnswer =
  | { readonly records: readonly LogRecord[] }
  | { readonly firstOffset: number; readonly nextOffset: number };

export interface LogStats {
  readonly pendingBytes: number;
  readonly waitingAppends: number;
}

export abstract class EventLogFrame<C extends LogCounts> implements EventLog {
  protected readonly topics: ReadonlyMap<string, TopicSpec>;
  protected readonly clock: Clock;
  protected readonly counts: C;
  protected readonly room: PendingRoom;
  readonly #limits: FrameLimits;
  readonly #members = new Set<Member>();
  readonly #followings = new Set<Following>();
  #closing: Promise<void> | null = null;

  protected constructor({ topics, clock, limits, counts, fullRoom }: FrameOptions<C>) {
    this.topics = new Map(topics.map((spec) => [spec.name, spec]));
    this.clock = clock;
    this.#limits = limits;
    this.counts = counts;
    this.room = new PendingRoom(limits, clock, fullRoom);
  }

  protected abstract readonly groups: GroupStore;
  protected abstract readonly source: PartitionSource;

  /** Bytes that a record takes. */
  protected abstract sizeOf(record: AppendRecord): number;

  /** The records are in order; they still have to pass the room. */
  protected abstract appendChecked(
    topic: string,
    records: readonly AppendRecord[],
    sizeBytes: number,
  ): Promise<readonly Position[]>;

  protected abstract readFrom(
    topic: string,
    partition: number,
    fromOffset: number,
    maxBytes: number,
  ): Promise<ReadAnswer>;

  /** @param reaching by partition: an offset that the answer must reach, because it is known to exist. */
  protected abstract boundsOf(
    spec: TopicSpec,
    reaching: ReadonlyMap<number, number>,
  ): Promise<readonly PartitionBounds[]>;

  protected abstract committedOf(group: string, spec: TopicSpec): Promise<readonly (number | null)[]>;

  /** Before the topics are read for the first time. */
  protected abstract watchTopics(topics: readonly string[]): Promise<void>;

  /** After a member has joined. */
  protected abstract joined(): Promise<void>;

  /** Takes up nothing new. @returns what must end, beside members and followers, within the time that closing may take. */
  protected abstract startClosing(): readonly Promise<void>[];

  /** Members and followers are gone, or were waited for long enough. */
  protected abstract closeStore(): Promise<void>;

  async append(topic: string, records: readonly AppendRecord[]): Promise<readonly Position[]> {
    const spec = this.#topic(topic);
    this.#mustBeOpen();
    let sizeBytes = 0;
    for (const record of records) {
      const recordBytes = this.sizeOf(record);
      checkRecord(spec, record, recordBytes, this.#limits.maxRecordBytes);
      sizeBytes += recordBytes;
    }
    if (records.length === 0) return [];
    try {
      const positions = await this.appendChecked(topic, records, sizeBytes);
      this.counts.appendedRecords += records.length;
      this.counts.appendedBytes += sizeBytes;
      return positions;
    } catch (error) {
      this.counts.failedAppends++;
      throw error;
    }
  }

  async join(group: string, topics: readonly string[], consumer: GroupConsumer): Promise<Membership> {
    this.#mustBeOpen();
    const specs = [...new Set(topics)].map((name) => this.#topic(name));
    await this.watchTopics(topics);
    const { sessionTimeoutMs, revokeTimeoutMs } = this.#limits;
    const spec = {
      group,
      topics: specs.map(({ name, partitions }) => ({ name, partitions })),
      sessionTimeoutMs,
      revokeTimeoutMs,
    };
    const member = await Member.join(this.groups, this.source, spec, consumer, this.counts);
    this.#members.add(member);
    void member.settled.then(() => this.#members.delete(member));
    if (this.#closing !== null) void member.leave();
    await this.joined();
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
    const specs = [...new Set(topics)].map((name) => this.#topic(name));
    await this.watchTopics(topics);
    const states = await Promise.all(
      specs.map(async (spec) => {
        const starts = typeof from === 'string' ? [] : (from.get(spec.name) ?? []);
        return { topic: spec.name, bounds: await this.boundsOf(spec, new Map(starts.entries())) };
      }),
    );
    this.#mustBeOpen();
    const { following, settled } = startFollowing(this.source, states, from, onRecords, options, this.counts);
    this.#followings.add(following);
    void settled.then(() => this.#followings.delete(following));
    return following;
  }

  async read(topic: string, partition: number, fromOffset: number, maxBytes: number): Promise<readonly LogRecord[]> {
    const { partitions } = this.#topic(topic);
    this.#mustBeOpen();
    if (!isIndex(partition, partitions) || !isIndex(fromOffset, Number.MAX_SAFE_INTEGER)) {
      throw badInput(
        `${topic}/${partition} at offset ${fromOffset} is not a place to read`,
        `${topic} has partitions 0 to ${partitions - 1}.`,
      );
    }
    const read = await this.readFrom(topic, partition, fromOffset, maxBytes);
    if ('records' in read) return read.records;
    if (read.firstOffset > fromOffset) throw truncatedError(topic, partition, fromOffset, read.firstOffset);
    throw beyondEndError(topic, partition, fromOffset, read.nextOffset);
  }

  async bounds(topic: string): Promise<readonly PartitionBounds[]> {
    const spec = this.#topic(topic);
    this.#mustBeOpen();
    return this.boundsOf(spec, new Map());
  }

  async committed(group: string, topic: string): Promise<readonly (number | null)[]> {
    const spec = this.#topic(topic);
    this.#mustBeOpen();
    return this.committedOf(group, spec);
  }

  partitionCount(topic: string): Promise<number> {
    return Promise.resolve().then(() => this.#topic(topic).partitions);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  protected get isClosing(): boolean {
    return this.#closing !== null;
  }

  protected get hasMembers(): boolean {
    return this.#members.size > 0;
  }

  protected get waiting(): LogStats {
    return { pendingBytes: this.room.pendingBytes, waitingAppends: this.room.waitingAppends };
  }

  /** Who owns what may have changed. */
  protected refreshMembers(): void {
    for (const member of this.#members) member.refresh();
  }

  async #close(): Promise<void> {
    this.room.close();
    const ending = [
      ...[...this.#members].map((member) => member.leave()),
      ...[...this.#followings].map((following) => following.close()),
      ...this.startClosing(),
    ];
    const waited = new AbortController();
    await Promise.race([
      Promise.all(ending),
      sleep(this.clock, this.#limits.closeTimeoutMs, waited.signal).catch(() => undefined),
    ]);
    waited.abort(new Error('closed'));
    await this.closeStore();
  }

  #topic(name: string): TopicSpec {
    return openTopic(this.topics, name);
  }

  #mustBeOpen(): void {
    if (this.#closing !== null) throw closedError();
  }
}
