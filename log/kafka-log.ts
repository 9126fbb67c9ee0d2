/**
 * The event log on Apache Kafka. What is acknowledged is on every replica in sync; what a partition's owner is told and may
 * commit is fenced by the brokers. Why kafkajs is used as it is: docs/decisions/kafka-protocol-layer.md.
 */

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
import type { AppendRecord, EventLog, PartitionBounds, Position, TopicSpec } from './port.ts';
import { closedError } from './shared/errors.ts';
import { EventLogFrame, type ReadAnswer } from './shared/event-log-frame.ts';
import { openTopic } from './shared/input.ts';
import type { GroupStore } from './shared/member.ts';
import type { PartitionSource } from './shared/partition-reader.ts';

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

class KafkaEventLog extends EventLogFrame<KafkaCounts> implements KafkaLog {
  protected readonly groups: GroupStore;
  readonly #cluster: Cluster;
  readonly #producer: Producer;
  readonly #fetcher: Fetcher;

  constructor(
    cluster: Cluster,
    topics: readonly TopicSpec[],
    limits: KafkaLogLimits,
    counts: KafkaCounts,
    compression: 'none' | 'gzip',
  ) {
    const { clock } = cluster.settings;
    super({ topics, clock, limits: { ...limits, revokeTimeoutMs: limits.rebalanceTimeoutMs }, counts, fullRoom });
    this.#cluster = cluster;
    this.#producer = new Producer(cluster, compression);
    this.#fetcher = new Fetcher(cluster, async (topic, partition, reaching) => {
      const [bounds] = await listBounds(cluster, topic, [partition], new Map([[partition, reaching]]));
      return bounds as PartitionBounds;
    });
    this.groups = new KafkaGroups(
      cluster,
      (topic, starts) => this.#bounds(topic, starts),
      () => this.refreshMembers(),
    );
  }

  stats(): KafkaLogStats {
    return { ...this.counts, ...this.waiting, openConnections: this.#cluster.openConnections };
  }

  protected get source(): PartitionSource {
    return { open: (...place) => this.#fetcher.open(...place), clock: this.clock };
  }

  protected sizeOf(record: AppendRecord): number {
    return recordBytes(record);
  }

  protected appendChecked(
    topic: string,
    records: readonly AppendRecord[],
    sizeBytes: number,
  ): Promise<readonly Position[]> {
    return new Promise((resolve, reject) => {
      const admit = (): void => {
        this.#producer
          .append(topic, records)
          .finally(() => this.room.exit(sizeBytes))
          .then(resolve, reject);
      };
      this.room.enter(sizeBytes, admit, reject);
    });
  }

  protected async readFrom(
    topic: string,
    partition: number,
    fromOffset: number,
    maxBytes: number,
  ): Promise<ReadAnswer> {
    const read = await readOnce(this.#cluster, topic, partition, fromOffset, maxBytes);
    if ('records' in read) this.counts.readRecords += read.records.length;
    return read;
  }

  protected boundsOf({ name }: TopicSpec, reaching: ReadonlyMap<number, number>): Promise<readonly PartitionBounds[]> {
    return this.#bounds(name, reaching);
  }

  protected async committedOf(group: string, { name, partitions }: TopicSpec): Promise<readonly (number | null)[]> {
    const places = Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition }));
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

  protected watchTopics(): Promise<void> {
    return Promise.resolve();
  }

  protected joined(): Promise<void> {
    return Promise.resolve();
  }

  protected startClosing(): readonly Promise<void>[] {
    return [this.#producer.drained()];
  }

  protected closeStore(): Promise<void> {
    this.#producer.end(closedError());
    this.#cluster.close();
    this.#fetcher.close();
    return Promise.resolve();
  }

  async #bounds(topic: string, reaching: ReadonlyMap<number, number>): Promise<readonly PartitionBounds[]> {
    const { partitions } = openTopic(this.topics, topic);
    if (this.isClosing) throw closedError();
    return listBounds(this.#cluster, topic, [...Array(partitions).keys()], reaching);
  }
}
