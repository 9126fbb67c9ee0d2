import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import kafkajs, { type Admin, type KafkaConfig } from 'kafkajs';
import { afterAll, describe, expect, it } from 'vitest';
import '#log/kafka/kafkajs-timers.ts';
import { type KafkaCluster, startKafka } from './cluster.ts';

const started: KafkaCluster[] = [];
afterAll(() => Promise.all(started.map((cluster) => cluster.stop())));

async function start(...options: Parameters<typeof startKafka>): Promise<KafkaCluster> {
  const cluster = await startKafka(...options);
  started.push(cluster);
  return cluster;
}

async function asAdmin<T>(config: Omit<KafkaConfig, 'logLevel'>, use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new kafkajs.Kafka({ ...config, logLevel: kafkajs.logLevel.NOTHING }).admin();
  try {
    await admin.connect();
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

const topic = { topic: 'kept', numPartitions: 2, replicationFactor: 3 };
const names = (brokers: readonly string[]): Promise<string[]> =>
  asAdmin({ brokers: [...brokers] }, (admin) => admin.listTopics());

describe('a real Kafka for tests', () => {
  it('keeps its topics over a kill, a freeze and a stop of its nodes', { timeout: 240_000 }, async () => {
    const cluster = await start({ nodes: 3 });
    await asAdmin({ brokers: [...cluster.brokers] }, async (admin) => {
      await admin.createTopics({ topics: [topic], waitForLeaders: true });
      expect((await admin.describeCluster()).brokers).toHaveLength(3);
    });
    const [first, second, third] = cluster.nodes as [
      (typeof cluster.nodes)[0],
      (typeof cluster.nodes)[0],
      (typeof cluster.nodes)[0],
    ];
    first.freeze();
    await first.kill();
    await first.start();
    await second.stop();
    await second.start();
    third.freeze();
    third.thaw();
    for (const node of cluster.nodes) expect(await names([node.address])).toContain('kept');
  });

  it('asks for a password and speaks TLS where it is told to', async () => {
    const sasl = { mechanism: 'scram-sha-512', users: { admin: 'admin-word', reader: 'reader-word' } } as const;
    const cluster = await start({ nodes: 1, sasl, tls: { clients: false }, acls: { superUsers: ['admin'] } });
    const brokers = [...cluster.brokers];
    const ssl = { ca: [cluster.authority?.ca ?? ''] };
    const as = (
      username: keyof typeof sasl.users,
      password: string = sasl.users[username],
    ): Omit<KafkaConfig, 'logLevel'> => ({
      brokers,
      ssl,
      sasl: { mechanism: 'scram-sha-512', username, password },
      retry: { retries: 0 },
    });
    const create = (admin: Admin): Promise<boolean> =>
      admin.createTopics({ topics: [{ ...topic, replicationFactor: 1 }], waitForLeaders: true });
    await expect(asAdmin(as('reader'), create)).rejects.toMatchObject({
      errors: [{ type: 'TOPIC_AUTHORIZATION_FAILED', topic: 'kept' }],
    });
    await expect(asAdmin(as('admin', 'wrong'), create)).rejects.toThrow();
    await expect(asAdmin({ brokers, retry: { retries: 0 } }, create)).rejects.toThrow();
    await asAdmin(as('admin'), create);
    expect(await asAdmin(as('admin'), (admin) => admin.listTopics())).toContain('kept');
    expect(await asAdmin(as('reader'), (admin) => admin.listTopics())).toEqual([]);
  });

  it('ends with the process that started it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'meshward-orphan-'));
    const script = fileURLToPath(new URL('./run.ts', import.meta.url));
    const parent = spawn(process.execPath, [script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, TMPDIR: folder },
    });
    const lines = createInterface(parent.stdout);
    const [address] = (await once(lines, 'line')) as [string];
    const [host, port] = address.split(':') as [string, string];
    expect(await tryToConnect(Number(port), host)).toBe('connected');
    parent.kill('SIGKILL');
    await expect.poll(() => tryToConnect(Number(port), host), { timeout: 60_000 }).toBe('ECONNREFUSED');
    await rm(folder, { recursive: true, force: true });
  });
});

/** @returns `connected`, or the code of the error. */
function tryToConnect(port: number, host: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on('connect', () => {
      resolve('connected');
      socket.destroy();
    });
  });
}
