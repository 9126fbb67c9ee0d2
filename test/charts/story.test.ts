/** The story with the chart's own settings: what it renders runs as processes on a real Kafka and ClickHouse, and mends a damaged mesh. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { apiSender } from '#access/api-sender.ts';
import { createApiClient } from '#analyzer/api/client.ts';
import { createKeys } from '#cli/key-files.ts';
import { openMeshPeers } from '#cli/mesh-peers.ts';
import { reservePeerPorts } from '#cli/ports.ts';
import { createCollectorClient } from '#collector/gateway/client.ts';
import { planDamage } from '#demo/damage.ts';
import { demoPeers, largestZone } from '#demo/layout.ts';
import { DemoMesh } from '#demo/mesh.ts';
import { formatVerifyCap, type ReadCap } from '#mesh/caps.ts';
import { parsePeerId } from '#mesh/peer-id.ts';
import { policyFor } from '#mesh/policy.ts';
import { putFile } from '#repairer/files/put.ts';
import { proveFile } from '#repairer/proofs/prove.ts';
import { startEmbeddedClickHouse } from '#store/embedded/server.ts';
import { readKeyFile } from '#tahoe/identity/key-file.ts';
import { privateKeyPem } from '#tahoe/identity/peer-key.ts';
import { startKafka } from '../kafka/cluster.ts';
import { installChartTools } from './install.ts';
import { type Cluster, type Pod, type Rendered, RunningChart } from './pods.ts';
import { chartFolder, render } from './render.ts';

const coding = { k: 3, n: 10 };
const fileCount = 8;
const { repairBelow } = policyFor([], coding, '');
const peerCount = 24;
const partitions = 4;
const users = ['collector', 'analyzer', 'repairer', 'admin'] as const;
const waits = { timeout: 240_000, interval: 500 };

test('what the chart renders watches a mesh, mends it, and hands over when pods end; nothing is written where no volume is', {
  timeout: 900_000,
}, async () => {
  await using cleanUp = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'meshward-chart-'));
  cleanUp.defer(() => rm(folder, { recursive: true, force: true }));
  const tools = await installChartTools();
  const password = randomBytes(12).toString('hex');
  const kafka = await startKafka({
    nodes: 1,
    sasl: {
      mechanism: 'scram-sha-512',
      users: Object.fromEntries(users.map((user) => [`meshward-${user}`, password])),
    },
  });
  cleanUp.defer(() => kafka.stop());
  const clickhouse = await startEmbeddedClickHouse({ directory: join(folder, 'clickhouse') });
  cleanUp.defer(() => clickhouse.stop());

  const made = await createKeys(join(folder, 'keys'));
  const values = join(folder, 'values.yaml');
  await writeFile(
    values,
    JSON.stringify({
      kafka: { brokers: kafka.brokers },
      clickhouse: { urls: [clickhouse.url], username: clickhouse.username },
      topics: { shareEventsPartitions: partitions },
      shutdown: { lingerSeconds: 1 },
      config: {
        analyzer: { graceMs: 5000, settleMs: 3000, sweepIntervalMs: 1000 },
        log: { sessionTimeoutMs: 20_000 },
        telemetry: { logLevel: 'warn' },
      },
    }),
  );
  const inKeys = (path: string): Promise<Buffer> => readFile(join(folder, 'keys', path));
  const cluster: Cluster = {
    folder: join(folder, 'pods'),
    resources: await render<Rendered>(tools, [join(chartFolder, 'ci/urls-values.yaml'), values]),
    secrets: {
      'meshward-collector': {
        'collector.key.pem': await inKeys('collector/collector.key.pem'),
        operators: await inKeys('collector/operators'),
      },
      'meshward-repairer': { 'lease-secret': await inKeys('repairer/lease-secret') },
      'meshward-access': {
        'tokens.json': await inKeys('access/tokens.json'),
        token: await inKeys('access/token'),
        'session-key': await inKeys('access/session-key'),
      },
      'clickhouse-meshward': { password: Buffer.from(clickhouse.password) },
      ...Object.fromEntries(users.map((user) => [`kafka-${user}`, { password: Buffer.from(password) }])),
    },
  };
  const chart = await RunningChart.start(cluster);
  cleanUp.use(chart);
  const allReady = (pods: readonly Pod[]): Promise<void> =>
    expect.poll(() => Promise.all(pods.map((pod) => pod.isReady())), waits).toEqual(pods.map(() => true));
  await allReady(chart.pods);

  const collectorUrl = chart
    .of('collector')
    .map(({ address }) => `https://${address}:7701`)
    .join();
  const collector = createCollectorClient({
    url: collectorUrl,
    pin: parsePeerId(made.collectorPins[0] as string),
    ...(await credentialsOf(join(folder, 'keys/operator/operator.key.pem'))),
  });
  cleanUp.defer(() => collector.close());
  const [apiPod, spareApiPod] = chart.of('analyzer') as [Pod, Pod];
  const apiTokenFile = join(folder, 'keys/access/token');
  const send = apiSender({ apiTokenFile, apiCaFile: '', allowPlainHttp: true });
  const api = createApiClient(`http://${apiPod.address}:7700`, 10_000, send);
  await expect(createApiClient(`http://${apiPod.address}:7700`).mesh()).rejects.toThrow();

  const peers = demoPeers(peerCount);
  const reserved = await reservePeerPorts(peers.length);
  cleanUp.defer(() => reserved.release());
  const mesh = new DemoMesh({
    peers,
    directory: join(folder, 'peers'),
    settings: {
      collectorUrl,
      collectorPin: made.collectorPins[0] as string,
      heartbeatMs: 1000,
      verifyBytesPerSecond: 0,
    },
    capacityBytes: 1024 ** 3,
    ports: reserved.ports,
    hosts: 2,
    createToken: async (domains) => (await collector.createToken({ domains: { ...domains } })).token,
    note: () => undefined,
  });
  cleanUp.defer(() => mesh.stop());
  await mesh.start(() => undefined);
  await expect
    .poll(async () => (await api.peers('up')).peers.filter(({ freeBytes }) => freeBytes !== null).length, waits)
    .toBe(peerCount);

  // Files go in.
  const meshPeers = await openMeshPeers({ directory: await collector.directory(), api, note: () => undefined });
  cleanUp.defer(() => meshPeers.close());
  const signal = new AbortController().signal;
  const files: { cap: ReadCap; sha256: Uint8Array; holders: readonly string[] }[] = [];
  for (let i = 0; i < fileCount; i++) {
    const content = randomBytes(200_000 + i);
    const put = await putFile(
      { sizeBytes: content.length, plaintext: [content], policy: policyFor([], coding, ''), signal },
      {
        transfer: meshPeers.transfer,
        field: () => meshPeers.field,
        random: Math.random,
        randomBytes: (count) => new Uint8Array(randomBytes(count)),
        leaseSecret: new Uint8Array(randomBytes(32)),
      },
    );
    if (put.kind !== 'stored') throw new Error('the file is too small');
    const holders = put.placements.map(({ peerId }) => meshPeers.nameOf(peerId));
    files.push({ cap: put.readCap, sha256: createHash('sha256').update(content).digest(), holders });
  }
  await collector.registerFiles(files.map(({ cap }) => ({ cap: formatVerifyCap(cap.manifest) })));
  const availableOf = (): Promise<number[]> =>
    Promise.all(
      files.map(async ({ cap }) => (await api.file(cap.manifest.storageIndex).catch(() => null))?.available ?? -1),
    );
  await expect.poll(availableOf, waits).toEqual(files.map(() => coding.n));

  // A zone is lost, disks are wiped, and repair restores every file, while a pod of each kind is replaced.
  const zone = largestZone(peers);
  const gone = peers.filter((peer) => peer.zone === zone).map(({ name }) => name);
  const { wiped } = planDamage({
    holders: files.map(({ holders }) => holders),
    gone: new Set(gone),
    peers: peers.map(({ name }) => name),
    below: repairBelow,
    atLeast: coding.k + 1,
    random: Math.random,
  });
  await mesh.act('kill', gone);
  await mesh.act('wipe', wiped);
  await expect.poll(async () => (await api.repairs(100)).length, waits).toBeGreaterThan(0);
  for (const pod of [spareApiPod, chart.of('repairer')[0] as Pod, chart.of('collector')[0] as Pod]) {
    const { code, tookMs } = await pod.stop();
    expect([pod.name, code]).toEqual([pod.name, 0]);
    expect(tookMs, `${pod.name} ended within its grace`).toBeLessThan(pod.graceMs);
    await chart.restart(pod);
  }
  await allReady(chart.pods);
  await expect.poll(async () => (await availableOf()).every((count) => count >= repairBelow), waits).toBe(true);
  await expect.poll(async () => (await api.mesh()).freshness.state, waits).toBe('fresh');
  expect(await chart.test()).toContain(peers[0]?.name);
  expect((await api.mesh()).files).toBe(fileCount);

  for (const { cap, sha256 } of files) {
    const reading = await meshPeers.reading(cap.manifest.storageIndex);
    const proof = await proveFile({ id: randomUUID(), cap, plaintextSha256: sha256, urgent: true, signal }, reading);
    expect(proof.outcome).toBe('proven');
  }
  for (const pod of chart.pods) {
    expect(pod.written, `${pod.name} writes where nothing is mounted`).toEqual([]);
    expect(pod.output).not.toContain(password);
  }
});

async function credentialsOf(path: string): Promise<{ key: string; cert: string }> {
  const { first } = await readKeyFile(path, 'the operator', 'meshward-operator');
  return { key: privateKeyPem(first), cert: first.certificatePem };
}
