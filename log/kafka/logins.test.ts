/** Every way to log in that can be configured, on a real broker with an authorizer: who is known works, who is not is told so. */
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import { type KafkaCluster, type KafkaOptions, startKafka } from '#test/kafka/cluster.ts';
import { createKafkaLog } from '../kafka-log.ts';
import type { EventLog } from '../port.ts';
import type { KafkaSasl, KafkaTls } from './options.ts';

const topics = [{ name: 'spoken', partitions: 1, compacted: false, retentionMs: 0, retentionBytes: 0 }];
const user = 'meshward-all';
const password = 'word-that-nobody-may-see';
const acls = { superUsers: [user] };

const open: { close?: () => Promise<void>; stop?: () => Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await (each.close?.() ?? each.stop?.());
});

async function start(options: Omit<KafkaOptions, 'nodes'>): Promise<KafkaCluster> {
  const cluster = await startKafka({ nodes: 1, ...options });
  open.push(cluster);
  return cluster;
}

async function connect(brokers: readonly string[], as: { tls?: KafkaTls; sasl?: KafkaSasl }): Promise<EventLog> {
  const log = await createKafkaLog({ brokers, topics, clock: systemClock, callTimeoutMs: 3000, ...as });
  open.push(log);
  return log;
}

/** Appends, reads, and joins a group. */
async function expectToWork(log: EventLog): Promise<void> {
  const value = Buffer.from('said');
  await log.append('spoken', [{ partition: 0, key: null, value }]);
  expect((await log.read('spoken', 0, 0, 1000)).map((record) => String(record.value))).toEqual(['said']);
  const heard = Promise.withResolvers<void>();
  const membership = await log.join('listeners', ['spoken'], {
    assigned: (partitions) => Promise.resolve(new Map(partitions.map(({ partition }) => [`spoken/${partition}`, 0]))),
    revoked: () => Promise.resolve(),
    records: () => Promise.resolve(heard.resolve()),
    truncated: () => Promise.resolve(),
  });
  await heard.promise;
  await membership.leave();
}

describe('a cluster that asks', () => {
  it('for client certificates knows a service by the common name of its own', async () => {
    const { brokers, authority } = await start({ tls: { clients: true }, acls });
    const ca = authority?.ca;
    const certificateOf = async (name: string): Promise<KafkaTls> => ({ ca, ...(await authority?.client(name)) });
    await expectToWork(await connect(brokers, { tls: await certificateOf(user) }));
    await expect(connect(brokers, { tls: await certificateOf('somebody') })).rejects.toMatchObject({
      code: 'log-forbidden',
    });
    await expect(connect(brokers, { tls: { ca } })).rejects.toMatchObject({
      code: 'log-forbidden',
      message: expect.stringContaining("refused this client's certificate"),
    });
  });

  it.each(['plain', 'scram-sha-256'] as const)('for a password by %s takes the right one', async (mechanism) => {
    const { brokers, authority } = await start({
      sasl: { mechanism, users: { [user]: password } },
      tls: { clients: false },
      acls,
    });
    const tls = { ca: authority?.ca };
    await expectToWork(await connect(brokers, { tls, sasl: { mechanism, username: user, password } }));
    const wrong = connect(brokers, { tls, sasl: { mechanism, username: user, password: `${password}!` } });
    await expect(wrong).rejects.toMatchObject({ code: 'log-forbidden' });
    await expect(wrong).rejects.not.toMatchObject({ message: expect.stringContaining(password) });
  });
});
