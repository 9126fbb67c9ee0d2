/**
 * From the embedded log to Kafka, by the commands of docs/disaster.md, on a broker that lets each service do what `meshward topics acls`
 * prints and nothing else. Enrolments stay, agents go on by themselves, and what owners registered comes along; then the database is lost there.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import kafkajs, { type AclEntry } from 'kafkajs';
import { expect, test } from 'vitest';
import { createApiClient } from '#analyzer/api/client.ts';
import { kafkaRoles } from '#log/kafka/acl.ts';
import { openKafka } from '#log/kafka/admin.ts';
import { parseManifest } from '#mesh/caps.ts';
import { describeError } from '#mesh/errors.ts';
import { parsePeerId } from '#mesh/peer-id.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { startShards } from '#store/testing/shards.ts';
import { type KafkaCluster, startKafka } from '../kafka/cluster.ts';
import { DiskLoad } from './disk-load.ts';
import { done, PlacedProcess, ran, reservePorts, today } from './processes.ts';

const sasl = { mechanism: 'scram-sha-512' as const };
const root = { username: 'root', password: randomBytes(12).toString('hex') };

test('from the embedded log to Kafka with its enrolments, by the least rights of each; and the database is lost there', {
  timeout: 600_000,
}, async () => {
  await using cleanUp = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'meshward-move-'));
  cleanUp.defer(() => rm(folder, { recursive: true, force: true }));
  const dataDir = join(folder, 'data');
  const password = randomBytes(12).toString('hex');
  const passwordFile = join(folder, 'kafka-password');
  await writeFile(passwordFile, password, { mode: 0o600 });
  const [shards, kafka] = await Promise.all([
    startShards(2),
    startKafka({
      nodes: 1,
      sasl: {
        ...sasl,
        users: {
          [root.username]: root.password,
          ...Object.fromEntries(kafkaRoles.map((role) => [userOf(role), password])),
        },
      },
      acls: { superUsers: [root.username] },
    }),
  ]);
  cleanUp.defer(() => shards.close());
  cleanUp.defer(() => kafka.stop());
  const reserved = await reservePorts();
  cleanUp.defer(() => reserved.release());
  const [api, collectorPort, ops, repairer] = reserved.ports as [number, number, number, number];

  const databasePasswordFile = join(folder, 'clickhouse-password');
  await writeFile(databasePasswordFile, shards.user.password, { mode: 0o600 });
  const collectorUrl = `https://127.0.0.1:${collectorPort}`;
  const base = {
    dataDir,
    api: { port: api },
    collector: { port: collectorPort, opsPort: ops },
    repairer: { port: repairer, apiUrl: `http://127.0.0.1:${api}` },
    analyzer: { manifestPatienceMs: 2000, settleMs: 1000, sweepIntervalMs: 1000 },
    telemetry: { logLevel: 'warn' },
  };
  const database = {
    mode: 'external',
    topology: 'sharded',
    cluster: 'mesh',
    urls: shards.urls,
    username: shards.user.name,
    passwordFile: databasePasswordFile,
  };
  const embedded = join(folder, 'embedded.yaml');
  const moved = join(folder, 'moved.yaml');
  const writeConfigurations = async (agent: object): Promise<void> => {
    const onFiles = { ...base, agent, log: { sessionTimeoutMs: 3000 }, clickhouse: database };
    const onKafka = {
      ...base,
      agent,
      log: { adapter: 'kafka', sessionTimeoutMs: 6000 },
      kafka: { brokers: kafka.brokers, sasl: { ...sasl, passwordFile } },
      clickhouse: { ...database, database: 'meshward_moved' },
    };
    await writeFile(embedded, JSON.stringify(onFiles));
    await writeFile(moved, JSON.stringify(onKafka));
  };
  await writeConfigurations({});
  const as = (role: string): string[] => ['--config', moved, '--set', `kafka.sasl.username=${userOf(role)}`];
  const services = ['collector', 'analyzer', 'repairer'].map((name) => {
    const onKafka = cleanUp.use(new PlacedProcess({ name, words: [...as(name), name] }));
    return { name, onKafka, embedded: cleanUp.use(new PlacedProcess({ name, words: ['--config', embedded, name] })) };
  });

  // A mesh on the embedded log: a peer, a file with the name that its owner gave it, and a second operator.
  const [first] = services as [(typeof services)[number]];
  const pin = String((await first.embedded.start(today))['pin']);
  await writeConfigurations({ collectorUrl, collectorPin: pin });
  for (const { embedded: service } of services.slice(1)) await service.start(today);
  const storage = join(folder, 'storage');
  await mkdir(join(storage, 'shares'), { recursive: true });
  const made = JSON.parse(await done(today, '--config', embedded, '--json', 'token', '--domain', 'zone=a')) as Made;
  const agent = cleanUp.use(
    new PlacedProcess({
      name: 'agent',
      words: ['agent', '--shares', storage, '--collector', collectorUrl, '--pin', pin].concat(
        ['agent.heartbeatMs=1000', 'agent.name=alder'].flatMap((setting) => ['--set', setting]),
      ),
    }),
  );
  const { peer } = await agent.start(today, { MESHWARD_TOKEN: made.token });
  const letter = join(folder, 'letter.txt');
  await writeFile(letter, randomBytes(2000));
  let cap = '';
  await expect
    .poll(async () => {
      const words = ['put', '--coding', '1-of-1', '--happy', '1', '--tag', 'precious', letter];
      const { exitCode, stdout } = await ran(today, '--config', embedded, ...words);
      cap = /URI:CHK:\S+/.exec(stdout)?.[0] ?? '';
      return exitCode;
    }, waits)
    .toBe(0);
  const mesh = createApiClient(`http://127.0.0.1:${api}`);
  /** What is known of a file, or why nothing is. */
  const shown = (file: StorageIndex) =>
    mesh.file(file).then(
      ({ tag, available, freshness }) => ({ tag, available, freshness }),
      (error: unknown) => ({ tag: describeError(error), available: null, freshness: null }),
    );
  const [letterAt, whole] = [parseManifest(cap).storageIndex, { tag: 'precious', available: 1, freshness: fresh }];
  await expect.poll(() => shown(letterAt), waits).toMatchObject(whole);

  // The move. What happens on the peer meanwhile waits in its spool.
  const backup = join(folder, 'mesh.jsonl');
  await done(today, '--config', embedded, 'backup', 'create', backup);
  for (const { embedded: service } of services.toReversed()) expect(await service.stop(), service.output).toBe(0);
  const disk = new DiskLoad([{ id: parsePeerId(String(peer)), storage }], Math.random);
  const meanwhile = await disk.add({ k: 1, n: 1 });
  await grantRights(kafka, await done(today, ...as('admin'), 'topics', 'acls'));
  await done(today, ...as('admin'), 'topics', 'apply', '--yes');
  expect(
    (await ran(today, ...as('cli'), 'backup', 'restore', backup)).exitCode,
    'who may only look restores nothing',
  ).toBe(6);
  expect(await done(today, ...as('operator'), 'backup', 'restore', backup)).toContain('records of enrolments');
  for (const { onKafka } of services) await onKafka.start(today);
  expect(await done(today, ...as('operator'), 'recover', 'files', '--database', 'meshward')).toContain(
    '1 files are registered again',
  );
  await done(today, ...as('operator'), 'peer', 'inventory', '--all');
  await expect.poll(() => shown(letterAt), waits).toMatchObject(whole);
  await expect.poll(() => shown(meanwhile), waits).toMatchObject({ available: 1 });
  const { peers } = JSON.parse(await done(today, ...as('cli'), '--json', 'peers')) as { peers: readonly object[] };
  expect(peers).toMatchObject([{ name: 'alder', state: 'up', domains: { zone: 'a' } }]);

  // The same agent, which never ended, goes on: what it sees comes by the new log.
  const later = await disk.add({ k: 1, n: 1 });
  await expect.poll(() => shown(later), waits).toMatchObject({ available: 1 });

  const everywhere = async (statement: string): Promise<void> => {
    for (const shard of shards.urls.keys()) {
      const store = shards.connect('default', [shard]);
      await store.command(statement);
    }
  };

  // ClickHouse is lost there: read again from Kafka, by who has the operator's rights.
  expect((await ran(today, ...as('operator'), 'recover', 'database')).exitCode, 'while an analyzer runs').toBe(4);
  const analyzer = services[1]?.onKafka as PlacedProcess;
  await analyzer.stop();
  await everywhere("BACKUP DATABASE meshward_moved TO File('mesh')");
  await everywhere('DROP DATABASE meshward_moved SYNC');
  expect((await ran(today, ...as('cli'), 'recover', 'database')).exitCode, 'who may only look sets nothing back').toBe(
    6,
  );
  expect(await done(today, ...as('operator'), 'recover', 'database')).toContain('from their beginning');
  await analyzer.start(today);
  const files = [letterAt, meanwhile, later];
  const all = () => Promise.all(files.map(shown));
  const unchanged = [whole, { ...whole, tag: '' }, { ...whole, tag: '' }];
  await expect.poll(all, waits).toMatchObject(unchanged);

  // And once more, put back from ClickHouse's own backup: what the log holds besides is read into it.
  await analyzer.stop();
  await everywhere('DROP DATABASE meshward_moved SYNC');
  await everywhere("RESTORE DATABASE meshward_moved FROM File('mesh')");
  await done(today, ...as('operator'), 'recover', 'database');
  await analyzer.start(today);
  await expect.poll(all, waits).toMatchObject(unchanged);
});

interface Made {
  readonly token: string;
}

const fresh = { state: 'fresh' };
const waits = { timeout: 150_000, interval: 500 };

function userOf(role: string): string {
  return `meshward-${role}`;
}

/** What the commands say that were printed, told to the broker by a client that starts faster than its own. */
async function grantRights({ brokers }: KafkaCluster, printed: string): Promise<void> {
  const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;
  const all = (line: string, flag: string) =>
    [...line.matchAll(new RegExp(`--${flag} (\\S+)`, 'g'))].map(([, word = '']) => word);
  const acl = printed
    .split('\n')
    .filter((line) => line.startsWith('kafka-acls.sh'))
    .flatMap((line) => {
      const [topic] = all(line, 'topic');
      return all(line, 'operation').map((operation): AclEntry => {
        const name = operation.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase() as keyof typeof AclOperationTypes;
        return {
          resourceType: topic === undefined ? AclResourceTypes.GROUP : AclResourceTypes.TOPIC,
          resourceName: topic ?? (all(line, 'group')[0] as string),
          resourcePatternType: line.includes('prefixed') ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
          principal: all(line, 'allow-principal')[0] as string,
          host: '*',
          operation: AclOperationTypes[name] as number,
          permissionType: AclPermissionTypes.ALLOW,
        };
      });
    });
  const admin = openKafka({ brokers, sasl: { ...sasl, ...root } }).admin();
  await admin.createAcls({ acl });
  await admin.disconnect();
  // A broker takes rights from its log a moment after it has said that they stand.
  await pause(500);
}
