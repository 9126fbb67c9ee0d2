import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runMeshward } from '../testing/run-meshward.ts';

const newFile = (): string => join(mkdtempSync(join(tmpdir(), 'meshward-access-')), 'tokens.json');
const create = (file: string, name: string, role = 'viewer', lifetime = '90d') =>
  runMeshward(['--json', 'access', 'create', '--file', file, '--role', role, '--name', name, '--for', lifetime]);

test('a token is made, listed without its secret, and revoked by its name', async () => {
  const file = newFile();
  const made = await create(file, 'grafana');
  expect(made.exitCode).toBe(0);
  const { token, id } = JSON.parse(made.stdout) as { token: string; id: string };
  expect(token).toContain(id);
  expect(readFileSync(file, 'utf8')).not.toContain(token.slice(-43));

  const again = await create(file, 'grafana');
  expect(again.exitCode).toBe(2);
  const listed = await runMeshward(['access', 'list', '--file', file]);
  expect(listed.stdout).toMatch(/grafana\s+viewer\s+good/);
  expect(listed.stdout).not.toContain(token.slice(-43));

  expect((await runMeshward(['access', 'revoke', 'grafana', '--file', file])).exitCode).toBe(0);
  expect((await runMeshward(['access', 'list', '--file', file])).stdout).toMatch(/grafana\s+viewer\s+revoked/);
  expect((await runMeshward(['access', 'revoke', 'grafana', '--file', file])).exitCode).toBe(3);
  expect((await create(file, 'grafana')).exitCode).toBe(0);
});

test('a role, a name and a lifetime that make no sense are refused', async () => {
  const file = newFile();
  expect((await create(file, 'a', 'admin')).exitCode).toBe(2);
  expect((await create(file, ' \n')).exitCode).toBe(2);
  expect((await create(file, 'a', 'viewer', '0d')).exitCode).toBe(2);
  expect((await create(file, 'a', 'viewer', '99999d')).exitCode).toBe(2);
});

test('no service starts beyond loopback without access, and each says what to set', async () => {
  for (const [service, key] of [
    ['analyzer', 'api.host'],
    ['repairer', 'repairer.host'],
  ] as const) {
    const dataDir = mkdtempSync(join(tmpdir(), 'meshward-access-'));
    const run = await runMeshward(['--data-dir', dataDir, '--set', `${key}=0.0.0.0`, service]);
    expect(run.exitCode).toBe(2);
    expect(run.stderr).toContain(`${key} (flag): is beyond loopback, where anybody could ask: set access.tokensFile`);
  }
});
