/**
 * From the last release to this one, under load: every service and agent of a running mesh is replaced one by one, in the order of
 * docs/operations.md, on a real Kafka and ClickHouse. No event is lost, what is known is what lies on the disks, and nobody is called twice.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type ApiClient, createApiClient } from '#analyzer/api/client.ts';
import { softwareVersion } from '#cli/version.ts';
import { createCollectorClient } from '#collector/gateway/client.ts';
import { createKafkaLog } from '#log/kafka-log.ts';
import { seededRandom, systemClock } from '#mesh/clock.ts';
import { compareOrder } from '#mesh/incarnation.ts';
import { parsePeerId } from '#mesh/peer-id.ts';
import { policyFor } from '#mesh/policy.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { allTopics, topicsOf } from '#mesh/topics.ts';
import { connectStore } from '#store/client.ts';
import { startEmbeddedClickHouse } from '#store/embedded/server.ts';
import { peerId, uint16, uint64 } from '#store/row-binary/columns.ts';
import { openKeyFolder } from '#tahoe/identity/key-folder.ts';
import { privateKeyPem } from '#tahoe/identity/peer-key.ts';
import { startKafka } from '../kafka/cluster.ts';
import { type ChangeName, coding, DiskLoad, disksOf, type LoadPeer } from './disk-load.ts';
import { ShareEventReader } from './log-reader.ts';
import { done, PlacedProcess, ran, reservePorts, today } from './processes.ts';
import { installRelease, lastRelease } from './release.ts';

const seed = Number(process.env['MESHWARD_SEED'] ?? Date.now() % 1_000_000);
const partitions = 4;
const livePeers = coding.n;
const filesBefore = 12;
/** So few are left of a file that is hurt that it is repaired. */
const hurtShares = coding.n - policyFor([], coding, '').repairBelow + 1;
const loadRestMs = 50;
const unheard = { incarnation: 0, sequence: 0 };
const waits = { timeout: 120_000, interval: 300 };

interface Told {
  readonly alert: string;
  readonly alertId: string;
  readonly state: 'firing' | 'resolved';
  readonly severity: string;
}

test(`from ${lastRelease}, each service and agent replaced under load: no event is lost, disks and share map agree, nobody is called twice`, {
  timeout: 600_000,
}, async () => {
  console.log(`MESHWARD_SEED=${seed}`);
  await using cleanUp = new AsyncDisposableStack();
  const last = await installRelease();
  const folder = await mkdtemp(join(tmpdir(), 'meshward-upgrade-'));
  cleanUp.defer(() => rm(folder, { recursive: true, force: true }));
  const [kafka, clickhouse] = await Promise.all([
    startKafka({ nodes: 1 }),
    startEmbeddedClickHouse({ directory: join(folder, 'clickhouse') }),
  ]);
  cleanUp.defer(() => kafka.stop());
  cleanUp.defer(() => clickhouse.stop());
  const told = await hear(folder, cleanUp);
  const reserved = await reservePorts();
  cleanUp.defer(() => reserved.release());

  const configFile = join(folder, 'meshward.yaml');
  const dataDir = join(folder, 'data');
  const port = (index: number): number => reserved.ports[index] as number;
  await writeFile(
    configFile,
    JSON.stringify({
      dataDir,
      log: { adapter: 'kafka', shareEventsPartitions: partitions, sessionTimeoutMs: 6000 },
      kafka: { brokers: kafka.brokers },
      clickhouse: {
        mode: 'external',
        urls: [clickhouse.url],
        username: clickhouse.username,
        passwordFile: join(folder, 'clickhouse/password'),
      },
      analyzer: { graceMs: 5000, settleMs: 1000, sweepIntervalMs: 1000, manifestPatienceMs: 1000 },
      api: { repairerUrls: [4, 5].map((index) => `http://127.0.0.1:${port(index)}`) },
      alerts: { sinks: [{ kind: 'webhook', name: 'hook', urlFile: join(folder, 'url') }], resolveDelayMs: 1000 },
      telemetry: { logLevel: 'warn' },
    }),
  );
  const service = (name: string, ...settings: string[]): PlacedProcess => {
    const words = ['--config', configFile, ...settings.flatMap((setting) => ['--set', setting]), name];
    return cleanUp.use(new PlacedProcess({ name, words }));
  };
  const meshward = (release: string, ...words: string[]) => done(release, '--config', configFile, ...words);

  // The last release, as it is run: topics, then two of each service, and an agent beside each peer.
  await meshward(last, 'topics', 'apply', '--yes');
  const collectors = [0, 1].map((i) =>
    service('collector', `collector.port=${port(i)}`, `collector.opsPort=${port(6 + i)}`),
  );
  const analyzers = [2, 3].map((i) => service('analyzer', `api.port=${port(i)}`));
  const repairers = [4, 5].map((i) => service('repairer', `repairer.port=${port(i)}`));
  const [first] = await Promise.all([collectors[0] as PlacedProcess].map((each) => each.start(last)));
  const pin = String(first?.['pin']);
  await Promise.all([...collectors.slice(1), ...analyzers, ...repairers].map((each) => each.start(last)));
  const operator = await openKeyFolder(join(dataDir, 'operator'), { commonName: 'meshward-operator' });
  const collectorUrl = [0, 1].map((i) => `https://127.0.0.1:${port(i)}`).join();
  const collector = createCollectorClient({
    url: collectorUrl,
    pin: parsePeerId(pin),
    key: privateKeyPem(operator),
    cert: operator.certificatePem,
  });
  cleanUp.defer(() => collector.close());

  const agents: PlacedProcess[] = [];
  const peers: LoadPeer[] = [];
  for (let i = 0; i <= livePeers; i++) {
    const storage = join(folder, `peer-${i}`);
    await mkdir(join(storage, 'shares'), { recursive: true });
    const { token } = await collector.createToken({ domains: { zone: `zone-${i}` } });
    const words = ['--config', configFile, '--set', `agent.name=peer-${i}`, '--set', 'agent.heartbeatMs=1000', 'agent'];
    const agent = cleanUp.use(
      new PlacedProcess({
        name: `agent-${i}`,
        words: [...words, '--shares', storage, '--collector', collectorUrl, '--pin', pin],
      }),
    );
    const { peer } = await agent.start(last, { MESHWARD_TOKEN: token });
    agents.push(agent);
    peers.push({ id: parsePeerId(String(peer)), storage });
  }
  const everywhere = agents.concat(collectors, analyzers, repairers);
  const apis = [2, 3].map((i) => createApiClient(`http://127.0.0.1:${port(i)}`));
  const available = async (file: StorageIndex): Promise<number | null> => (await fileAt(apis, file))?.available ?? null;

  // A file that one peer alone holds, which is then gone for good: somebody is called, once.
  const dead = peers.pop() as LoadPeer;
  const deadAgent = agents.pop() as PlacedProcess;
  const load = new DiskLoad(peers, seededRandom(seed));
  const lost = await load.add({ k: 1, n: 1 }, [dead]);
  for (let i = 0; i < filesBefore; i++) await load.add();
  await expect
    .poll(() => Promise.all(load.files.map(available)), waits)
    .toEqual([1, ...Array(filesBefore).fill(coding.n)]);
  await deadAgent.kill();
  const pagesFor = () => told.filter(({ severity, state }) => severity === 'page' && state === 'firing');
  await expect.poll(() => pagesFor().length, waits).toBeGreaterThan(0);
  const called = pagesFor();

  const topics = topicsOf({
    prefix: 'meshward.',
    shareEventsPartitions: partitions,
    peerEventsPartitions: 1,
    retentionMs: 0,
    retentionBytes: 0,
  });
  const log = await createKafkaLog({
    brokers: kafka.brokers,
    topics: allTopics(topics),
    createTopics: false,
    clock: systemClock,
  });
  cleanUp.defer(() => log.close());
  const reader = new ShareEventReader(log, topics.shareEvents);
  const isRead = (change: ChangeName): boolean => reader.read.has(change);

  // From here on things happen on the disks all the time.
  const loading = new AbortController();
  const hurt: StorageIndex[] = [];
  const loaded = (async () => {
    while (!loading.signal.aborted) {
      await load.add();
      await reader.catchUp();
      await load.hurt(1, isRead);
      await pause(loadRestMs, undefined, { signal: loading.signal }).catch(() => undefined);
    }
  })();
  cleanUp.defer(() => loading.abort());

  const unread = async (ofPeer = ''): Promise<readonly string[]> => {
    const wanted = [...load.seen].filter((name) => name.startsWith(ofPeer));
    await reader.catchUp();
    return wanted.filter((name) => !reader.read.has(name));
  };

  // The order of docs/operations.md: what is shared first, then from the log's far end towards the peers.
  await meshward(today, 'topics', 'apply', '--yes');
  await meshward(today, 'database', 'migrate');
  for (const each of [...analyzers, ...repairers, ...collectors]) {
    const file = await load.hurt(hurtShares, isRead);
    if (file !== null) hurt.push(file);
    expect([each.name, await each.stop()], each.output).toEqual([each.name, 0]);
    await each.start(today);
  }
  for (const [i, agent] of agents.entries()) {
    const { id } = peers[i] as LoadPeer;
    load.away.add(id);
    await expect.poll(() => unread(id), waits).toEqual([]);
    expect([agent.name, await agent.stop()], agent.output).toEqual([agent.name, 0]);
    const inventoried = async (): Promise<number> => {
      await reader.catchUp();
      return reader.inventoried.get(id) ?? 0;
    };
    const before = await inventoried();
    await agent.start(today);
    await expect.poll(inventoried, waits).toBeGreaterThan(before);
    load.away.delete(id);
  }
  const lastHurt = await load.hurt(hurtShares, isRead);
  if (lastHurt !== null) hurt.push(lastHurt);
  loading.abort();
  await loaded;

  // Every event is in the log, every batch of the log is in the database, and what is known is what is there.
  const outputs = (): string => everywhere.map(({ name, output }) => `--- ${name}\n${output.slice(-1500)}`).join('\n');
  await expect.poll(() => unread(), { ...waits, message: outputs() }).toEqual([]);
  await expect
    .poll(
      async () => (await Promise.all(hurt.map(available))).map((count) => (count ?? 0) >= coding.n - hurtShares + 1),
      waits,
    )
    .toEqual(hurt.map(() => true));
  const store = connectStore({
    urls: [clickhouse.url],
    username: clickhouse.username,
    password: clickhouse.password,
    database: 'meshward',
  });
  cleanUp.defer(() => store.close());
  // Peers go on to tell what they verified, and the store hears of that in its own time: looked for is what stands in the log now.
  await reader.catchUp();
  const inLog = [...reader.last];
  await expect
    .poll(async () => {
      const rows = await store.select(
        { partition: uint16, peer: peerId, incarnation: uint64, sequence: uint64 },
        `SELECT partition, toFixedString(peer_id, 32), incarnation, sequence FROM ${store.qualified('applied')} FINAL`,
      );
      const applied = new Map(rows.map((row) => [`${row.partition}/${row.peer}`, row]));
      return inLog.filter(([lane, order]) => compareOrder(applied.get(lane) ?? unheard, order) < 0);
    }, waits)
    .toEqual([]);
  const live = load.files.filter((file) => file !== lost);
  await expect.poll(() => misjudged(peers, live, apis), waits).toEqual([]);
  console.log(
    `${load.files.length} files, ${load.seen.size} events, ${hurt.length} files hurt and repaired, told: ${told.map(({ state, alert }) => `${state} ${alert}`).join(', ')}`,
  );

  // Who was called before is not called again, and what was wrong all along was not called over.
  const names = called.map(({ alert }) => alert);
  expect(told.filter(({ alert }) => names.includes(alert))).toEqual(called);
  const { peers: up } = await (apis[0] as ApiClient).peers('up');
  expect(up.map(({ agentVersion }) => agentVersion)).toEqual(agents.map(() => softwareVersion));

  // There is no way back on the same database, and it says so.
  await (analyzers[0] as PlacedProcess).stop();
  const downgrade = await ran(last, '--config', configFile, '--set', `api.port=${port(2)}`, 'analyzer');
  expect(downgrade.exitCode).not.toBe(0);
  expect(downgrade.stderr).toMatch(/the database is at version \d+ and this program knows \d+/);
  expect(downgrade.stderr).toContain('Run the version of this program that migrated it, or a later one');

  // The way back is a database of its own, which the last release fills from the log.
  await (analyzers[1] as PlacedProcess).stop();
  const onAnother = ['--set', 'clickhouse.database=meshward_back'];
  await meshward(today, ...onAnother, 'recover', 'database');
  const back = service('analyzer', 'clickhouse.database=meshward_back', `api.port=${port(2)}`);
  await back.start(last);
  await expect.poll(() => misjudged(peers, live, apis), { ...waits, message: back.output }).toEqual([]);
});

/** Of whoever is called: what is told, in its order. */
async function hear(folder: string, cleanUp: AsyncDisposableStack): Promise<Told[]> {
  const told: Told[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      told.push(JSON.parse(body) as Told);
      response.end();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  cleanUp.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  await writeFile(join(folder, 'url'), `http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  return told;
}

/** Files of which something else is known than what lies on the disks. */
async function misjudged(peers: readonly LoadPeer[], files: readonly StorageIndex[], apis: readonly ApiClient[]) {
  const disks = await disksOf(peers);
  const known = await Promise.all(files.map(async (file) => [file, await placementsAt(apis, file)] as const));
  return known.filter(([file, placements]) => placements.join(' ') !== (disks.get(file) ?? []).join(' '));
}

/** One of the analyzers owns it. */
async function fileAt(apis: readonly ApiClient[], file: StorageIndex) {
  const answers = await Promise.all(apis.map((api) => api.file(file).catch(() => null)));
  return answers.find((answer) => answer !== null) ?? null;
}

async function placementsAt(apis: readonly ApiClient[], file: StorageIndex): Promise<readonly string[]> {
  const placements = (await fileAt(apis, file))?.placements ?? [];
  return placements.map(({ shareNumber, peerId: peer }) => `${shareNumber}/${peer}`).sort();
}
