/** The story on servers that others run: a Kafka cluster with passwords and TLS, and a ClickHouse. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { CampaignAnswer } from '#analyzer/api/campaign-schemas.ts';
import { openKafka } from '#log/kafka/admin.ts';
import { connectStore } from '#store/client.ts';
import { startEmbeddedClickHouse } from '#store/embedded/server.ts';
import { text } from '#store/row-binary/columns.ts';
import { type KafkaCluster, startKafka } from '../kafka/cluster.ts';
import { RunningDemo } from './running-demo.ts';

const login = { username: 'meshward', password: 'a-word-that-nobody-sees' };

it('ends true on three brokers of which one is killed, and leaves nothing behind on Kafka or ClickHouse', {
  timeout: 600_000,
}, async () => {
  await using cleanUp = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'meshward-clusters-'));
  cleanUp.defer(() => rm(folder, { recursive: true, force: true }));
  const clickhouse = await startEmbeddedClickHouse({ directory: join(folder, 'clickhouse') });
  cleanUp.defer(() => clickhouse.stop());
  const kafka = await startKafka({
    nodes: 3,
    sasl: { mechanism: 'scram-sha-512', users: { [login.username]: login.password } },
    tls: { clients: false },
  });
  cleanUp.defer(() => kafka.stop());
  const passwordFile = join(folder, 'kafka-password');
  const caFile = join(folder, 'ca.pem');
  await writeFile(passwordFile, `${login.password}\n`, { mode: 0o600 });
  await writeFile(caFile, kafka.authority?.ca ?? '');
  const servers = ['--kafka', kafka.bootstrap, '--clickhouse', clickhouse.url];
  const logins = settings({
    'clickhouse.username': clickhouse.username,
    'clickhouse.passwordFile': join(folder, 'clickhouse/password'),
    'kafka.tls.enabled': 'true',
    'kafka.tls.caFile': caFile,
    'kafka.sasl.mechanism': 'scram-sha-512',
    'kafka.sasl.username': login.username,
    'kafka.sasl.passwordFile': passwordFile,
  });
  const demo = await RunningDemo.start('--json', ...servers, ...logins, 'demo', '--max-files', '12', '--patience', '3');
  cleanUp.use(demo);
  await demo.says('2. Files go in');
  expect(await topicsOf(kafka)).toHaveLength(7);
  expect(await databasesOf(clickhouse)).toContainEqual(expect.stringMatching(/^meshward_demo_/));
  await kafka.nodes[0]?.kill();
  await kafka.nodes[0]?.start();
  await demo.says('The mesh lives on');

  // The command finds the servers where the demonstration has written them down.
  const doctor = await demo.meshward('--json', 'doctor');
  const { checks } = JSON.parse(doctor.stdout) as { checks: { name: string; state: string; detail: string }[] };
  for (const name of ['kafka brokers', 'kafka topics', 'kafka clock', 'log', 'clickhouse', 'analyzer'])
    expect(
      checks.find((check) => check.name === name),
      doctor.stdout,
    ).toMatchObject({ state: 'ok' });

  // An operator's campaign, on a log with real brokers: planned, started, paused, resumed, and followed to its end.
  const why = ['--why', 'a test'];
  for (const words of [
    ['plan', '--all', '--up-to', '95', '--save', '--name', 'lift', ...why],
    ['start', 'lift', ...why],
    ['pause', 'lift', ...why],
  ]) {
    const { exitCode, stderr: said } = await demo.meshward('campaign', ...words);
    // It may be done before it is to be paused.
    expect(words[0] === 'pause' ? [0, 5] : [0], said).toContain(exitCode);
  }
  await demo.meshward('campaign', 'resume', 'lift', ...why);
  const watched = await demo.meshward('--json', 'campaign', 'watch', 'lift');
  const { state, totals, plan } = JSON.parse(watched.stdout) as CampaignAnswer;
  expect(state, watched.stderr).toBe('done');
  expect(totals.files).toBe(plan.files);
  expect(new Set(totals.outcomes.map(({ outcome }) => outcome))).not.toContain('failed');

  process.kill(demo.pid, 'SIGTERM');
  const { stdout, stderr } = await demo.ended;
  const { promises, proofs, files } = JSON.parse(stdout) as Summary;
  expect(
    promises.map(({ kept }) => kept),
    stderr.slice(-5000),
  ).toEqual(promises.map(() => true));
  expect(proofs).toBe(files);
  expect(stdout + stderr).not.toContain(login.password);
  expect(stderr).not.toContain('Warning');
  expect(await topicsOf(kafka)).toEqual([]);
  expect((await databasesOf(clickhouse)).filter((name) => name.startsWith('meshward_demo_'))).toEqual([]);
});

function settings(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
}

interface Summary {
  readonly promises: readonly { readonly promise: string; readonly kept: boolean }[];
  readonly proofs: number;
  readonly files: number;
}

async function topicsOf({ brokers, authority }: KafkaCluster): Promise<string[]> {
  const admin = openKafka({
    brokers,
    tls: { ca: authority?.ca },
    sasl: { mechanism: 'scram-sha-512', ...login },
  }).admin();
  try {
    return (await admin.listTopics()).filter((name) => !name.startsWith('__'));
  } finally {
    await admin.disconnect();
  }
}

async function databasesOf({
  url,
  username,
  password,
}: {
  url: string;
  username: string;
  password: string;
}): Promise<string[]> {
  const store = connectStore({ urls: [url], username, password, database: 'default' });
  try {
    return (await store.select({ name: text }, 'SELECT name FROM system.databases')).map(({ name }) => name);
  } finally {
    await store.close();
  }
}
