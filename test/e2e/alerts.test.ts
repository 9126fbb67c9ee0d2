/**
 * A demonstration mesh with somebody to call: what its story does to it is told once, and over when it is; what operators say of
 * alerts counts; the commands of every runbook run while a zone is away; promtool reads what every service counts.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ApiClient, createApiClient } from '#analyzer/api/client.ts';
import { commandsIn, readRunbooks } from '../alerts/runbooks.ts';
import { prometheusProgram } from '../setup/prometheus.ts';
import { type Ran, RunningDemo, tick } from './running-demo.ts';

interface Told {
  readonly alert: string;
  readonly state: string;
  readonly severity: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly files: number;
  readonly repair: string;
  readonly runbookUrl: string;
  readonly why: string;
}

let demo: RunningDemo;
let api: ApiClient;
let folder: string;
let configFile: string;
let server: Server;
const told: Told[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meshward-alerts-'));
  server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (part: string) => (body += part));
    request.on('end', () => {
      told.push(JSON.parse(body) as Told);
      response.end();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const urlFile = join(folder, 'url');
  await writeFile(urlFile, `http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  configFile = join(folder, 'meshward.yaml');
  await writeFile(
    configFile,
    `alerts: { sinks: [{ kind: webhook, name: hook, urlFile: ${urlFile} }], resolveDelayMs: 1000 }\n`,
  );
  demo = await RunningDemo.start('--config', configFile, 'demo', '--max-files', '10', '--patience', '3');
  await demo.says('The mesh lives on');
  api = createApiClient(demo.run().apiUrl);
}, 300_000);

afterAll(async () => {
  await demo[Symbol.asyncDispose]();
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

const meshward = (...words: readonly string[]): Promise<Ran> => demo.meshward('--config', configFile, ...words);

function good(ran: Ran): string {
  expect(ran.exitCode, ran.stderr).toBe(0);
  return ran.stdout;
}

async function until<T>(what: string, look: () => T | null | Promise<T | null>): Promise<T> {
  const deadline = Date.now() + 90_000;
  while (Date.now() < deadline) {
    const found = await Promise.resolve()
      .then(look)
      .catch(() => null);
    if (found !== null) return found;
    await tick(200);
  }
  throw new Error(
    `${what} did not come; told so far: ${JSON.stringify(told.map(({ alert, state }) => `${state} ${alert}`))}`,
  );
}

const pagesOf = (alert: string): readonly string[] =>
  told
    .filter((each) => each.alert === alert && each.severity === 'page')
    .map(({ state, labels }) => `${state} ${labels['zone']}`);

it('the zone that the story loses pages once, with its stake', async () => {
  const [first] = await until('the page', () =>
    pagesOf('MeshwardDomainLost').length > 0 ? told.filter(({ alert }) => alert === 'MeshwardDomainLost') : null,
  );
  expect(first?.files).toBeGreaterThan(0);
  expect(first?.repair).toContain('need repair');
  const text = await (await fetch(`${demo.run().apiUrl}/runbooks/MeshwardDomainLost.md`)).text();
  expect(text).toContain('# MeshwardDomainLost');
  expect(first?.runbookUrl).toMatch(/\/runbooks\/MeshwardDomainLost\.md$/);
  const firing = pagesOf('MeshwardDomainLost').filter((said) => said.startsWith('firing'));
  expect(new Set(firing).size).toBe(firing.length);
});

it('what every service counts is read by promtool', async () => {
  const { apiUrl, collectorOpsUrl, repairerUrl } = demo.run();
  for (const url of [apiUrl, collectorOpsUrl, repairerUrl]) {
    const text = await (await fetch(new URL('/metrics', url))).text();
    expect(text).toContain('meshward_');
    const { stdout, stderr, status } = spawnSync(prometheusProgram('promtool'), ['check', 'metrics'], {
      input: text,
      encoding: 'utf8',
    });
    expect([url, stdout + stderr, status]).toEqual([url, '', 0]);
  }
});

it('while a zone is away, the commands of every runbook run, and what operators say counts', {
  timeout: 240_000,
}, async () => {
  const zones = Map.groupBy((await api.peers()).peers, ({ domains }) => domains['zone'] ?? '');
  // The one that the story lost is away still.
  const [zone, peers] = [...zones].find(([, all]) => all.length > 4 && all.every(({ state }) => state === 'up')) ?? [];
  if (zone === undefined || peers === undefined) throw new Error('no zone is there as a whole');
  const path = join(folder, 'file');
  await writeFile(path, 'x'.repeat(5000));
  const put = JSON.parse(good(await meshward('--json', 'put', path))) as { files: [{ cap: string }] };
  good(await meshward('peer', 'kill', ...peers.map(({ name }) => name)));
  const alert = await until(
    'the alert',
    async () => (await api.alerts()).alerts.find(({ labels }) => labels['zone'] === zone) ?? null,
  );
  await until('the page', () => (pagesOf('MeshwardDomainLost').includes(`firing ${zone}`) ? true : null));
  expect(good(await meshward('alerts', 'show', alert.id.slice(0, 8)))).toMatch(/told {10}hook \(firing/);

  const known: Readonly<Record<string, string>> = {
    PEER: peers[0]?.name ?? '',
    CAP: put.files[0].cap,
    ID: alert.id,
    FILE: path,
    NAME: 'hook',
  };
  const every = new Set([...readRunbooks().values()].flatMap(commandsIn));
  const run = [...every].filter(
    (words) => !/^(?:analyzer|collector|repairer|share verify|dead-letters (?:show|replay)|topics apply)\b/.test(words),
  );
  expect(run.length).toBeGreaterThan(25);
  const failures: string[] = [];
  for (const words of run.sort((a, b) => Number(a.includes('depart')) - Number(b.includes('depart')))) {
    const argv = (words.match(/"[^"]*"|\S+/g) ?? []).map((word) =>
      word
        .replaceAll('"', '')
        .replace(/^(zone=)?(PEER|CAP|ID|FILE|NAME)$/, (_all, kind: string | undefined, name: string) =>
          kind === undefined ? (known[name] ?? name) : `${kind}${zone}`,
        ),
    );
    const { exitCode, stderr } = await meshward(...argv);
    // A doctor may find something wrong with a mesh that has lost a zone, and a repair may find no room for every share.
    const mayAnswer = words === 'doctor' ? [4, 5] : words.startsWith('file repair') ? [5] : [];
    if (exitCode !== 0 && !mayAnswer.includes(exitCode ?? 0))
      failures.push(`${argv.join(' ')}: ${exitCode} ${stderr.slice(0, 200)}`);
  }
  expect(failures).toEqual([]);
  await until(
    'the acknowledgement',
    () => told.find(({ state, labels }) => state === 'acknowledged' && labels['zone'] === zone) ?? null,
  );

  const { id } = JSON.parse(
    good(await meshward('--json', 'alerts', 'silence', `zone=${zone}`, '--for', '1h', '--why', 'a test')),
  ) as { id: string };
  const over = await until(
    'the silence',
    () => told.find(({ state, labels }) => state === 'resolved' && labels['zone'] === zone) ?? null,
  );
  expect(over.why).toMatch(/^silenced by .*: a test$/);
  expect(good(await meshward('alerts', 'silences'))).toContain('active');
  good(await meshward('alerts', 'unsilence', id));
  expect(good(await meshward('alerts', '--history'))).toContain('MeshwardDomainLost');
});
