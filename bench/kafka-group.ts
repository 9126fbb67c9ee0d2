/**
 * Whether kafkajs's public consumer, with fences of one's own around it, could carry the groups of the log: how often a partition has
 * two owners at once, how long partitions that stay stand still when a member joins, and how many records that retention took are
 * passed over without a word. Ours and kafkajs go through the same acts on one broker, in turns.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { createKafkaLog, type KafkaLog } from '#log/kafka-log.ts';
import type { TopicSpec } from '#log/port.ts';
import { systemClock } from '#mesh/clock.ts';
import { startKafka } from '#test/kafka/cluster.ts';
import { type Bench, type BenchCase, median, spreadOf } from './case.ts';

const partitions = 6;
const runs = 3;
/** One partition is slow, as one that is rebuilt; the others are quick. */
const slowPartition = 0;
const slowMs = 8000;
const quickMs = 50;
const sessionTimeoutMs = 6000;
const actMs = 12_000;

/** What a consumer does in an act, as the act sees it. */
interface Watch {
  began(member: string, partition: number, firstOffset: number): void;
  ended(member: string, partition: number): void;
}

interface Member {
  leave(): Promise<void>;
}

interface Contender {
  readonly name: string;
  join(member: string, topic: string, watch: Watch, isSlow: boolean): Promise<Member>;
  /** Records that the last act's members were told to be gone. */
  told(): number;
}

interface Figures {
  readonly overlaps: number;
  readonly standstillMs: number;
  readonly unsaidRecords: number;
}

export const run: Bench = async function* bench({ note }): AsyncGenerator<BenchCase> {
  const kafka = await startKafka({ nodes: 1, properties: { 'log.retention.check.interval.ms': 3_600_000 } });
  const kafkajs = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING });
  try {
    const figures = new Map<string, Figures[]>();
    for (let round = 0; round < runs; round++) {
      for (const contender of [ours(kafka.brokers), theirs(kafkajs)]) {
        const one = await acts(contender, kafka.brokers, kafkajs);
        note(`${contender.name}, run ${round}: ${JSON.stringify(one)}`);
        figures.set(contender.name, [...(figures.get(contender.name) ?? []), one]);
      }
    }
    for (const [what, title, unit] of [
      ['overlaps', 'partitions with two owners at once when members come and go', 'times'],
      ['standstillMs', 'longest silence of partitions that stay when a member joins', 'ms'],
      ['unsaidRecords', 'records that retention took, passed over in silence', 'records'],
    ] as const) {
      const of = (name: string) => (figures.get(name) ?? []).map((one) => one[what]);
      yield {
        case: `kafka groups: ${title}`,
        unit,
        ours: median(of('meshward')),
        peers: { 'kafkajs consumer': median(of('kafkajs')) },
        spread: spreadOf(of('meshward').map((value) => value + 1)),
      };
    }
  } finally {
    await kafka.stop();
  }
};

async function acts(contender: Contender, brokers: readonly string[], kafkajs: Kafka): Promise<Figures> {
  const topic = `bench-${randomUUID()}`;
  const log = await openLog(brokers, topic);
  try {
    const { overlaps, standstillMs } = await membersComeAndGo(contender, topic, log);
    return { overlaps, standstillMs, unsaidRecords: await retentionTakes(contender, brokers, kafkajs) };
  } finally {
    await log.close();
  }
}

/** One member works, slowly on one partition; a second joins, and leaves again. */
async function membersComeAndGo(contender: Contender, topic: string, log: KafkaLog) {
  const atWork = new Map<number, Set<string>>();
  const lastBegun = new Map<number, number>();
  let overlaps = 0;
  let standstillMs = 0;
  let watching = false;
  const watch: Watch = {
    began(member, partition) {
      const members = atWork.get(partition) ?? new Set();
      if (members.size > 0 && !members.has(member)) overlaps++;
      atWork.set(partition, members.add(member));
      const now = performance.now();
      if (watching && member === 'first' && partition !== slowPartition)
        standstillMs = Math.max(standstillMs, now - (lastBegun.get(partition) ?? now));
      if (member === 'first') lastBegun.set(partition, now);
    },
    ended: (member, partition) => void atWork.get(partition)?.delete(member),
  };
  const feed = new AbortController();
  const feeding = feedTopic(log, topic, feed.signal);
  const first = await contender.join('first', topic, watch, true);
  await sleep(actMs / 2);
  watching = true;
  const second = await contender.join('second', topic, watch, true);
  await sleep(actMs);
  watching = false;
  await second.leave();
  await sleep(actMs / 2);
  await first.leave();
  feed.abort();
  await feeding;
  return { overlaps, standstillMs: Math.round(standstillMs) };
}

async function feedTopic(log: KafkaLog, topic: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await log.append(topic, everyPartition());
    await sleep(50);
  }
}

/** A group has committed; what it has not read is deleted; it comes back. */
async function retentionTakes(contender: Contender, brokers: readonly string[], kafkajs: Kafka): Promise<number> {
  const topic = `bench-${randomUUID()}`;
  const more = await openLog(brokers, topic);
  try {
    await more.append(topic, everyPartition());
    const begun = new Set<number>();
    const firstOffsets = new Map<number, number>();
    const watch: Watch = {
      began(_member, partition, firstOffset) {
        begun.add(partition);
        firstOffsets.set(partition, firstOffset);
      },
      ended: () => undefined,
    };
    const before = await contender.join('before', topic, watch, false);
    while (begun.size < partitions) await sleep(50);
    await sleep(1000);
    await before.leave();
    const taken = 100;
    for (let i = 0; i < taken; i++) await more.append(topic, everyPartition());
    const admin = kafkajs.admin();
    await admin.connect();
    // Deleting needs the topic's leaders, which this call asks for.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({
      topic,
      partitions: Array.from({ length: partitions }, (_, partition) => ({ partition, offset: String(taken + 1) })),
    });
    await admin.disconnect();
    const toldBefore = contender.told();
    firstOffsets.clear();
    const after = await contender.join('after', topic, watch, false);
    await sleep(3000);
    await more.append(topic, everyPartition());
    const deadlineMs = performance.now() + actMs;
    while (firstOffsets.size < partitions && performance.now() < deadlineMs) await sleep(50);
    await after.leave();
    return partitions * taken - (contender.told() - toldBefore);
  } finally {
    await more.close();
  }
}

function ours(brokers: readonly string[]): Contender {
  let told = 0;
  return {
    name: 'meshward',
    told: () => told,
    async join(member, topic, watch, isSlow) {
      const log = await openLog(brokers, topic);
      const membership = await log.join(topic, [topic], {
        assigned: () => Promise.resolve(undefined),
        revoked: () => Promise.resolve(),
        truncated(_partition, fromOffset, firstOffset) {
          told += firstOffset - fromOffset;
          return Promise.resolve();
        },
        async records(partition, records) {
          watch.began(member, partition.partition, records[0]?.offset ?? 0);
          await sleep(handlingMs(partition.partition, isSlow));
          watch.ended(member, partition.partition);
          await membership.commit(partition, (records.at(-1)?.offset ?? 0) + 1).catch(() => undefined);
        },
      });
      return {
        async leave() {
          await membership.leave();
          await log.close();
        },
      };
    },
  };
}

function theirs(kafkajs: Kafka): Contender {
  return {
    name: 'kafkajs',
    // Its consumer resets an offset that is out of range by itself; nothing tells.
    told: () => 0,
    async join(member, topic, watch, isSlow) {
      const consumer = kafkajs.consumer({ groupId: topic, sessionTimeout: sessionTimeoutMs, heartbeatInterval: 1000 });
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        partitionsConsumedConcurrently: partitions,
        async eachBatch(work) {
          const { batch } = work;
          watch.began(member, batch.partition, Number(batch.firstOffset() ?? 0));
          // As its documentation asks of long work; a rebalance is told by a rejection, and the work goes on.
          for (let leftMs = handlingMs(batch.partition, isSlow); leftMs > 0; leftMs -= 1000) {
            await sleep(Math.min(1000, leftMs));
            await work.heartbeat().catch(() => undefined);
          }
          watch.ended(member, batch.partition);
          const offset = String(Number(batch.lastOffset()) + 1);
          await consumer.commitOffsets([{ topic, partition: batch.partition, offset }]).catch(() => undefined);
        },
      });
      return { leave: () => consumer.disconnect() };
    },
  };
}

function handlingMs(partition: number, isSlow: boolean): number {
  if (!isSlow) return 0;
  return partition === slowPartition ? slowMs : quickMs;
}

function openLog(brokers: readonly string[], topic: string): Promise<KafkaLog> {
  const topics: TopicSpec[] = [{ name: topic, partitions, compacted: false, retentionMs: 0, retentionBytes: 0 }];
  return createKafkaLog({ brokers, topics, clock: systemClock, sessionTimeoutMs });
}

function everyPartition() {
  const value = new Uint8Array(100);
  return Array.from({ length: partitions }, (_, partition) => ({ partition, key: null, value }));
}
