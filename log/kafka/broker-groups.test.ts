/** What the contract does not ask of every log: a real broker with TLS and passwords, and groups as Kafka keeps them. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import { hasCode } from '#mesh/errors.ts';
import { eventually, RecordingMember, readAll, record, textOf } from '#test/contracts/event-log-harness.ts';
import { type KafkaCluster, startKafka } from '#test/kafka/cluster.ts';
import { createKafkaLog, type KafkaLog, type KafkaLogOptions } from '../kafka-log.ts';
import type { AssignedPartition } from '../port.ts';

let kafka: KafkaCluster;
const password = 'correct horse battery staple';

beforeAll(async () => {
  kafka = await startKafka({
    nodes: 1,
    tls: { clients: false },
    sasl: { mechanism: 'scram-sha-512', users: { mesh: password } },
  });
});

afterAll(() => kafka.stop());

function optionsFor(topic: string, partitions = 2): KafkaLogOptions {
  return {
    brokers: kafka.brokers,
    tls: { ca: kafka.authority?.ca },
    sasl: { mechanism: 'scram-sha-512', username: 'mesh', password },
    topics: [{ name: topic, partitions, compacted: false, retentionMs: 0, retentionBytes: 0 }],
    clock: systemClock,
    sessionTimeoutMs: 1500,
    closeTimeoutMs: 1000,
  };
}

async function open(options: KafkaLogOptions): Promise<KafkaLog> {
  const log = await createKafkaLog(options);
  onTestFinished(() => log.close());
  return log;
}

const newName = (word: string): string => `${word}-${randomUUID()}`;

describe('connecting', () => {
  test('with TLS and a password reads and writes, gzip or not', async () => {
    const options = optionsFor(newName('topic'), 1);
    const [topic] = options.topics.map(({ name }) => name) as [string];
    const log = await open({ ...options, compression: 'gzip' });
    const value = 'compressible '.repeat(1000);
    await log.append(topic, [record(0, value)]);
    const [read] = await (await open(options)).read(topic, 0, 0, 100);
    expect(Buffer.from(read?.value ?? []).toString()).toBe(value);
  });

  test('with a wrong password is refused at once, and the password is not told', async () => {
    const options = optionsFor(newName('topic'));
    const wrong = 'wrong-password-of-mesh';
    const refused = createKafkaLog({
      ...options,
      sasl: { mechanism: 'scram-sha-512', username: 'mesh', password: wrong },
    });
    const error: unknown = await refused.catch((failure: unknown) => failure);
    expect(hasCode(error, 'log-forbidden')).toBe(true);
    expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain(wrong);
  });

  test('to a broker whose certificate is not trusted is refused at once', async () => {
    const refused = createKafkaLog({ ...optionsFor(newName('topic')), tls: {} });
    await expect(refused).rejects.toSatisfy((error) => hasCode(error, 'log-forbidden'));
  });

  test('where nothing listens fails after the time for a call', async () => {
    const options = { ...optionsFor(newName('topic')), brokers: ['127.0.0.1:1'], callTimeoutMs: 300 };
    await expect(createKafkaLog(options)).rejects.toMatchObject({ code: 'log-unavailable', retryable: true });
  });

  test('to a topic that has other partitions is refused', async () => {
    const topic = newName('topic');
    await open(optionsFor(topic, 2));
    await expect(createKafkaLog(optionsFor(topic, 3))).rejects.toMatchObject({ code: 'log-topics' });
    await expect(createKafkaLog({ ...optionsFor(newName('topic')), createTopics: false })).rejects.toMatchObject({
      code: 'log-topics',
    });
  });

  test('prints no warning and leaves nothing open', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error): void => void warnings.push(warning);
    process.on('warning', note);
    const topic = newName('topic');
    const log = await open(optionsFor(topic));
    const member = await RecordingMember.join(log, newName('group'), topic);
    await log.append(topic, [record(0, 'x')]);
    await eventually(() => member.received.length === 1, 'it comes');
    await log.close();
    process.off('warning', note);
    expect(warnings).toEqual([]);
    expect(log.stats().openConnections).toBe(0);
  });
});

describe('appending', () => {
  test('to many partitions at once takes few requests', async () => {
    const topic = newName('topic');
    const log = await open(optionsFor(topic, 64));
    for (let round = 0; round < 5; round++) {
      await Promise.all(Array.from({ length: 64 }, (_, partition) => log.append(topic, [record(partition, 'x')])));
    }
    // A batch may be refused at first by a leader that does not know yet that it leads.
    expect(log.stats().commits - log.stats().resentBatches).toBeLessThanOrEqual(10);
    expect((await log.bounds(topic)).map(({ nextOffset }) => nextOffset)).toEqual(Array(64).fill(5));
  });

  test('while the broker is silent is tried, then given up with log-unavailable; waiting is bounded; afterwards it goes on', async () => {
    const topic = newName('topic');
    const limits = { appendTimeoutMs: 1500, maxAppendWaitMs: 200, requestTimeoutMs: 700, maxPendingBytes: 1000 };
    const log = await open({ ...optionsFor(topic, 1), ...limits });
    await log.append(topic, [record(0, 'before')]);
    kafka.nodes[0]?.freeze();
    try {
      const sent = log.append(topic, [record(0, 'in the silence'.repeat(60))]);
      const waiting = log.append(topic, [record(0, 'no room'.repeat(60))]);
      await expect(waiting).rejects.toMatchObject({ code: 'log-unavailable', retryable: true });
      await expect(sent).rejects.toMatchObject({ code: 'log-unavailable', retryable: true });
      expect(log.stats()).toMatchObject({ pendingBytes: 0, waitingAppends: 0 });
    } finally {
      kafka.nodes[0]?.thaw();
    }
    await eventually(
      () =>
        log.append(topic, [record(0, 'after')]).then(
          () => true,
          () => false,
        ),
      'appends go on',
    );
    const values = (await readAll(log, topic, 0)).map(textOf);
    expect(values[0]).toBe('before');
    expect(values.at(-1)).toBe('after');
  });
});

describe('a group', () => {
  test('gives no generation again after all of it restarted, though nothing was ever committed', async () => {
    const topic = newName('topic');
    const group = newName('group');
    const seen = new Map<number, number>();
    for (let life = 0; life < 3; life++) {
      const log = await open({ ...optionsFor(topic), clock: { ...systemClock, nowMs: () => 1_000_000 - life * 1000 } });
      const member = await RecordingMember.join(log, group, topic, false);
      await eventually(() => member.owned.size === 2, 'it has both partitions');
      for (const { partition, generation, committedOffset } of member.assignments) {
        expect(generation).toBeGreaterThan(seen.get(partition) ?? 0);
        expect(committedOffset).toBeNull();
        seen.set(partition, generation);
      }
      expect(await log.committed(group, topic)).toEqual([null, null]);
      await log.close();
    }
  });

  test('keeps a member that takes long over `assigned` and over records, far beyond its session', async () => {
    const topic = newName('topic');
    const group = newName('group');
    const log = await open({ ...optionsFor(topic), sessionTimeoutMs: 600 });
    const slow = new RecordingMember();
    const passed = async (times: number): Promise<void> => {
      // Heartbeats are seen by what they keep alive: nothing else tells that a session's time has passed.
      const endMs = performance.now() + 600 * times;
      await eventually(() => performance.now() > endMs, 'several sessions pass');
    };
    const consumer = Object.assign(Object.create(slow) as RecordingMember, {
      assigned: async (partitions: readonly AssignedPartition[]) => {
        await passed(3);
        return slow.assigned(partitions);
      },
      records: async (...args: Parameters<RecordingMember['records']>) => {
        await passed(3);
        await slow.records(...args);
      },
    });
    slow.membership = await log.join(group, [topic], consumer);
    await log.append(topic, [record(0, 'x')]);
    await eventually(async () => (await log.committed(group, topic))[0] === 1, 'the record is committed');
    expect(slow.assignments.map(({ partition }) => partition).sort()).toEqual([0, 1]);
    expect(slow.revokedCalls).toBe(0);
    expect(log.stats().rejoins).toBe(0);
  });

  test('takes a partition from an owner that does not let go in time; its commits are fenced', async () => {
    const topic = newName('topic');
    const group = newName('group');
    const stuck = await RecordingMember.join(
      await open({ ...optionsFor(topic), rebalanceTimeoutMs: 1000 }),
      group,
      topic,
    );
    await eventually(() => stuck.owned.size === 2, 'the first member has both');
    const before = new Map(stuck.owned);
    const never = Promise.withResolvers<void>();
    stuck.holdRevoked = never.promise;
    const heir = await RecordingMember.join(await open(optionsFor(topic)), group, topic);
    await eventually(() => heir.owned.size === 2, 'the heir has both');
    for (const [partition, { generation }] of before) {
      expect(heir.owned.get(partition)?.generation).toBeGreaterThan(generation);
      const late = stuck.membership.commit(before.get(partition) as AssignedPartition, 9);
      await expect(late).rejects.toSatisfy((error) => hasCode(error, 'log-fenced'));
    }
    never.resolve();
    await eventually(() => stuck.owned.size === 1 && heir.owned.size === 1, 'they share');
  });

  test('does not stop the partitions that stay while others move', async () => {
    const topic = newName('topic');
    const group = newName('group');
    const log = await open(optionsFor(topic, 4));
    const first = await RecordingMember.join(log, group, topic);
    await eventually(() => first.owned.size === 4, 'the first member has all');
    const kept = new Map(first.owned);
    let isEnough = false;
    const sending = (async () => {
      for (let i = 0; !isEnough; i++)
        await log.append(
          topic,
          [0, 1, 2, 3].map((partition) => record(partition, `v${i}`)),
        );
    })();
    const second = await RecordingMember.join(await open(optionsFor(topic, 4)), group, topic);
    await eventually(() => second.owned.size === 2 && first.owned.size === 2, 'they share');
    isEnough = true;
    await sending;
    await eventually(async () => {
      const committed = await log.committed(group, topic);
      return (await log.bounds(topic)).every(({ partition, nextOffset }) => committed[partition] === nextOffset);
    }, 'everything is committed');
    for (const [partition, now] of first.owned) {
      expect(now).toEqual(kept.get(partition));
      // Each record once: its owner read on through the move.
      const offsets = first.received.filter((one) => one.partition === partition).map((one) => one.offset);
      expect(offsets).toEqual(offsets.map((_, index) => index));
    }
  });
});
