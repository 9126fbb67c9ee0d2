import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { startFakeGrafana } from '../testing/fake-grafana.ts';
import { runMeshward } from '../testing/run-meshward.ts';

const token = 'glsa_a-word-that-nobody-sees';
let folder: string;
let tokenFile: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'meshward-dashboards-'));
  tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, `${token}\n`);
});
afterAll(() => rmSync(folder, { recursive: true }));

const names = ['campaigns', 'capacity', 'damage', 'files', 'mesh', 'peers', 'pipeline', 'repair'].map(
  (name) => `meshward-${name}`,
);
const committed = (name: string): string =>
  readFileSync(new URL(`../../dashboards/grafana/${name}.json`, import.meta.url), 'utf8');

describe('export', () => {
  test('writes the committed files where nothing is configured otherwise', async () => {
    const into = join(folder, 'plain');
    const { exitCode, stdout } = await runMeshward(['dashboards', 'export', into]);
    expect(exitCode).toBe(0);
    expect(readdirSync(into).sort()).toEqual(names.map((name) => `${name}.json`));
    for (const name of names) expect(readFileSync(join(into, `${name}.json`), 'utf8')).toBe(committed(name));
    expect(stdout.trim().split('\n')).toHaveLength(names.length);
  });

  test('follows the configured life times, and the address of runbooks', async () => {
    const into = join(folder, 'own');
    const runbooks = 'https://wiki.example/meshward/';
    const settings = ['--set', 'clickhouse.keepRawDays=1', '--set', 'clickhouse.keepMinuteDays=9'];
    expect((await runMeshward([...settings, 'dashboards', 'export', into, '--runbooks', runbooks])).exitCode).toBe(0);
    const mesh = readFileSync(join(into, 'meshward-mesh.json'), 'utf8');
    expect(mesh).toContain('INTERVAL 9 DAY, 1');
    expect(mesh).not.toContain('INTERVAL 14 DAY');
    expect(mesh).toContain('"query": "https://wiki.example/meshward"');
  });

  test("writes Grafana's own files too where that is asked for", async () => {
    const into = join(folder, 'provisioning');
    expect((await runMeshward(['dashboards', 'export', into, '--provisioning'])).exitCode).toBe(0);
    const read = (path: string): unknown => parse(readFileSync(join(into, 'provisioning', path), 'utf8'));
    expect(read('datasources/meshward.yaml')).toMatchObject({
      apiVersion: 1,
      datasources: [
        { type: 'grafana-clickhouse-datasource', secureJsonData: { password: expect.stringMatching(/^\$\{/) } },
      ],
    });
    expect(read('dashboards/meshward.yaml')).toMatchObject({ providers: [{ type: 'file', folderUid: 'meshward' }] });
    expect(read('alerting/meshward.yaml')).toMatchObject({ groups: [{ folder: 'Meshward', interval: '1m' }] });
  });
});

describe('install', () => {
  const install = (url: string, ...more: string[]) =>
    runMeshward(['dashboards', 'install', '--grafana', url, '--token-file', tokenFile, ...more]);

  test('makes the folder, puts every dashboard into it, and brings them up to date the second time', async () => {
    await using grafana = await startFakeGrafana({ token, hasPlugin: true });
    const first = await install(grafana.url, '--folder', 'Storage mesh');
    expect(first).toMatchObject({ exitCode: 0, stderr: '' });
    expect([...grafana.folders]).toEqual([['meshward', 'Storage mesh']]);
    expect([...grafana.dashboards.keys()].sort()).toEqual(names);
    expect(first.stdout).toContain(`Meshward / Mesh  ${grafana.url}/d/meshward-mesh/x`);
    const again = await install(grafana.url, '--folder', 'Another title');
    expect(again.exitCode).toBe(0);
    expect([...grafana.folders.values()]).toEqual(['Storage mesh']);
    for (const one of grafana.dashboards.values())
      expect(one).toMatchObject({ version: 2, schemaVersion: 42, folderUid: 'meshward' });
    expect(`${first.stdout}${again.stdout}${grafana.requests.join()}`).not.toContain(token);
  });

  test('says where the plugin is missing, and installs all the same', async () => {
    await using grafana = await startFakeGrafana({ token, hasPlugin: false });
    const { exitCode, stderr } = await install(`${grafana.url}/`);
    expect(exitCode).toBe(0);
    expect(stderr).toContain('plugins install grafana-clickhouse-datasource');
    expect(grafana.dashboards.size).toBe(names.length);
  });

  test('tells a token that Grafana does not know, without the token', async () => {
    await using grafana = await startFakeGrafana({ token: 'another', hasPlugin: true });
    const { exitCode, stdout, stderr } = await install(grafana.url);
    expect(exitCode).toBe(6);
    expect(stderr).toContain('code: grafana-refused');
    expect(stderr).toContain('Invalid API key');
    expect(`${stdout}${stderr}`).not.toContain(token);
  });

  test("tells Grafana's own words about a dashboard that is provisioned from a file", async () => {
    await using grafana = await startFakeGrafana({ token, hasPlugin: true, provisioned: 'meshward-damage' });
    const { exitCode, stderr } = await install(grafana.url);
    expect(exitCode).toBe(6);
    expect(stderr).toContain('Meshward / Damage');
    expect(stderr).toContain('Cannot save provisioned dashboard');
  });

  test('tells a Grafana that is not there', async () => {
    const gone = await startFakeGrafana({ token, hasPlugin: true });
    await gone[Symbol.asyncDispose]();
    const { exitCode, stderr } = await install(gone.url);
    expect(exitCode).toBe(4);
    expect(stderr).toContain('code: grafana-unreachable');
  });

  test.each([
    ['https://me:secret@grafana.example', 'without a password'],
    ['grafana.example', 'no http address'],
  ])('refuses the address %s', async (url, words) => {
    const { exitCode, stderr } = await install(url);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(words);
    expect(stderr).not.toContain('secret@');
  });

  test('refuses a file that holds no token', async () => {
    const empty = join(folder, 'empty');
    writeFileSync(empty, 'two words\n');
    const args = ['dashboards', 'install', '--grafana', 'http://127.0.0.1:9', '--token-file', empty];
    const { exitCode, stderr } = await runMeshward(args);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('--token-file');
    expect(stderr).not.toContain('two words');
  });
});
