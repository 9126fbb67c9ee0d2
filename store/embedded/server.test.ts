import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { buildLauncher } from './build-launcher.js';
import { type EmbeddedClickHouse, type EmbeddedOptions, startEmbeddedClickHouse } from './server.ts';

let directory: string;
let servers: EmbeddedClickHouse[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'meshward-clickhouse-'));
  servers = [];
});
afterEach(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  await rm(directory, { recursive: true, force: true });
});

async function start(options: Partial<EmbeddedOptions> = {}): Promise<EmbeddedClickHouse> {
  const server = await startEmbeddedClickHouse({ directory, ...options });
  servers.push(server);
  return server;
}

/** A kept connection would hold up the stop. */
const closing = { headers: { connection: 'close' } };

interface Answer {
  readonly status: number;
  readonly text: string;
}

async function ask(url: string, sql: string, username: string, password: string): Promise<Answer> {
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const response = await fetch(url, { method: 'POST', body: sql, headers: { authorization, connection: 'close' } });
  return { status: response.status, text: (await response.text()).trim() };
}

describe('the embedded server', () => {
  test('answers only to its user, keeps its password to itself, and stops with nothing left behind', async () => {
    const server = await start();
    expect(await ask(server.url, 'SELECT currentUser()', server.username, server.password)).toEqual({
      status: 200,
      text: 'meshward',
    });
    expect(await ask(server.url, 'SELECT 1', 'meshward', 'wrong')).toMatchObject({ status: 403 });
    expect(await ask(server.url, 'SELECT 1', 'default', '')).toMatchObject({ status: 403 });
    expect(await fetch(`${server.url}/?query=SELECT%201`, closing)).toMatchObject({ status: 403 });
    expect(await fetch(`${server.url}/?query=SELECT%201&user=default`, closing)).toMatchObject({ status: 403 });
    for (const file of ['password', 'users.xml', 'config.xml']) {
      expect((await stat(join(directory, file))).mode & 0o777).toBe(0o600);
    }
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect(execFileSync('ps', ['-o', 'args=', '-p', String(server.pid)], { encoding: 'utf8' })).not.toContain(
      server.password,
    );
    await server.stop();
    expect(await server.exited).toMatchObject({ exitCode: 0 });
    expect(() => process.kill(server.pid, 0)).toThrow('ESRCH');
  });

  test('keeps data and password over a stop and over kill -9', async () => {
    const first = await start();
    await ask(first.url, 'CREATE DATABASE kept ENGINE = Atomic', first.username, first.password);
    await ask(
      first.url,
      'CREATE TABLE kept.rows (n UInt64) ENGINE = MergeTree ORDER BY n',
      first.username,
      first.password,
    );
    await ask(first.url, 'INSERT INTO kept.rows SELECT number FROM numbers(1000)', first.username, first.password);
    await first.stop();
    const second = await start();
    expect(second.password).toBe(first.password);
    await ask(
      second.url,
      'INSERT INTO kept.rows SELECT 1000 + number FROM numbers(1000)',
      second.username,
      second.password,
    );
    process.kill(second.pid, 'SIGKILL');
    expect(await second.exited).toMatchObject({ signal: 'SIGKILL' });
    const third = await start();
    expect(
      await ask(third.url, 'SELECT uniqExact(n), count() FROM kept.rows', third.username, third.password),
    ).toMatchObject({ text: '2000\t2000' });
  });

  test('names the port that is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    await expect(start({ httpPort: port })).rejects.toMatchObject({
      code: 'clickhouse-start',
      message: expect.stringContaining(`127.0.0.1:${port} is taken`),
      next: expect.stringContaining('another port'),
    });
    other.close();
  });

  test('refuses a directory that another server uses', async () => {
    await start();
    await expect(start()).rejects.toMatchObject({
      code: 'clickhouse-start',
      message: expect.stringContaining('another ClickHouse runs on'),
    });
  });

  test('is gone when its start is given up', async () => {
    const giveUp = new AbortController();
    const starting = start({ signal: giveUp.signal, log: () => undefined });
    giveUp.abort();
    await expect(starting).rejects.toMatchObject({});
    const again = await start();
    expect(await ask(again.url, 'SELECT 1', again.username, again.password)).toMatchObject({ text: '1' });
  });

  test('ends with its parent, however that one ends', async () => {
    const script = `import { startEmbeddedClickHouse } from ${JSON.stringify(new URL('server.ts', import.meta.url).href)};
      const server = await startEmbeddedClickHouse({ directory: ${JSON.stringify(directory)} });
      process.stdout.write(String(server.pid) + '\\n');
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(parent.stdout.setEncoding('utf8'), 'data')) as [string];
    const pid = Number(line.trim());
    expect(() => process.kill(pid, 0)).not.toThrow();
    parent.kill('SIGKILL');
    await expect.poll(() => isAlive(pid), { timeout: 20_000 }).toBe(false);
  });
});

test('the launcher is built once, and says what is missing where no compiler is', async () => {
  const path = await buildLauncher({ folder: directory });
  const built = await readFile(path);
  expect(await Promise.all([buildLauncher({ folder: directory }), buildLauncher({ folder: directory })])).toEqual([
    path,
    path,
  ]);
  expect((await readFile(path)).equals(built)).toBe(true);
  await expect(buildLauncher({ folder: join(directory, 'none'), compiler: 'no-such-compiler' })).rejects.toThrow(
    'no-such-compiler',
  );
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
