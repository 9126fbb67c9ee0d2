/** What others write into a topic: every codec of Java's, transactions, damage on a broker's disk. None of it stops a reader. */
import { randomUUID } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import { RecordingMember, record, textOf } from '#test/contracts/event-log-harness.ts';
import { type KafkaCluster, startKafka } from '#test/kafka/cluster.ts';
import { createKafkaLog, type KafkaLog } from '../kafka-log.ts';
import type { TopicSpec, UnreadableBatch } from '../port.ts';
import { openKafkaAdmin } from './admin.ts';
import { planOnCluster } from './apply-topics.ts';

let kafka: KafkaCluster;
beforeAll(async () => {
  kafka = await startKafka({ nodes: 1 });
});
afterAll(() => kafka.stop());

interface OpenTopic {
  readonly spec: TopicSpec;
  readonly log: KafkaLog;
  readonly topic: string;
}

async function openTopic(topicSettings: Record<string, string> = {}): Promise<OpenTopic> {
  const topic = `topic-${randomUUID()}`;
  const spec = { name: topic, partitions: 1, compacted: false, retentionMs: 0, retentionBytes: 0 };
  const log = await createKafkaLog({
    brokers: kafka.brokers,
    topics: [spec],
    topicSettings,
    clock: systemClock,
    closeTimeoutMs: 1000,
  });
  onTestFinished(() => log.close());
  return { spec, log, topic };
}

/** Everything there is, once read in a loop and once followed: both must agree. */
async function readEverything({ log, topic }: OpenTopic) {
  const texts: string[] = [];
  for (let at = 0; ; ) {
    const records = await log.read(topic, 0, at, 1000);
    const last = records.at(-1);
    if (last === undefined) break;
    texts.push(...records.map(textOf));
    at = last.offset + 1;
  }
  const followed: string[] = [];
  const unreadable: UnreadableBatch[] = [];
  const following = await log.follow(
    [topic],
    'first',
    async (_topic, _partition, records) => void followed.push(...records.map(textOf)),
    { unreadable: async (batch) => void unreadable.push(batch) },
  );
  await following.caughtUp;
  await following.close();
  expect(followed).toEqual(texts);
  return { texts, unreadable };
}

async function segmentsOf(topic: string): Promise<readonly string[]> {
  const folder = join(dirname(kafka.nodes[0]?.logPath as string), 'data', `${topic}-0`);
  return (await readdir(folder)).filter((name) => name.endsWith('.log')).map((name) => join(folder, name));
}

async function storedSegments(topic: string): Promise<readonly Buffer[]> {
  return Promise.all((await segmentsOf(topic)).map((path) => readFile(path)));
}

const kafkajs = () => new Kafka({ clientId: 'stranger', brokers: [...kafka.brokers], logLevel: logLevel.NOTHING });

describe('records of others', () => {
  // A broker that compresses writes batches anew, with the codecs of Java's producers.
  test.each(['gzip', 'snappy', 'lz4', 'zstd'])(
    'in a topic that brokers compress with %s are read, and the plan of topics shows it',
    async (codec) => {
      const opened = await openTopic({ 'compression.type': codec });
      const texts = Array.from({ length: 200 }, (_, i) => `${codec} ${i} ${'compressible '.repeat(20)}`);
      await opened.log.append(
        opened.topic,
        texts.map((text) => record(0, text)),
      );
      await opened.log.append(opened.topic, [record(0, 'a small one')]);
      const [stored] = await storedSegments(opened.topic);
      expect(stored?.indexOf(texts[100] as string)).toBe(-1);
      const { texts: read, unreadable } = await readEverything(opened);
      expect(read).toEqual([...texts, 'a small one']);
      expect(unreadable).toEqual([]);
      expect(opened.log.stats().unreadableBatches).toBe(0);
      const admin = await openKafkaAdmin({ brokers: kafka.brokers });
      onTestFinished(() => admin.close());
      const settings = { replicationFactor: 0, minInsyncReplicas: 0, maxRecordBytes: 4 * 1024 * 1024 };
      const { steps } = await planOnCluster(admin, [opened.spec], settings);
      expect(steps).toMatchObject([{ changes: [{ setting: 'compression.type', from: codec, to: 'producer' }] }]);
    },
  );

  test('of a transaction are there once it is committed, and never where it is aborted', async () => {
    const opened = await openTopic();
    const { log, topic } = opened;
    const producer = kafkajs().producer({ transactionalId: topic, maxInFlightRequests: 1, idempotent: true });
    await producer.connect();
    onTestFinished(() => producer.disconnect());
    const write = async (value: string, end: 'commit' | 'abort') => {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value }] });
      await log.append(topic, [record(0, `ours beside ${value}`)]);
      expect((await readEverything(opened)).texts).not.toContain(value);
      await transaction[end]();
    };
    await write('one', 'commit');
    await write('two', 'abort');
    await write('three', 'commit');
    await log.append(topic, [record(0, 'last')]);
    const { texts } = await readEverything(opened);
    expect(texts).toEqual(['one', 'ours beside one', 'ours beside two', 'three', 'ours beside three', 'last']);
  });
});

test('a batch that was damaged on the disk of its broker is told and passed over, by followers, groups and single reads', async () => {
  const opened = await openTopic();
  const { log, topic } = opened;
  for (const value of ['one', 'two-precious', 'three']) await log.append(topic, [record(0, value)]);
  const [segment] = await segmentsOf(topic);
  const bytes = await readFile(segment as string);
  bytes[bytes.indexOf('two-precious') + 5] = 0x21;
  await writeFile(segment as string, bytes, { flag: 'r+' });

  const { texts, unreadable } = await readEverything(opened);
  expect(texts).toEqual(['one', 'three']);
  expect(unreadable).toMatchObject([{ topic, partition: 0, offset: 1, nextOffset: 2, error: { code: 'log-corrupt' } }]);
  const member = await RecordingMember.join(log, `group-${topic}`, topic);
  await expect.poll(() => member.received.map(textOf)).toEqual(['one', 'three']);
  await member.membership.leave();
  expect(log.stats().unreadableBatches).toBeGreaterThan(0);
});
