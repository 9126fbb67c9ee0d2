/** Commands that list or show: one way for all of them to be read by people, programs and spreadsheets, once or again and again. */
import { spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import stringWidth from 'string-width';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { everyCommand } from './command-tree.ts';
import { lettersView } from './commands/dead-letter-list.ts';
import { repairsView } from './commands/repair-list.ts';
import { alertsView, changesView, silencesView } from './describe-alerts.ts';
import { campaignsView } from './describe-campaign.ts';
import { filesView } from './describe-file.ts';
import { peersView } from './describe-peers.ts';
import { describeStatus } from './describe-status.ts';
import { createProgram } from './program.ts';
import { plainPaint } from './terminal/colour.ts';
import { runMeshward } from './testing/run-meshward.ts';
import {
  sampleAlert,
  sampleCampaign,
  sampleChange,
  sampleFile,
  sampleLetter,
  sampleMesh,
  samplePeer,
  sampleRepair,
  sampleSilence,
} from './testing/sample-answers.ts';

const freshness = sampleFile.freshness;
const nowMs = 1_760_000_100_000;
const peers = ['alder-01', 'a-machine-with-a-long-name.eu-1.example.org'].map((name) => samplePeer(name));
const views = {
  peers: peersView(peers, freshness),
  files: filesView({ files: [sampleFile], value: {}, none: '', below: [] }),
  alerts: alertsView([sampleAlert], nowMs),
  'history of alerts': changesView([sampleChange]),
  silences: silencesView([sampleSilence]),
  campaigns: campaignsView([sampleCampaign]),
  repairs: repairsView([sampleRepair]),
  'dead letters': lettersView([sampleLetter]),
};

describe.each(Object.entries(views))('%s', (_name, view) => {
  const tableOf = (width: number | null): string[] => (view.text(plainPaint, width).split('\n\n')[0] ?? '').split('\n');

  test('fit a terminal of 80 columns, and use a wide one', () => {
    for (const line of tableOf(80)) expect(stringWidth(line)).toBeLessThanOrEqual(80);
    const widest = (width: number): number => Math.max(...tableOf(width).map((line) => stringWidth(line)));
    expect(widest(300)).toBeGreaterThan(80);
  });

  test('are whole where they are piped, and have as many cells in a row of comma-separated values as in its header', () => {
    expect(tableOf(null).join('\n')).not.toContain('…');
    const [header = [], ...rows] = view.csv?.() ?? [];
    expect(new Set(header).size).toBe(header.length);
    for (const name of header) expect(name).toMatch(/^[a-z0-9_]+$/);
    for (const row of rows) expect(row).toHaveLength(header.length);
  });
});

test('the mesh at a glance names what matters', () => {
  const text = describeStatus({ mesh: sampleMesh, alerts: [sampleAlert], repairs: [sampleRepair] }, plainPaint, nowMs);
  for (const part of ['2 at-risk', 'smallest margin', '3', '118 up', sampleAlert.summary, 'repaired'])
    expect(text).toContain(part);
});

test('the mesh at a glance tells figures that are old as old, and none for what nobody knows', () => {
  const stale = { ...sampleMesh, freshness: { ...freshness, state: 'stale' as const, reasons: ['the log is away'] } };
  const textOf = (mesh: typeof sampleMesh): string =>
    describeStatus({ mesh, alerts: [], repairs: [] }, plainPaint, nowMs);
  expect(textOf({ ...stale, sweptAtMs: nowMs })).toMatch(
    /files +\d+, .* as the sweep of 2025-10-09T08:55:00.000Z found them/,
  );
  const none = { files: null, bytes: null, filesWithoutManifest: null, settlingFiles: null, byGrade: [], byMargin: [] };
  const text = textOf({ ...stale, ...none, sweptAtMs: 0 });
  expect(text).toMatch(/files +not known yet\n/);
  expect(text).toContain('stale');
  expect(text).not.toMatch(/\b0\b/);
});

test('every command that lists has --csv; what shows a state has --watch', () => {
  const having = (long: string): string[] =>
    everyCommand(createProgram())
      .filter(({ command }) => command.options.some((option) => option.long === long))
      .map(({ path }) => path.replace('meshward ', ''))
      .sort();
  expect(having('--csv')).toEqual(
    [
      'alerts list',
      'alerts silences',
      'campaign list',
      'campaign plan',
      'dead-letters list',
      'file at-risk',
      'file proofs',
      'operator list',
      'peer list',
      'peer settings',
      'peers',
      'repair limits',
      'repair list',
      'schedule list',
    ].sort(),
  );
  expect(having('--watch')).toEqual(
    [
      'alerts list',
      'alerts show',
      'campaign list',
      'campaign show',
      'file at-risk',
      'file proofs',
      'file show',
      'peer list',
      'peers',
      'repair list',
      'status',
    ].sort(),
  );
});

describe('a running analyzer', () => {
  let server: Server;
  let api: string;
  beforeAll(async () => {
    server = createServer((request, response) => {
      const answers: Record<string, unknown> = {
        '/v1/peers': { peers, freshness },
        '/v1/alerts': { alerts: [sampleAlert] },
        [`/v1/alerts/${sampleAlert.id}`]: sampleAlert,
      };
      const answer = answers[new URL(request.url ?? '', 'http://x').pathname];
      response.statusCode = answer === undefined ? 404 : 200;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(answer ?? { error: { code: 'alert-unknown', message: 'no', next: 'x' } }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  test('is asked by the singular, the plural and the noun alone; each takes its own options', async () => {
    for (const words of [['alerts'], ['alert'], ['alerts', 'list'], ['alert', 'list']]) {
      const { exitCode, stdout } = await runMeshward([...words, '--api', api]);
      expect(exitCode).toBe(0);
      expect(stdout).toContain(sampleAlert.summary);
    }
    const { exitCode, stdout } = await runMeshward(['alerts', 'show', sampleAlert.id, '--api', api]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(sampleAlert.meaning);
  });

  test('is read by spreadsheets: whole, with a header', async () => {
    const { stdout } = await runMeshward(['peers', '--api', api, '--csv']);
    const [header = '', ...rows] = stdout.trim().split('\n');
    expect(header.startsWith('peer,state,domains,shares,share_bytes,free_bytes,silence_ms')).toBe(true);
    expect(rows).toHaveLength(2);
    expect(rows[0]).toContain('p'.repeat(43));
    expect((await runMeshward(['peers', '--api', api, '--csv', '--json'])).exitCode).toBe(2);
  });

  test('has colour only where it is wanted, and the same words without it', async () => {
    const plain = await runMeshward(['alerts', '--api', api], { environment: { NO_COLOR: '1' } });
    const forced = await runMeshward(['alerts', '--api', api], { environment: { FORCE_COLOR: '1' } });
    const asked = await runMeshward(['alerts', '--api', api, '--color', 'always'], { environment: { NO_COLOR: '1' } });
    expect(plain.stdout).not.toContain('\u001b');
    expect(forced.stdout).toContain('\u001b[31mpage');
    const headOf = (text: string): string => stripVTControlCharacters(text).split('\n')[0] ?? '';
    expect(asked.stdout).toContain('\u001b[');
    expect(headOf(asked.stdout)).toBe(headOf(plain.stdout));
  });

  test('is watched until ctrl-c, which is exit code 130 and no error', async () => {
    const main = fileURLToPath(new URL('main.ts', import.meta.url));
    const child = spawn(process.execPath, [main, 'peers', '--watch', '0.2', '--api', api], { stdio: 'pipe' });
    let stdout = '';
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += String(chunk)));
    await new Promise<void>((resolve) => {
      child.stdout.on('data', (chunk: Buffer) => {
        stdout += String(chunk);
        if (stdout.split('alder-01').length > 2) resolve();
      });
    });
    child.kill('SIGINT');
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(code).toBe(130);
    expect(stderr).toBe('');
  });
});

describe('a typo', () => {
  test.each([
    [['peer', 'lst'], 'Did you mean list?'],
    [['alerts', 'shwo', 'x'], 'Did you mean show?'],
    [['statsu'], 'Did you mean status?'],
    [['peers', '--stat', 'down'], 'Did you mean --state?'],
    [['peers', '--state', 'dwon'], 'Did you mean down?'],
    [['file', 'at-risk', '--grade', 'critcal'], 'Did you mean critical?'],
    [['config', '--set', 'log.topicPrefx=x'], 'did you mean log.topicPrefix?'],
    [['peers', '--color', 'alwys'], 'Did you mean always?'],
  ])('in "%s" is answered with what was probably meant', async (words, hint) => {
    const { exitCode, stderr } = await runMeshward(words);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(hint);
  });

  test('that is near nothing gets no guess', async () => {
    const { stderr } = await runMeshward(['alerts', 'xyzzy']);
    expect(stderr).not.toContain('Did you mean');
  });
});
