/**
 * The event log on Apache Kafka. What is acknowledged is on every replica in sync; what a partition's owner is told and may
 * commit is fenced by the brokers. Why kafkajs is used as it is: docs/decisions/kafka-protocol-layer.md.
 */
import { sleep } from '#mesh/clock.ts';
import { silentLogger } from '#mesh/logger.ts';
import { Cluster } from './kafka/cluster.ts';
import { Fetcher } from './kafka/fetcher.ts';
import { fetchCommitted } from './kafka/group-calls.ts';
import { KafkaGroups } from './kafka/group-store.ts';
import { listBounds, readOnce } from './kafka/lookups.ts';
import { checkOptions, type KafkaLogLimits, type KafkaLogOptions, limitsOf } from './kafka/options.ts';
import { Producer } from './kafka/producer.ts';
import { recordBytes } from './kafka/record-batch.ts';
import { type KafkaCounts, type KafkaLogStats, newCounts } from './kafka/stats.ts';
import { ensureTopics } from './kafka/topics.ts';
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
import { Member } from './shared/member.ts';
import type { PartitionSource } from './shared/partition-reader.ts';
import { PendingRoom } from './shared/pending-room.ts';

export type { KafkaLogLimits, KafkaLogOptions, KafkaSasl, KafkaTls } from './kafka/options.ts';
export type { KafkaLogStats } from './kafka/stats.ts';

export interface KafkaLog extends EventLog {
  stats(): KafkaLogStats;
}

/** @throws MeshwardError `config-invalid`, `log-unavailable`, `log-forbidden`, `log-topics`. */
export async function createKafkaLog(options: KafkaLogOptions): Promise<KafkaLog> {
  checkOptions(options);
  const limits = limitsOf(options);
  const counts = newCounts();
  const cluster = new Cluster({
    brokers: options.brokers,
    clientId: options.clientId ?? 'meshward',
    tls: options.tls,
    sasl: options.sasl,
    topics: options.topics.map(({ name }) => name),
    clock: options.clock,
    random: options.random ?? Math.random,
    logger: options.logger ?? silentLogger,
    limits,
    counts,
  });
  try {
    await cluster.open();
    await ensureTopics(cluster, options.topics, {
      createTopics: options.createTopics ?? true,
      replicationFactor: options.replicationFactor ?? 0,
      minInsyncReplicas: options.minInsyncReplicas ?? 0,
      maxRecordBytes: limits.maxRecordBytes,
      topicSettings: options.topicSettings ?? {},
    });
  } catch (error) {
    cluster.close();
    throw error;
  }
  return new KafkaEventLog(cluster, options.topics, limits, counts, options.compression ?? 'none');
}

const fullRoom = {
  waitsFor: 'the brokers',
  next: 'Send again later; where this lasts, the brokers take less than what arrives, or a partition has no leader.',
};

class KafkaEventLog implements KafkaLog {
  readonly #cluster: Cluster;
  readonly #topics: ReadonlyMap<string, TopicSpec>;
  readonly #limits: KafkaLogLimits;
  readonly #counts: KafkaCounts;
  readonly #room: PendingRoom;
  readonly #producer: Producer;
  readonly #fetcher: Fetcher;
  readonly #groups: KafkaGroups;
  readonly #members = new Set<Member>();
  readonly #followings = new Set<Following>();
  #closing: Promise<void> | null = null;

  constructor(
    cluster: Cluster,
    topics: readonly TopicSpec[],
    limits: KafkaLogLimits,
    counts: KafkaCounts,
    compression: 'none' | 'gzip',
  ) {
    this.#cluster = cluster;
    this.#topics = new Map(topics.map((spec) => [spec.name, spec]));
    this.#limits = limits;
    this.#counts = counts;
    this.#room = new PendingRoom(limits, cluster.settings.clock, fullRoom);
    this.#producer = new Producer(cluster, compression);
    this.#fetcher = new Fetcher(cluster, async (topic, partition, reaching) => {
      const [bounds] = await listBounds(cluster, topic, [partition], new Map([[partition, reaching]]));
      return bounds as PartitionBounds;
    });
    const changed = (): void => {
      for (const member of this.#members) member.refresh();
    };
    this.#groups = new KafkaGroups(cluster, (topic, starts) => this.#bounds(topic, starts), changed);
  }

  async append(topic: string, records: readonly AppendRecord[]): Promise<readonly Position[]> {
    const spec = this.#topic(topic);
    this.#mustBeOpen();
    let sizeBytes = 0;
    for (const record of records) sizeBytes += this.#checkedBytes(spec, record);
    if (records.length === 0) return [];
    try {
      const positions = await this.#admitted(sizeBytes, () => this.#producer.append(topic, records));
      this.#counts.appendedRecords += records.length;
      this.#counts.appendedBytes += sizeBytes;
      return positions;
    } catch (error) {
      this.#counts.failedAppends++;
      throw error;
    }
  }

  async join(group: string, topics: readonly string[], consumer: GroupConsumer): Promise<Membership> {
    this.#mustBeOpen();
    const specs = [...new Set(topics)].map((name) => this.#topic(name));
    const spec = {
      group,
      topics: specs.map(({ name, partitions }) => ({ name, partitions })),
      sessionTimeoutMs: this.#limits.sessionTimeoutMs,
      revokeTimeoutMs: this.#limits.rebalanceTimeoutMs,
    };
    const member = await Member.join(this.#groups, this.#source, spec, consumer, this.#counts);
    this.#members.add(member);
    void member.settled.then(() => this.#members.delete(member));
    if (this.#closing !== null) void member.leave();
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
    const states = await Promise.all(
      names.map(async (topic) => {
        const starts = typeof from === 'string' ? [] : (from.get(topic) ?? []);
        return { topic, bounds: await this.#bounds(topic, new Map(starts.entries())) };
      }),
    );
    this.#mustBeOpen();
    const { following, settled } = startFollowing(this.#source, states, from, onRecords, options, this.#counts);
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
    const read = await readOnce(this.#cluster, topic, partition, fromOffset, maxBytes);
    if ('records' in read) {
      this.#counts.readRecords += read.records.length;
      return read.records;
    }
    if (read.firstOffset > fromOffset) throw truncatedError(topic, partition, fromOffset, read.firstOffset);
    throw beyondEndError(topic, partition, fromOffset, read.nextOffset);
  }

  async bounds(topic: string): Promise<readonly PartitionBounds[]> {
    return this.#bounds(topic, new Map());
  }

  async committed(group: string, topic: string): Promise<readonly (number | null)[]> {
    const { partitions } = this.#topic(topic);
    this.#mustBeOpen();
    const places = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
    const found = await this.#cluster.attempt(`reading the commits of ${group}`, async () => {
      try {
        const connection = await this.#cluster.control(await this.#cluster.coordinatorOf(group));
        return await fetchCommitted(group, places, (body) => connection.request('OffsetFetch', body));
      } catch (error) {
        this.#cluster.forgetCoordinator(group);
        throw error;
      }
    });
    return found.map(({ offset }) => offset);
  }

  partitionCount(topic: string): Promise<number> {
    return Promise.resolve().then(() => this.#topic(topic).partitions);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  stats(): KafkaLogStats {
    return {
      ...this.#counts,
      pendingBytes: this.#room.pendingBytes,
      waitingAppends: this.#room.waitingAppends,
      openConnections: this.#cluster.openConnections,
    };
  }

  async #close(): Promise<void> {
    this.#room.close();
    const ending: Promise<void>[] = [...this.#members].map((member) => member.leave());
    ending.push(...[...this.#followings].map((following) => following.close()));
    ending.push(this.#producer.drained());
    const waited = new AbortController();
    await Promise.race([
      Promise.all(ending),
      sleep(this.#cluster.settings.clock, this.#limits.closeTimeoutMs, waited.signal).catch(() => undefined),
    ]);
    waited.abort(new Error('closed'));
    this.#producer.end(closedError());
    this.#cluster.close();
    this.#fetcher.close();
  }

  async #bounds(topic: string, reaching: ReadonlyMap<number, number>): Promise<readonly PartitionBounds[]> {
    const { partitions } = this.#topic(topic);
    this.#mustBeOpen();
    return listBounds(this.#cluster, topic, [...Array(partitions).keys()], reaching);
  }

  get #source(): PartitionSource {
    return { open: (...place) => this.#fetcher.open(...place), clock: this.#cluster.settings.clock };
  }

  async #admitted<T>(sizeBytes: number, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const admit = (): void => {
        work()
          .finally(() => this.#room.exit(sizeBytes))
          .then(resolve, reject);
      };
      this.#room.enter(sizeBytes, admit, reject);
    });
  }

  #topic(name: string): TopicSpec {
    return openTopic(this.#topics, name);
  }

  #mustBeOpen(): void {
    if (this.#closing !== null) throw closedError();
  }

  #checkedBytes(spec: TopicSpec, record: AppendRecord): number {
    const bytes = recordBytes(record);
    checkRecord(spec, record, bytes, this.#limits.maxRecordBytes);
    return bytes;
  }
}
