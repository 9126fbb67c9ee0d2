/** What is lost comes back, by the commands of docs/disaster.md: real services, a real agent, and folders that are really gone. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PeerPorts, reserveBlock } from '#cli/ports.ts';
import { type Ran, tick } from './running-demo.ts';

const mainFile = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'meshward-disaster-'));
const dataDir = join(folder, 'data');
const shares = join(folder, 'storage');
const kept = join(folder, 'backup.jsonl');
let ports: PeerPorts;
let settings: string[];
let mesh: ChildProcess | null = null;
let agent: ChildProcess | null = null;
let collector: string[];
let cap: string;

function spawned(words: readonly string[], environment: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [mainFile, ...words], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function meshward(...words: string[]): Promise<Ran> {
  const child = spawned(['--data-dir', dataDir, ...settings, ...words]);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout as never), text(child.stderr as never)]);
  return { exitCode: await ended, stdout, stderr };
}

async function done(...words: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await meshward(...words);
  expect(exitCode, `${words.join(' ')}\n${stderr}`).toBe(0);
  return stdout;
}

async function start(): Promise<void> {
  const child = spawned(['--data-dir', dataDir, ...settings, 'up']);
  mesh = child;
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (part: Buffer) => (output += part.toString()));
  while (!output.includes('Add a peer')) {
    if (child.exitCode !== null) throw new Error(`the services ended:\n${output.slice(-4000)}`);
    await tick();
  }
}

async function stop(child: ChildProcess | null): Promise<void> {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGTERM');
  await ended;
}

/** It is enrolled already, or brings a token. Its start takes an inventory. */
async function startAgent(token?: string): Promise<void> {
  await stop(agent);
  const words = ['agent', '--shares', shares, ...collector, '--set', 'agent.heartbeatMs=1000'];
  agent = spawned(words, token === undefined ? {} : { MESHWARD_TOKEN: token });
  agent.stdout?.resume();
  agent.stderr?.resume();
}

/** Until the file can be recovered, and health is fresh. */
async function fileShown(): Promise<{ tag: string; recoverableNow: boolean }> {
  for (;;) {
    const { exitCode, stdout } = await meshward('--json', 'file', 'show', cap);
    if (exitCode === 0) {
      const file = JSON.parse(stdout) as { tag: string; recoverableNow: boolean; freshness: { state: string } };
      if (file.freshness.state === 'fresh') return file;
    }
    await tick(300);
  }
}

beforeAll(async () => {
  // Below those that systems take for outgoing connections: services come back to their own.
  ports = await reserveBlock(9000, 9990, 4);
  const [api, collectorPort, ops, repairer] = ports.ports;
  settings = [
    `api.port=${api}`,
    `collector.port=${collectorPort}`,
    `collector.opsPort=${ops}`,
    `repairer.port=${repairer}`,
    'analyzer.manifestPatienceMs=2000',
    'log.sessionTimeoutMs=3000',
  ].flatMap((setting) => ['--set', setting]);
  await start();
  mkdirSync(join(shares, 'shares'), { recursive: true });
  const made = JSON.parse(await done('--json', 'token')) as { token: string; collectorPin: string };
  collector = ['--collector', `https://127.0.0.1:${collectorPort}`, '--pin', made.collectorPin];
  await startAgent(made.token);
  const letter = join(folder, 'letter.txt');
  writeFileSync(letter, 'a letter of more than fifty-five bytes, so that it is no literal cap: it is stored');
  for (;;) {
    const put = await meshward('put', '--coding', '1-of-1', '--happy', '1', '--tag', 'precious', letter);
    cap = /URI:CHK:\S+/.exec(put.stdout)?.[0] ?? '';
    if (put.exitCode === 0) break;
    await tick(300);
  }
  expect(await fileShown()).toMatchObject({ tag: 'precious' });
  await done('backup', 'create', kept);
}, 240_000);

afterAll(async () => {
  await stop(agent);
  await stop(mesh);
  await ports.release();
  rmSync(folder, { recursive: true, force: true });
});

describe('a mesh that has lost', { timeout: 400_000 }, () => {
  it('ClickHouse is rebuilt from the log', async () => {
    expect((await meshward('recover', 'database')).exitCode).toBe(4);
    await stop(mesh);
    rmSync(join(dataDir, 'clickhouse'), { recursive: true });
    await done('recover', 'database');
    await start();
    expect(await fileShown()).toMatchObject({ tag: 'precious', recoverableNow: true });
  });

  it('the log is rebuilt from the backup of enrolments, the old database and inventories', async () => {
    await stop(mesh);
    rmSync(join(dataDir, 'log'), { recursive: true });
    await done('backup', 'restore', kept);
    settings.push('--set', 'clickhouse.database=meshward_next');
    await start();
    expect(await done('recover', 'files', '--database', 'meshward')).toContain('1 files are registered again');
    await done('peer', 'inventory', '--all');
    await startAgent();
    expect(await fileShown()).toMatchObject({ tag: 'precious', recoverableNow: true });
  });

  it('both is rebuilt from the peers alone, and the backup of enrolments', async () => {
    await stop(mesh);
    rmSync(join(dataDir, 'log'), { recursive: true });
    rmSync(join(dataDir, 'clickhouse'), { recursive: true });
    await done('backup', 'restore', kept);
    await start();
    await startAgent();
    // What a share cannot tell is what its owner called it.
    expect(await fileShown()).toMatchObject({ tag: '', recoverableNow: true });
  });
});
