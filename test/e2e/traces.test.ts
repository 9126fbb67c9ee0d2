/**
 * Why was this share written? One batch of an agent is followed through the collector, the log, the analyzer and the log again to the
 * repair that came of it: every process is a real one, and sends what it did to a receiver of this test.
 */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createApiClient } from '#analyzer/api/client.ts';
import { drawTrace, OtlpReceiver, type ReceivedSpan } from './otlp-receiver.ts';
import { type Ran, RunningDemo, tick } from './running-demo.ts';

/** One more than a file has shares. */
const peerCount = 5;
let receiver: OtlpReceiver;
let mesh: RunningDemo;
const agents: RunningDemo[] = [];
const settings: string[] = [];

beforeAll(async () => {
  receiver = await OtlpReceiver.start();
  const policy = '[{name: small, coding: {k: 2, n: 4}, repairBelow: 4, repairUpTo: 4, criticalBelow: 3}]';
  settings.push(
    ...['telemetry.traceRatio=1', `telemetry.otlpUrl=${receiver.url}`, `policies=${policy}`].flatMap((setting) => [
      '--set',
      setting,
    ]),
  );
  mesh = await RunningDemo.start(...settings, 'up');
  await mesh.says('Add a peer with the command');
  await until('an analyzer answers', async () => (await meshward('peers')).exitCode === 0);
  agents.push(...(await Promise.all(Array.from({ length: peerCount }, (_, number) => startAgent(number)))));
  await until('every peer is up', async () => {
    const { peers } = JSON.parse((await meshward('--json', 'peers')).stdout) as { peers: { state: string }[] };
    return peers.filter(({ state }) => state === 'up').length === peerCount;
  });
}, 600_000);

afterAll(async () => {
  await Promise.all(agents.map((agent) => agent[Symbol.asyncDispose]()));
  await mesh[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
}, 120_000);

const meshward = (...words: readonly string[]): Promise<Ran> => mesh.meshward(...settings, ...words);

async function startAgent(number: number): Promise<RunningDemo> {
  const made = await meshward('--json', 'token', '--domain', `zone=z${number}`);
  expect(made.exitCode, made.stderr).toBe(0);
  const { token, collectorUrl, collectorPin } = JSON.parse(made.stdout) as Record<string, string>;
  const folder = sharesOf(number);
  await mkdir(folder, { recursive: true });
  const where = ['--collector', collectorUrl as string, '--pin', collectorPin as string];
  const own = [`agent.name=peer-${number}`, 'agent.opsPort=0', 'agent.port=0'].flatMap((key) => ['--set', key]);
  const words = ['--shares', folder, '--token', token as string, '--domain', `zone=z${number}`, ...where];
  const agent = await RunningDemo.start(...settings, ...own, 'agent', ...words);
  await agent.says('agent has started');
  return agent;
}

function sharesOf(number: number): string {
  return join(mesh.dataDir, 'peers', String(number));
}

async function until(what: string, look: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 240_000;
  while (Date.now() < deadline) {
    if (await look().catch(() => false)) return;
    await tick();
  }
  throw new Error(`${what}: not within four minutes\n${mesh.output.slice(-3000)}`);
}

it('one batch leads from the agent to the share that was written because of it', { timeout: 600_000 }, async () => {
  const file = join(mesh.dataDir, 'file');
  await writeFile(file, 'a file that is worth a trace '.repeat(1000));
  const put = await meshward('--json', 'put', '--coding', '2-of-4', file);
  expect(put.exitCode, put.stderr).toBe(0);
  const { files } = JSON.parse(put.stdout) as { files: { storageIndex: string }[] };
  const storageIndex = files[0]?.storageIndex as string;
  const api = createApiClient(mesh.run().apiUrl);
  await until('the file is whole', async () => {
    const found = await api.file(storageIndex as never);
    return found.available === 4 && !found.settling;
  });

  const holder = await holderOf(storageIndex);
  await rm(holder.path, { recursive: true });
  await until('the share is restored', async () =>
    (await api.repairs(10)).some((repair) => repair.storageIndex === storageIndex && repair.outcome === 'repaired'),
  );
  const isOurs = ({ name, attributes }: ReceivedSpan): boolean =>
    name === 'repair' && attributes['meshward.storage_index'] === storageIndex;
  const spanOf = (name: string, trace: readonly ReceivedSpan[]): ReceivedSpan => {
    const found = trace.find((span) => span.name === name);
    expect(found, `${name} in\n${drawTrace(trace)}`).toBeDefined();
    return found as ReceivedSpan;
  };
  const written = 'PUT /meshward/v1/whole/{storage_index}/{share_number}';
  await until('the trace has arrived', () =>
    Promise.resolve(
      receiver.spans.filter(isOurs).some(({ traceId }) => {
        const names = receiver.trace(traceId).map(({ name }) => name);
        return ['POST /v1/events', written, 'INSERT repairs'].every((name) => names.includes(name));
      }),
    ),
  );
  const trace = receiver.trace(
    receiver.spans.filter(isOurs).find(({ traceId }) => receiver.trace(traceId).some(({ name }) => name === written))
      ?.traceId as string,
  );
  if (process.env['PRINT_TRACE'] !== undefined) console.log(drawTrace(trace));

  // Each from the one before: agent, collector, log, analyzer, log, repairer, peer.
  const way: [string, string, number][] = [
    ['meshward-agent', 'POST /v1/events', 3],
    ['meshward-collector', 'POST /v1/events', 2],
    ['meshward-collector', 'send meshward.share-events', 4],
    ['meshward-analyzer', 'process meshward.share-events', 5],
    ['meshward-analyzer', 'send meshward.at-risk', 4],
    ['meshward-repairer', 'repair', 5],
    ['meshward-repairer', written, 3],
  ];
  let parent = '';
  for (const [service, name, kind] of way) {
    const span = trace.find((one) => one.service === service && one.name === name && one.parentSpanId === parent);
    expect(span, `${service}: ${name} below ${parent} in\n${drawTrace(trace)}`).toMatchObject({ kind });
    parent = (span as ReceivedSpan).spanId;
  }
  const recorded = (await api.repairs(10)).find((repair) => repair.storageIndex === storageIndex);
  expect(recorded?.traceId).toBe(trace[0]?.traceId);
  const judged = spanOf('look', trace);
  expect(spanOf('send meshward.at-risk', trace).links.map(({ spanId }) => spanId)).toContain(judged.spanId);
  expect(spanOf('send meshward.share-events', trace).attributes).toMatchObject({ 'messaging.system': 'meshward_log' });
  expect(spanOf('INSERT repairs', trace).attributes).toMatchObject({ 'db.system.name': 'clickhouse' });
  expect(spanOf('repair', trace).attributes).toMatchObject({ 'meshward.repair.ending': 'repaired' });
  expect(JSON.stringify(trace.map(({ name, attributes }) => [name, attributes]))).not.toMatch(
    /swissnum|Bearer|pb:\/\//i,
  );
});

async function holderOf(storageIndex: string): Promise<{ readonly path: string }> {
  for (let number = 0; number < peerCount; number++) {
    const entries = await readdir(sharesOf(number), { recursive: true });
    const found = entries.find(
      (entry) => new RegExp(`${storageIndex}/\\d+$`).test(entry) && !entry.includes('incoming'),
    );
    if (found !== undefined) return { path: join(sharesOf(number), found) };
  }
  throw new Error('no peer holds a share of the file');
}
