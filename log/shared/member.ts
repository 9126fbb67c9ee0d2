/** One member of a consumer group: keeps itself alive, takes up and gives up partitions, and hands their records over. */

import { randomUUID } from 'node:crypto';
import { type Backoff, backoffMs } from '#mesh/backoff.ts';
import { type Clock, sleep } from '#mesh/clock.ts';
import { hasCode, isRetryable, MeshwardError } from '#mesh/errors.ts';
import {
  type AssignedPartition,
  type GroupConsumer,
  type Membership,
  type PartitionBounds,
  partitionKey,
  type UnreadableBatch,
} from '../port.ts';
import { beyondEndError } from './errors.ts';
import { PartitionReader, type PartitionSource } from './partition-reader.ts';

export interface MemberSpec {
  readonly id: string;
  readonly group: string;
  readonly topics: readonly { readonly name: string; readonly partitions: number }[];
  /** Without a heartbeat for this long, the member is dead. */
  readonly sessionTimeoutMs: number;
  /** How long an owner may take to give up a partition before it is taken. */
  readonly revokeTimeoutMs: number;
}

export interface OwnedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly generation: number;
  readonly committedOffset: number | null;
  /** Another member is to have it: the owner stops and releases. */
  readonly revoking: boolean;
}

/** Where a member stands in a partition. */
export interface HeldUnder {
  readonly topic: string;
  readonly partition: number;
  readonly generation: number;
}

/** Where membership is kept. `heartbeat` and `owned` say what the member owns by the store's word of now; null: no member any more. */
export interface GroupStore {
  join(member: MemberSpec): Promise<void>;
  heartbeat(memberId: string, group: string): Promise<OwnedPartition[] | null>;
  owned(memberId: string, group: string): Promise<OwnedPartition[] | null>;
  release(memberId: string, group: string, partitions: readonly HeldUnder[]): Promise<void>;
  leave(memberId: string, group: string): Promise<void>;
  commit(memberId: string, group: string, partition: HeldUnder, nextOffset: number): Promise<boolean>;
  /** @param starts offsets by partition from which this member is about to read. */
  bounds(topic: string, starts: ReadonlyMap<number, number>): Promise<readonly PartitionBounds[]>;
}

/** What happened to memberships, counted. */
export interface GroupCounters {
  assignedPartitions: number;
  revokedPartitions: number;
  /** Times that a member was found to be no longer one and joined again. */
  rejoins: number;
  fencedCommits: number;
  /** Times that retention took records which a subscription had not read. */
  truncations: number;
}

interface Held {
  readonly assigned: AssignedPartition;
  reader: PartitionReader | null;
  isStopping: boolean;
}

type Ending = { readonly error: unknown } | 'left';

/** A member counts as silent after this many missed heartbeats. */
const heartbeatsPerSession = 6;
/** Between two looks while nobody says whether a partition is still ours. */
const lookAgainMs = 20;
const boundsRetries: Backoff = { firstMs: 20, longestMs: 1000 };

export class Member implements Membership {
  readonly ended: Promise<void>;
  /** Resolves when `ended` settles, however it does. Apart from it, so that a failure that nobody looks at stays loud. */
  readonly settled: Promise<void>;
  readonly #store: GroupStore;
  readonly #source: PartitionSource;
  readonly #consumer: GroupConsumer;
  readonly #counters: GroupCounters;
  readonly #clock: Clock;
  readonly #spec: MemberSpec;
  readonly #outcome = Promise.withResolvers<void>();
  readonly #settling = Promise.withResolvers<void>();
  readonly #held = new Map<string, Held>();
  #id: string;
  /** What the store says that we own; undefined until it said so, null where we are no longer a member. */
  #view: readonly OwnedPartition[] | null | undefined;
  #lastSeenMs: number;
  #ending: Ending | null = null;
  #isSettled = false;
  #isReconciling = false;
  #needsReconciling = false;
  #isRefreshing = false;
  #needsRefreshing = false;
  #callOffHeartbeat: () => void = () => undefined;

  private constructor(
    store: GroupStore,
    source: PartitionSource,
    spec: Omit<MemberSpec, 'id'>,
    consumer: GroupConsumer,
    counters: GroupCounters,
  ) {
    this.#store = store;
    this.#source = source;
    this.#clock = source.clock;
    this.#id = randomUUID();
    this.#spec = { ...spec, id: this.#id };
    this.#consumer = consumer;
    this.#counters = counters;
    this.#lastSeenMs = this.#clock.monotonicMs();
    this.ended = this.#outcome.promise;
    this.settled = this.#settling.promise;
  }

  static async join(
    store: GroupStore,
    source: PartitionSource,
    spec: Omit<MemberSpec, 'id'>,
    consumer: GroupConsumer,
    counters: GroupCounters,
  ): Promise<Member> {
    const member = new Member(store, source, spec, consumer, counters);
    await store.join(member.#spec);
    member.#scheduleHeartbeat();
    member.refresh();
    return member;
  }

  async commit(partition: AssignedPartition, nextOffset: number): Promise<void> {
    if (!Number.isSafeInteger(nextOffset) || nextOffset < 0) {
      throw new MeshwardError('bad-input', `${nextOffset} is not an offset to commit`, {
        next: 'Commit the offset after the last record that was dealt with.',
      });
    }
    const { topic, partition: number, generation } = partition;
    const isOurs =
      !this.#isSettled &&
      (await this.#store.commit(this.#id, this.#spec.group, { topic, partition: number, generation }, nextOffset));
    if (isOurs) return;
    this.#counters.fencedCommits++;
    this.refresh();
    throw new MeshwardError('log-fenced', `${topic}/${number} is no longer owned under generation ${generation}`, {
      next: 'Nothing: the partition went to another member, which begins at the last commit.',
      details: { topic, partition: number, generation },
    });
  }

  leave(): Promise<void> {
    this.#end('left');
    return this.settled;
  }

  /** Something may have changed in the group. */
  refresh(): void {
    this.#needsRefreshing = true;
    if (this.#isRefreshing || this.#isSettled) return;
    this.#isRefreshing = true;
    void this.#refreshUntilSettled();
  }

  async #refreshUntilSettled(): Promise<void> {
    try {
      while (this.#needsRefreshing && !this.#isSettled) {
        this.#needsRefreshing = false;
        await this.#look('owned');
      }
    } finally {
      this.#isRefreshing = false;
    }
  }

  #scheduleHeartbeat(): void {
    this.#callOffHeartbeat();
    this.#callOffHeartbeat = this.#clock.after(this.#spec.sessionTimeoutMs / heartbeatsPerSession, () => {
      void this.#look('heartbeat').finally(() => {
        if (!this.#isSettled) this.#scheduleHeartbeat();
      });
    });
  }

  async #look(how: 'heartbeat' | 'owned'): Promise<void> {
    const id = this.#id;
    // Before the question, not after the answer: that is what is known of how long the store will wait for us.
    const askedMs = this.#clock.monotonicMs();
    try {
      const view = await this.#store[how](id, this.#spec.group);
      if (id !== this.#id || this.#isSettled) return;
      this.#lastSeenMs = askedMs;
      this.#view = view;
      this.#stopLostReaders();
      this.#reconcile();
    } catch (error) {
      // While the store does not answer, nobody can take the partitions either; the next heartbeat looks again.
      if (!isRetryable(error)) this.#end({ error });
    }
  }

  #end(ending: Ending): void {
    this.#ending ??= ending;
    for (const held of this.#held.values()) this.#stop(held);
    this.#reconcile();
  }

  #stop(held: Held): void {
    if (held.isStopping) return;
    held.isStopping = true;
    held.reader?.stop();
    this.#consumer.revoking?.(held.assigned);
  }

  #isStillOurs(held: Held): boolean {
    const { topic, partition, generation } = held.assigned;
    const now = this.#view?.find((owned) => owned.topic === topic && owned.partition === partition);
    return now !== undefined && now.generation === generation && !now.revoking;
  }

  #stopLostReaders(): void {
    for (const held of this.#held.values()) {
      if (!this.#isStillOurs(held)) this.#stop(held);
    }
  }

  /** One at a time: callbacks of the consumer never overlap with each other. */
  #reconcile(): void {
    this.#needsReconciling = true;
    if (this.#isReconciling || this.#isSettled) return;
    this.#isReconciling = true;
    void this.#reconcileUntilSettled();
  }

  async #reconcileUntilSettled(): Promise<void> {
    while (this.#needsReconciling && !this.#isSettled) {
      this.#needsReconciling = false;
      try {
        if (this.#ending !== null) await this.#finish(this.#ending);
        else await this.#reconcileOnce();
      } catch (error) {
        // What the store could not do now is done after the next heartbeat.
        if (!(error instanceof ConsumerFailure) && isRetryable(error)) continue;
        this.#ending ??= { error: error instanceof ConsumerFailure ? error.cause : error };
        this.#needsReconciling = true;
      }
    }
    this.#isReconciling = false;
  }

  async #reconcileOnce(): Promise<void> {
    if (this.#view === undefined) return;
    const lost = [...this.#held.values()].filter((held) => held.isStopping || !this.#isStillOurs(held));
    if (lost.length > 0) {
      await this.#giveUp(lost);
      if (this.#view !== null)
        await this.#store.release(
          this.#id,
          this.#spec.group,
          lost.map((held) => held.assigned),
        );
      this.refresh();
      this.#needsReconciling = true;
      return;
    }
    if (this.#view === null) {
      await this.#rejoin();
      return;
    }
    const taken = this.#view.filter(
      (owned) => !owned.revoking && !this.#held.has(partitionKey(owned.topic, owned.partition)),
    );
    const unheld = this.#view.filter(
      (owned) => owned.revoking && !this.#held.has(partitionKey(owned.topic, owned.partition)),
    );
    if (unheld.length > 0) {
      await this.#store.release(this.#id, this.#spec.group, unheld);
      this.refresh();
    }
    if (taken.length > 0) await this.#takeUp(taken);
  }

  async #takeUp(owned: readonly OwnedPartition[]): Promise<void> {
    const fresh = owned.map(({ topic, partition, generation, committedOffset }): Held => {
      return { assigned: { topic, partition, generation, committedOffset }, reader: null, isStopping: false };
    });
    for (const held of fresh) this.#held.set(partitionKey(held.assigned.topic, held.assigned.partition), held);
    this.#counters.assignedPartitions += fresh.length;
    const starts = await consumerCall(this.#consumer.assigned(fresh.map((held) => held.assigned)));
    const bounds = new Map<string, readonly PartitionBounds[]>();
    const startOf = ({ topic, partition, committedOffset }: AssignedPartition): number | null =>
      starts?.get(partitionKey(topic, partition)) ?? committedOffset;
    for (const [topic, ofTopic] of Map.groupBy(fresh, (held) => held.assigned.topic)) {
      const known = ofTopic.map((held): [number, number] => [held.assigned.partition, startOf(held.assigned) ?? 0]);
      bounds.set(topic, await this.#bounds(topic, new Map(known)));
    }
    for (const held of fresh) {
      const { topic, partition } = held.assigned;
      const { firstOffset, nextOffset } = (bounds.get(topic) as readonly PartitionBounds[])[
        partition
      ] as PartitionBounds;
      const start = startOf(held.assigned) ?? firstOffset;
      if (start > nextOffset) throw beyondEndError(topic, partition, start, nextOffset);
      if (!held.isStopping) this.#startReader(held, start);
    }
    this.#needsReconciling = true;
  }

  async #bounds(topic: string, starts: ReadonlyMap<number, number>): Promise<readonly PartitionBounds[]> {
    for (let tries = 0; ; tries++) {
      try {
        return await this.#store.bounds(topic, starts);
      } catch (error) {
        if (!isRetryable(error) || this.#ending !== null) throw error;
        await sleep(this.#clock, backoffMs(boundsRetries, tries));
      }
    }
  }

  #startReader(held: Held, start: number): void {
    const { assigned } = held;
    const sink = {
      records: (records: Parameters<GroupConsumer['records']>[1]) => this.#consumer.records(assigned, records),
      truncated: async (fromOffset: number, firstOffset: number) => {
        this.#counters.truncations++;
        await this.#consumer.truncated?.(assigned, fromOffset, firstOffset);
      },
      unreadable: async (batch: UnreadableBatch) => this.#consumer.unreadable?.(assigned, batch),
      mayHandOver: () => this.#mayHandOver(held),
    };
    const reader = new PartitionReader(this.#source, sink, assigned.topic, assigned.partition, start);
    held.reader = reader;
    reader.ended.catch((error: unknown) => this.#readerFailed(held, error));
  }

  /** After a pause longer than the session, somebody else may own the partition by now: look before handing over. */
  async #mayHandOver(held: Held): Promise<boolean> {
    while (!held.isStopping && this.#isUnconfirmed) {
      await this.#look('owned');
      if (this.#isUnconfirmed) await sleep(this.#clock, lookAgainMs);
    }
    return !held.isStopping;
  }

  get #isUnconfirmed(): boolean {
    return this.#clock.monotonicMs() - this.#lastSeenMs > this.#spec.sessionTimeoutMs;
  }

  async #readerFailed(held: Held, error: unknown): Promise<void> {
    if (hasCode(error, 'log-fenced')) {
      await this.#look('owned');
      if (held.isStopping) return;
    }
    this.#end({ error });
  }

  /** Waits for the calls under way, then tells the consumer. */
  async #giveUp(lost: readonly Held[]): Promise<void> {
    for (const held of lost) this.#stop(held);
    await Promise.all(lost.map((held) => held.reader?.ended.catch(() => undefined) ?? Promise.resolve()));
    for (const held of lost) this.#held.delete(partitionKey(held.assigned.topic, held.assigned.partition));
    this.#counters.revokedPartitions += lost.length;
    await consumerCall(this.#consumer.revoked(lost.map((held) => held.assigned)));
  }

  async #rejoin(): Promise<void> {
    this.#counters.rejoins++;
    this.#id = randomUUID();
    this.#view = undefined;
    await this.#store.join({ ...this.#spec, id: this.#id });
    this.refresh();
  }

  async #finish(ending: Ending): Promise<void> {
    let outcome = ending;
    try {
      if (this.#held.size > 0) await this.#giveUp([...this.#held.values()]);
    } catch (error) {
      if (outcome === 'left') outcome = { error: error instanceof ConsumerFailure ? error.cause : error };
    }
    this.#isSettled = true;
    this.#callOffHeartbeat();
    // Where the store does not answer, the session timeout takes the member out.
    await this.#store.leave(this.#id, this.#spec.group).catch(() => undefined);
    this.#settling.resolve();
    if (outcome === 'left') this.#outcome.resolve();
    else this.#outcome.reject(outcome.error);
  }
}

/** Marks what the consumer's own callback failed with: it ends the membership even where it might succeed later. */
class ConsumerFailure extends Error {}

async function consumerCall<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw new ConsumerFailure('a callback of the consumer failed', { cause: error });
  }
}
