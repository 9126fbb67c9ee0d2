import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { renderUnit, type UnitName, type UnitOptions, unitFileName, unitNames } from './systemd-unit.ts';
import { runMeshward } from './testing/run-meshward.ts';

const run = promisify(execFile);
/** Of systemd's own scale, from 0 to 100: below 20 it is well confined. */
const mostExposed = '20';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'meshward-units-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const optionsOf = (name: UnitName): UnitOptions => ({
  node: process.execPath,
  program: join(folder, 'main.js'),
  config: '/etc/meshward/meshward.yaml',
  keys: '/etc/meshward/keys',
  user: name === 'agent' ? 'root' : null,
  shares: name === 'agent' ? folder : null,
  stopMs: 35_000,
});

function unitFile(name: UnitName): string {
  const path = join(folder, unitFileName(name));
  writeFileSync(path, renderUnit(name, optionsOf(name)));
  return path;
}

describe.each(unitNames)('the unit of %s', (name) => {
  test('is one that systemd takes, with no key that it does not know', async () => {
    const { stderr } = await run('systemd-analyze', ['verify', '--man=no', unitFile(name)]);
    expect(stderr.split('\n').filter((line) => line.includes('meshward'))).toEqual([]);
  });

  test('leaves little to whoever breaks in', async () => {
    await run('systemd-analyze', ['security', '--offline=true', `--threshold=${mostExposed}`, unitFile(name)]);
  });

  test('is given longer to end than the service takes', () => {
    expect(Number(/TimeoutStopSec=(\d+)/.exec(renderUnit(name, optionsOf(name)))?.[1])).toBeGreaterThan(35);
  });
});

test('each service is handed the keys that it needs, and no others', () => {
  const handed = (name: UnitName) =>
    [...renderUnit(name, optionsOf(name)).matchAll(/LoadCredential=([^:]+)/g)].map(([, file]) => file);
  expect(handed('collector')).toEqual(['collector.key.pem', 'operators']);
  expect(handed('repairer')).toEqual(['lease-secret']);
  expect(handed('analyzer')).toEqual([]);
  expect(handed('agent')).toEqual([]);
});

test('the command prints units, or writes them and says how they are started', async () => {
  const config = join(folder, 'meshward.yaml');
  writeFileSync(config, 'shutdown: { timeoutMs: 7000 }\n');
  const units = join(folder, 'units');
  mkdirSync(units);
  const printed = await runMeshward(['--config', config, 'service', 'install', 'analyzer']);
  expect(printed.stdout).toContain('TimeoutStopSec=17');
  const written = await runMeshward([
    '--config',
    config,
    'service',
    'install',
    'collector',
    'repairer',
    '--write',
    '--dir',
    units,
  ]);
  expect(written.stdout).toContain('systemctl enable --now meshward-collector.service meshward-repairer.service');
  await run('systemd-analyze', ['verify', '--man=no', join(units, 'meshward-collector.service')]);
});

test.each([
  [['service', 'install', 'analyzer'], 'a unit names its configuration'],
  [['--config', 'CONFIG', 'service', 'install', 'agent'], 'an agent needs --user'],
])('what cannot be a unit is refused: %j', async (words, said) => {
  const config = join(folder, 'empty.yaml');
  writeFileSync(config, '');
  const { exitCode, stderr } = await runMeshward(words.map((word) => (word === 'CONFIG' ? config : word)));
  expect(exitCode).toBe(2);
  expect(stderr).toContain(said);
});
