import type { MeshwardError } from '#mesh/errors.ts';

/**
 * The event log as every service sees it. Two adapters pass one contract test suite (test/contracts/event-log.ts).
 *
 * - A topic has a fixed count of partitions; order holds inside a partition.
 * - `append` resolves when the records are durable: they survive kill -9 of every process.
 * - Delivery to a consumer group is at least once: what was not committed comes again.
 * - A compacted topic keeps at least the newest record of each key; a null value is a tombstone.
 */
export interface EventLog {
  /**
   * Durable when resolved, in the given order for each partition: all of the records or, where it rejects, usually none
   * (a lost connection leaves it unknown, so an append may double and effects must be idempotent).
   * The records must not be changed before it settles. @throws MeshwardError `log-full`, `log-unavailable` (retryable), `log-closed`, `bad-input`.
   */
  append(topic: string, records: readonly AppendRecord[]): Promise<readonly Position[]>;

  /** Joins a consumer group: partitions of the topics are shared among the group's live members. */
  join(group: string, topics: readonly string[], consumer: GroupConsumer): Promise<Membership>;

  /**
   * Reads every partition of the topics, outside of any group, from the given place on, until closed.
   * `caughtUp` resolves once everything that was in the topics at the call has been handed over, and rejects where the
   * subscription ends before.
   * Start offsets above the end fail with `log-truncated`: the topic is not the one that they come from.
   */
  follow(
    topics: readonly string[],
    from: FollowFrom,
    onRecords: RecordsHandler,
    options?: FollowOptions,
  ): Promise<Following>;

  /** The records of one partition from `fromOffset` on, at most about `maxBytes`, what cannot be read left out; empty at the end. @throws `log-truncated` where retention took them. */
  read(topic: string, partition: number, fromOffset: number, maxBytes: number): Promise<readonly LogRecord[]>;

  /** For each partition, the first offset still kept and the offset that the next record will get. */
  bounds(topic: string): Promise<readonly PartitionBounds[]>;

  /** For each partition, the offset that the group committed last, or null where it has none. */
  committed(group: string, topic: string): Promise<readonly (number | null)[]>;

  partitionCount(topic: string): Promise<number>;

  close(): Promise<void>;

  /** Why it cannot be opened now, where it is still being opened; null or undefined else. */
  readonly trouble?: unknown;
}

export interface AppendRecord {
  readonly partition: number;
  /** Required on compacted topics. */
  readonly key: Uint8Array | null;
  /** Null is a tombstone: allowed on compacted topics only. */
  readonly value: Uint8Array | null;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Position {
  readonly partition: number;
  readonly offset: number;
}

export interface LogRecord extends Position {
  readonly topic: string;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
  /** When the log took it, in milliseconds since the epoch. */
  readonly appendedAtMs: number;
}

export interface PartitionBounds {
  readonly partition: number;
  readonly firstOffset: number;
  readonly nextOffset: number;
}

/** Records that are there and cannot be read: a batch that is damaged, or written by somebody else in a form that is not known. */
export interface UnreadableBatch extends Position {
  readonly topic: string;
  /** The offset after its last record; reading goes on there. */
  readonly nextOffset: number;
  /** As the log has it. */
  readonly bytes: Uint8Array;
  readonly error: MeshwardError;
}

export type FollowFrom = 'first' | 'next' | ReadonlyMap<string, readonly number[]>;

/** One call at a time for each partition; the next call waits for this promise. A rejection ends the subscription and is handed to `failed`. */
export type RecordsHandler = (topic: string, partition: number, records: readonly LogRecord[]) => Promise<void>;

export interface FollowOptions {
  /**
   * Called where retention took records before they were handed over; reading goes on at `firstOffset`. Without this,
   * the subscription fails with `log-truncated`, so that a loss is never silent.
   */
  readonly truncated?: (topic: string, partition: number, fromOffset: number, firstOffset: number) => Promise<void>;
  /** Called where records cannot be read. With or without this they are counted, logged and passed over: one of them must not stop everybody. */
  readonly unreadable?: (batch: UnreadableBatch) => Promise<void>;
}

export interface Following {
  readonly caughtUp: Promise<void>;
  /** Rejects when the subscription fails for good; resolves when it is closed. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

export interface AssignedPartition {
  readonly topic: string;
  readonly partition: number;
  /**
   * Grows each time the partition changes hands: a fence. What an owner does outside of the log (repairs) carries it,
   * and a smaller one is refused.
   */
  readonly generation: number;
  readonly committedOffset: number | null;
}

export interface GroupConsumer {
  /**
   * Called before the first record of newly owned partitions; resolves with the offset to start from for each
   * (undefined: the committed offset, or the first one kept where there is none).
   */
  assigned(partitions: readonly AssignedPartition[]): Promise<ReadonlyMap<string, number> | undefined>;
  /** Told at once that a partition is to go, before calls under way are waited for: they may end early. */
  revoking?(partition: AssignedPartition): void;
  /**
   * Called when partitions are taken away: for balance, for silence (a paused process), and at `leave` and `close`. Their
   * records stop before, and a call under way is waited for; commits for them fail afterwards with `log-fenced`.
   */
  revoked(partitions: readonly AssignedPartition[]): Promise<void>;
  /**
   * Records in order, one call at a time for each partition. A rejection ends the membership, except `log-fenced` for a
   * partition that has been taken away.
   */
  records(partition: AssignedPartition, records: readonly LogRecord[]): Promise<void>;
  /** Called where retention took records from `fromOffset` on that the group had not committed; records go on at `firstOffset`. */
  truncated?(partition: AssignedPartition, fromOffset: number, firstOffset: number): Promise<void>;
  /** Called where records cannot be read. With or without this they are counted, logged and passed over. */
  unreadable?(partition: AssignedPartition, batch: UnreadableBatch): Promise<void>;
}

export interface Membership {
  /** @param nextOffset the first offset that has not been dealt with. @throws MeshwardError `log-fenced` where the partition is no longer ours. */
  commit(partition: AssignedPartition, nextOffset: number): Promise<void>;
  /** Rejects when the membership fails for good, after `revoked`; resolves after `leave`. */
  readonly ended: Promise<void>;
  /** Gives everything up. Not to be awaited inside of a callback of the consumer: it waits for them. */
  leave(): Promise<void>;
}

/** The key under which `assigned` names a start offset. */
export function partitionKey(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

/** What a topic must look like; both adapters create it from this. */
export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  readonly compacted: boolean;
  /** Records older than this may go. 0 keeps them for ever. Compacted topics keep the newest of each key in any case. */
  readonly retentionMs: number;
  /** When a partition holds more than this, its oldest records go first. 0 is unlimited. */
  readonly retentionBytes: number;
}
