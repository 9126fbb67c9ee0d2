/** Three real brokers, of which one is frozen (its connections stay open, nothing answers) and one is killed, under load. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import { type KafkaCluster, type KafkaNode, startKafka } from '#test/kafka/cluster.ts';
import { createKafkaLog, type KafkaLog } from '../kafka-log.ts';
import type { AssignedPartition, LogRecord, Membership, TopicSpec } from '../port.ts';

let kafka: KafkaCluster;
const opened: KafkaLog[] = [];

beforeAll(async () => {
  kafka = await startKafka({
    nodes: 3,
    // A silent broker is replaced within seconds, as it is after nine in production.
    properties: {
      'broker.session.timeout.ms': 3000,
      'broker.heartbeat.interval.ms': 500,
      'replica.lag.time.max.ms': 3000,
    },
  });
});

afterAll(async () => {
  await Promise.all(opened.map((log) => log.close()));
  await kafka.stop();
});

async function open(topic: TopicSpec, limits: Partial<Parameters<typeof createKafkaLog>[0]> = {}): Promise<KafkaLog> {
  const log = await createKafkaLog({
    brokers: kafka.brokers,
    topics: [topic],
    clock: systemClock,
    sessionTimeoutMs: 3000,
    requestTimeoutMs: 8000,
    metadataMaxAgeMs: 1000,
    closeTimeoutMs: 2000,
    ...limits,
  });
  opened.push(log);
  return log;
}

async function until(done: () => boolean, what: string): Promise<void> {
  const giveUpAtMs = performance.now() + 90_000;
  while (!done()) {
    if (performance.now() > giveUpAtMs) throw new Error(`did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function everything(log: KafkaLog, topic: TopicSpec): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  const following = await log.follow(
    [topic.name],
    'first',
    async (_topic, _partition, batch) => void records.push(...batch),
  );
  await following.caughtUp;
  await following.close();
  return records;
}

/** Commits everything it is given, and notes under which generation it had what. */
class Reader {
  readonly values = new Set<string>();
  readonly generations = new Map<number, number[]>();
  membership: Membership | null = null;

  async join(log: KafkaLog, topic: string): Promise<void> {
    this.membership = await log.join('readers', [topic], {
      assigned: async (partitions) => {
        for (const { partition, generation } of partitions)
          this.generations.set(partition, [...(this.generations.get(partition) ?? []), generation]);
        return undefined;
      },
      revoked: () => Promise.resolve(),
      records: async (partition: AssignedPartition, records) => {
        for (const { value } of records) this.values.add(Buffer.from(value ?? []).toString());
        await this.membership?.commit(partition, (records.at(-1)?.offset ?? 0) + 1);
      },
    });
    this.membership.ended.catch((error: unknown) => {
      throw error;
    });
  }
}

test('no acknowledged record is lost, doubled or out of order while leaders are frozen and killed, and groups read on', async () => {
  const topic = { name: 'faults', partitions: 6, compacted: false, retentionMs: 0, retentionBytes: 0 };
  const log = await open(topic);
  const reader = new Reader();
  const other = new Reader();
  await reader.join(await open(topic), topic.name);
  await other.join(await open(topic), topic.name);

  const acknowledged: string[] = [];
  let isStopping = false;
  const write = async (writer: number): Promise<void> => {
    for (let sequence = 0; !isStopping; sequence++) {
      // Each append spreads over three partitions, so over several leaders.
      const values = [0, 1, 2].map((part) => `${writer}/${sequence}/${part}`);
      await log.append(
        topic.name,
        values.map((value, part) => ({ partition: (writer + part) % 6, key: null, value: Buffer.from(value) })),
      );
      acknowledged.push(...values);
    }
  };
  const writers = Array.from({ length: 12 }, (_, writer) => write(writer));
  const moreThan = (count: number) => () => acknowledged.length > count;
  await until(moreThan(300), 'appends are acknowledged');

  for (const [fault, index] of [
    ['freeze', 0],
    ['kill', 1],
    ['freeze', 2],
  ] as const) {
    const node = kafka.nodes[index] as KafkaNode;
    const before = acknowledged.length;
    if (fault === 'freeze') node.freeze();
    else await node.kill();
    await until(moreThan(before + 600), `appends go on after ${fault}`);
    if (fault === 'freeze') node.thaw();
    else await node.start();
    await until(moreThan(acknowledged.length + 300), `appends go on after the end of ${fault}`);
  }
  isStopping = true;
  await Promise.all(writers);
  await until(
    () => acknowledged.every((value) => reader.values.has(value) || other.values.has(value)),
    'the group reads all',
  );

  const last = new Map<string, number>();
  const seen = new Set<string>();
  for (const { partition, value } of await everything(log, topic)) {
    const text = Buffer.from(value ?? []).toString();
    const [writer, sequence] = text.split('/') as [string, string];
    expect(seen.has(text), `${text} once`).toBe(false);
    seen.add(text);
    const lane = `${writer}@${partition}`;
    expect(Number(sequence), `${lane} in order`).toBeGreaterThan(last.get(lane) ?? -1);
    last.set(lane, Number(sequence));
  }
  expect(acknowledged.filter((value) => !seen.has(value))).toEqual([]);
  for (let partition = 0; partition < topic.partitions; partition++) {
    const generations = [...(reader.generations.get(partition) ?? []), ...(other.generations.get(partition) ?? [])];
    expect(new Set(generations).size).toBe(generations.length);
  }
  expect(log.stats().resentBatches).toBeGreaterThan(0);
}, 240_000);
