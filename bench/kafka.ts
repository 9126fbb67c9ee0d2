/**
 * The log on Kafka: appends with acks from all, and what a consumer group reads, beside kafkajs's own producer and consumer.
 * The producer is used in the one way in which it lost nothing when leaders were frozen and killed: idempotent, one partition
 * a send, one send outstanding a partition. A broker of one node is started for it.
 */
import { randomUUID } from 'node:crypto';
import { Kafka, logLevel } from 'kafkajs';
import { createKafkaLog } from '#log/kafka-log.ts';
import type { GroupConsumer, Membership } from '#log/port.ts';
import { systemClock } from '#mesh/clock.ts';
import { startKafka } from '#test/kafka/cluster.ts';
import { type Bench, type BenchCase, median, spreadOf } from './case.ts';

const partitions = 16;
const runs = 3;
const shapes = [
  { valueBytes: 200, records: 100_000, concurrency: 2000 },
  { valueBytes: 40_000, records: 4000, concurrency: 64 },
] as const;

/** Records a second, appended and then read. */
interface Rates {
  readonly appended: number;
  readonly read: number;
}

interface Shape {
  readonly valueBytes: number;
  readonly records: number;
  readonly concurrency: number;
}

export const run: Bench = async function* bench({ note }): AsyncGenerator<BenchCase> {
  const kafka = await startKafka({ nodes: 1, properties: { 'log.retention.check.interval.ms': 3_600_000 } });
  try {
    for (const shape of shapes) {
      const ours: Rates[] = [];
      const theirs: Rates[] = [];
      for (let i = 0; i <= runs; i++) {
        const rates = [await runOurs(kafka.brokers, shape), await runKafkajs(kafka.brokers, shape)] as const;
        note(`${shape.valueBytes} bytes, run ${i}: ${JSON.stringify(rates)}`);
        // The first warms up brokers and compilers.
        if (i === 0) continue;
        ours.push(rates[0]);
        theirs.push(rates[1]);
      }
      for (const what of ['appended', 'read'] as const) {
        const own = ours.map((rates) => rates[what]);
        yield {
          case: `kafka: records of ${shape.valueBytes} bytes ${what}`,
          unit: 'records/s',
          ours: median(own),
          peers: { kafkajs: median(theirs.map((rates) => rates[what])) },
          spread: spreadOf(own),
        };
      }
    }
  } finally {
    await kafka.stop();
  }
};

async function runOurs(brokers: readonly string[], { valueBytes, records, concurrency }: Shape): Promise<Rates> {
  const topic = `bench-${randomUUID()}`;
  const topics = [{ name: topic, partitions, compacted: false, retentionMs: 0, retentionBytes: 0 }];
  const log = await createKafkaLog({ brokers, topics, clock: systemClock, maxWaitingAppends: concurrency });
  const value = valueOf(valueBytes);
  const appended = await rateOf(records, concurrency, async (index) => {
    await log.append(topic, [{ partition: index % partitions, key: null, value }]);
  });
  const reading = readingOf(records);
  const joined = Promise.withResolvers<Membership>();
  const consumer: GroupConsumer = {
    assigned: () => {
      reading.begins();
      return Promise.resolve(undefined);
    },
    revoked: () => Promise.resolve(),
    records: (partition, batch) => {
      reading.took(batch.length);
      // As services do it: what was dealt with is committed while the next records come.
      const nextOffset = (batch.at(-1)?.offset ?? 0) + 1;
      joined.promise.then((membership) => membership.commit(partition, nextOffset)).catch(() => undefined);
      return Promise.resolve();
    },
  };
  joined.resolve(await log.join(topic, [topic], consumer));
  const read = await reading.done;
  await log.close();
  return { appended, read };
}

async function runKafkajs(brokers: readonly string[], { valueBytes, records, concurrency }: Shape): Promise<Rates> {
  const topic = `bench-${randomUUID()}`;
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions }] });
  await admin.disconnect();
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const value = Buffer.from(valueOf(valueBytes));
  const lanes = Array.from({ length: partitions }, (_, partition) => sendLane((count) => send(partition, count)));
  const send = async (partition: number, count: number): Promise<void> => {
    await producer.send({ topic, acks: -1, messages: Array.from({ length: count }, () => ({ partition, value })) });
  };
  const most = Math.max(1, Math.floor(1_000_000 / valueBytes));
  function sendLane(out: (count: number) => Promise<void>): () => Promise<void> {
    let waiting: (() => void)[] = [];
    let isOut = false;
    const pump = async (): Promise<void> => {
      isOut = true;
      await Promise.resolve();
      while (waiting.length > 0) {
        const batch = waiting.slice(0, most);
        waiting = waiting.slice(most);
        await out(batch.length);
        for (const resolve of batch) resolve();
      }
      isOut = false;
    };
    return () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        if (!isOut) void pump();
      });
  }
  const appended = await rateOf(records, concurrency, (index) => (lanes[index % partitions] as () => Promise<void>)());
  await producer.disconnect();
  const consumer = kafka.consumer({ groupId: topic });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const reading = readingOf(records);
  consumer.on(consumer.events.GROUP_JOIN, () => reading.begins());
  await consumer.run({
    partitionsConsumedConcurrently: partitions,
    eachBatch: ({ batch }) => {
      reading.took(batch.messages.length);
      return Promise.resolve();
    },
  });
  const read = await reading.done;
  await consumer.disconnect();
  return { appended, read };
}

async function rateOf(records: number, concurrency: number, append: (index: number) => Promise<void>): Promise<number> {
  let next = 0;
  const appender = async (): Promise<void> => {
    while (next < records) await append(next++);
  };
  const startMs = performance.now();
  await Promise.all(Array.from({ length: concurrency }, appender));
  return (records / (performance.now() - startMs)) * 1000;
}

/** From when the partitions are ours: joining a group takes its time in each, and is not what is measured. */
function readingOf(records: number): { begins: () => void; took: (count: number) => void; done: Promise<number> } {
  const done = Promise.withResolvers<number>();
  let startMs = 0;
  let seen = 0;
  const begins = (): void => {
    startMs = performance.now();
  };
  const took = (count: number): void => {
    seen += count;
    if (seen >= records) done.resolve((records / (performance.now() - startMs)) * 1000);
  };
  return { begins, took, done: done.promise };
}

function valueOf(bytes: number): Uint8Array {
  return new Uint8Array(bytes).map((_, index) => index * 17);
}

if (import.meta.main) {
  for await (const figure of run({ arguments: [], note: (line) => console.error(line) }))
    console.log(JSON.stringify(figure));
}
