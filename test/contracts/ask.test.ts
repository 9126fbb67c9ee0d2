/** What a peer asks a collector, a collector asks analyzers, and comes back: real gateways, real routes, real keys. */
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import fastify from 'fastify';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { plainSender } from '#access/api-sender.ts';
import { type AskedAnalyzer, askRoutes } from '#analyzer/api/ask-routes.ts';
import type { FileAnswer, Unanswered } from '#analyzer/files/file-answer.ts';
import { MemoryStore } from '#analyzer/testing/memory-store.ts';
import { peers, staleAfterMs, TestMesh } from '#analyzer/testing/mesh.ts';
import { askAnalyzers } from '#collector/gateway/analyzers.ts';
import { newLog, newOperator, newPeer, startGateway } from '#collector/gateway/testing/gateway-under-test.ts';
import { askAnswer } from '#mesh/asking.ts';
import { systemClock } from '#mesh/clock.ts';
import { silentLogger } from '#mesh/logger.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { fileOf } from '#mesh/testing/share-events.ts';
import { createPeerIdentity } from '#tahoe/identity/key-folder.ts';

const asking = (urls: readonly string[]) =>
  askAnalyzers({ urls, send: plainSender, clock: systemClock, random: Math.random, logger: silentLogger });

async function serve(analyzer: AskedAnalyzer): Promise<string> {
  const app = fastify();
  askRoutes(analyzer, app);
  onTestFinished(() => app.close());
  return app.listen({ host: '127.0.0.1', port: 0 });
}

const collectorOf = async (urls: readonly string[], config = {}) => {
  const log = newLog();
  const gateway = await startGateway({ log, askFiles: asking(urls), config });
  const peer = await newPeer(log, gateway);
  return { log, gateway, peer, client: gateway.client(peer) };
};

test('a peer is told what the analyzer knows, with its freshness, and not who holds what', async () => {
  const mesh = await TestMesh.open();
  onTestFinished(() => mesh.close());
  await mesh.announce();
  await mesh.put([1, 2]);
  await mesh.says({ peer: 0, events: [['stored', 50, 0]] });
  await mesh.lose(2, [0, 1, 2, 3, 4]);
  await mesh.pass(2000, peers);
  const running = await mesh.start(new MemoryStore(() => mesh.wallMs));
  await mesh.seenBy(running);
  const { client } = await collectorOf([await serve(running.analyzer)]);
  const asked = [fileOf(2), fileOf(9), fileOf(1), fileOf(50)];

  const { files } = askAnswer.parse(await client.ask(asked));
  expect(files.map(({ storageIndex }) => storageIndex)).toEqual(asked);
  expect(files).toMatchObject([
    { answer: 'known', recoverableNow: false, available: 1, k: 2, margin: -1, grade: 'lost' },
    { answer: 'unknown', freshness: { state: 'fresh' } },
    { answer: 'known', recoverableNow: true, available: 6, n: 6, margin: 4, freshness: { state: 'fresh' } },
    { answer: 'unknown', why: 'peers hold shares of the file, but nobody has said what it is' },
  ]);
  const told = JSON.stringify(files);
  for (const { peer } of running.analyzer.peers()) expect(told).not.toContain(peer);
  expect(told).not.toContain('placements');

  mesh.wallMs += staleAfterMs + 1000;
  const stale = (await client.ask(asked)).files;
  expect(stale).toMatchObject([
    { answer: 'known', recoverableNow: false, freshness: { state: 'stale' } },
    { answer: 'unanswered' },
    { answer: 'known', recoverableNow: true, freshness: { state: 'stale' } },
    { answer: 'unknown' },
  ]);
});

describe('several analyzers', () => {
  let known: FileAnswer;
  beforeAll(async () => {
    const mesh = await TestMesh.open();
    await mesh.announce();
    await mesh.put([1]);
    await mesh.pass(2000, peers);
    const running = await mesh.start(new MemoryStore(() => mesh.wallMs));
    await mesh.seenBy(running);
    known = running.analyzer.file(fileOf(1)) as FileAnswer;
    await mesh.close();
  });
  const owning = (own: readonly StorageIndex[], asked: StorageIndex[], others: Unanswered = 'owned-elsewhere') => {
    const answerOf = (index: StorageIndex): FileAnswer => ({
      ...known,
      health: { ...known.health, storageIndex: index, manifest: { ...known.health.manifest, storageIndex: index } },
    });
    return serve({
      file: (index) => (own.includes(index) ? answerOf(index) : undefined),
      unanswered: () => others,
      lookUp: async (index) => {
        asked.push(index);
        return answerOf(index);
      },
      meshFreshness: () => known.freshness,
    });
  };

  test('are each asked for their own part', async () => {
    const looked: StorageIndex[] = [];
    const urls = [await owning([fileOf(1), fileOf(3)], looked), await owning([fileOf(2)], looked)];
    const { client } = await collectorOf(urls);
    const { files } = await client.ask([fileOf(1), fileOf(2), fileOf(3)]);
    expect(files.map(({ answer, storageIndex }) => [answer, storageIndex])).toEqual([
      ['known', fileOf(1)],
      ['known', fileOf(2)],
      ['known', fileOf(3)],
    ]);
    expect(looked).toEqual([]);
  });

  test('answer for one that is away, by what the database has', async () => {
    const looked: StorageIndex[] = [];
    const { client } = await collectorOf(['http://127.0.0.1:1', await owning([fileOf(1)], looked)]);
    const { files } = await client.ask([fileOf(1), fileOf(2)]);
    expect(files.map(({ answer }) => answer)).toEqual(['known', 'known']);
    expect(looked).toEqual([fileOf(2)]);
  });

  test('that cannot tell now say so for the files that it is of', async () => {
    const { client } = await collectorOf([await owning([fileOf(1)], [], 'being-rebuilt')]);
    expect((await client.ask([fileOf(1), fileOf(2)])).files).toMatchObject([
      { answer: 'known' },
      { answer: 'unanswered', why: 'what is known of it is being rebuilt' },
    ]);
  });

  test('that are all away, or not named, are told apart from files that are not known', async () => {
    for (const urls of [['http://127.0.0.1:1'], []]) {
      const { client } = await collectorOf(urls);
      await expect(client.ask([fileOf(1)])).rejects.toMatchObject({ code: 'service-unavailable', retryable: true });
    }
  });
});

describe('who may ask', () => {
  const never = async () => {
    throw new Error('an analyzer was asked');
  };

  test('a revoked peer, a stranger and whoever shows no key are refused, and analyzers are not asked', async () => {
    const log = newLog();
    const gateway = await startGateway({ log, askFiles: never });
    const peer = await newPeer(log, gateway);
    const operator = gateway.client(await newOperator(log));
    await operator.revokePeer(peer.peerId, 'lost');
    const ask = (identity: typeof peer) => gateway.client(identity).ask([fileOf(1)]);
    await expect(ask(peer)).rejects.toMatchObject({ status: 403, code: 'peer-revoked' });
    await expect(ask(await createPeerIdentity())).rejects.toMatchObject({ status: 401, code: 'peer-unknown' });
    await expect(operator.ask([fileOf(1)])).rejects.toMatchObject({ status: 401, code: 'peer-unknown' });
  });

  test('what is no storage index goes no further, and a cap is not repeated', async () => {
    const log = newLog();
    const gateway = await startGateway({ log, askFiles: never });
    const peer = await newPeer(log, gateway);
    const cap =
      'URI:CHK:k3iw3dqkyvalbn5gdwd4ax2pzm:wfnvz5cv5d4drq3fmqouhvamhtmlxxg5gt73gmry2s3ryh3h45aq:25:100:1048601';
    const refused = gateway.client(peer).ask([cap as StorageIndex]);
    await expect(refused).rejects.toMatchObject({ status: 400, code: 'bad-input' });
    await expect(refused).rejects.not.toThrow('k3iw3dqkyvalbn5gdwd4ax2pzm');
  });

  test('a flood of one peer is limited and counted, and another peer is answered meanwhile', async () => {
    const exporter = new PrometheusExporter({ preventServerStart: true });
    const provider = new MeterProvider({ readers: [exporter] });
    onTestFinished(() => provider.shutdown());
    const log = newLog();
    let asked = 0;
    const gateway = await startGateway({
      log,
      meter: provider.getMeter('test'),
      config: { askedFilesPerSecond: 1 },
      askFiles: async (indexes) => {
        asked += 1;
        return { files: indexes.map((storageIndex) => ({ storageIndex, answer: 'unanswered', why: 'a test' })) };
      },
    });
    const [flooding, quiet] = [await newPeer(log, gateway), await newPeer(log, gateway)];
    const client = gateway.client(flooding);
    let refused: unknown;
    let asks = 0;
    for (; asks < 200 && refused === undefined; asks++)
      await client.ask([fileOf(1)]).catch((error) => (refused = error));
    expect(refused).toMatchObject({ status: 429, code: 'peer-limit', retryable: true });
    expect((refused as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(0);
    // Five hundred at once, of which each question costs ten.
    expect(asked).toBeGreaterThanOrEqual(50);
    expect(asked).toBeLessThan(100);
    expect((await gateway.client(quiet).ask([fileOf(1)])).files).toHaveLength(1);
    const { resourceMetrics } = await exporter.collect();
    const text = new PrometheusSerializer().serialize(resourceMetrics);
    expect(text).toMatch(/meshward_collector_asks_total\{[^}]*outcome="limited"[^}]*\} 1\n/);
    expect(text).toMatch(/meshward_collector_refusals_total\{[^}]*code="peer-limit"[^}]*\} 1\n/);
    expect(text).toMatch(
      new RegExp(`meshward_collector_asked_files_total\\{[^}]*answer="unanswered"[^}]*\\} ${asked}\n`),
    );
  });
});
