import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import { connectStore } from '#store/client.ts';
import { migrate } from '#store/migrations/apply.ts';
import { text } from '#store/row-binary/columns.ts';
import { runClickHouse } from './clickhouse-process.ts';

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => {
    probe.listen(0, '127.0.0.1', resolve);
  });
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => {
    probe.close(resolve);
  });
  return port;
}

test('the embedded server stands on the configured port and has a reader, who reads the mesh and can do nothing else', async () => {
  await using cleanUp = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'meshward-reader-'));
  cleanUp.defer(() => rm(folder, { recursive: true, force: true }));
  const directory = join(folder, 'clickhouse');
  const httpPort = await freePort();
  const server = await runClickHouse({
    directory,
    memoryBytes: 512 * 1024 ** 2,
    httpPort,
    reader: { database: 'mesh', passwordFile: '' },
    clock: systemClock,
    note: () => undefined,
  });
  cleanUp.defer(() => server.stop());
  expect(server.url).toBe(`http://127.0.0.1:${httpPort}`);
  const connect = async (username: string, file: string) => {
    const password = (await readFile(join(directory, file), 'utf8')).trim();
    const store = connectStore({ urls: [server.url], username, password, database: 'mesh' });
    cleanUp.defer(() => store.close());
    return store;
  };
  const owner = await connect(server.username, 'password');
  await migrate({ store: owner, topology: { kind: 'single' }, clock: systemClock, holder: 'test' });
  const reader = await connect('reader', 'reader-password');
  expect((await stat(join(directory, 'reader-password'))).mode & 0o777).toBe(0o600);
  expect(await reader.select({ files: text }, 'SELECT toString(count()) FROM mesh.files')).toEqual([{ files: '0' }]);
  for (const sql of [
    'INSERT INTO mesh.partition_owners VALUES (1, 1, 1, 1)',
    'TRUNCATE TABLE mesh.files',
    'CREATE TABLE mesh.mine (x UInt8) ENGINE = Memory',
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    'SELECT * FROM system.users',
  ])
    await expect(reader.command(sql), sql).rejects.toThrow();
});
