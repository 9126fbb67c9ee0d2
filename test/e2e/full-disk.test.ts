/** A machine whose log has no room: services that are killed start again, say what is wrong, serve what they know, and go on by themselves. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { FileAnswerBody, MeshAnswer } from '#analyzer/api/schemas.ts';
import { fillDisk, mountSmallDisk, smallDisks } from '../setup/small-disks.ts';
import { RunningDemo, tick } from './running-demo.ts';

interface Ready {
  readonly ready: boolean;
  readonly reasons: readonly string[];
}

interface PeerList {
  readonly freshness: { readonly state: string };
  readonly peers: readonly { readonly name: string; readonly state: string }[];
}

async function get(url: string, path: string): Promise<{ readonly status: number; readonly body: unknown }> {
  const response = await fetch(new URL(path, url), { signal: AbortSignal.timeout(5_000) });
  return { status: response.status, body: await response.json() };
}

const ready = async (url: string) => {
  const { status, body } = await get(url, '/readyz');
  return { status, ...(body as Ready) };
};
const peersOf = async (url: string) => (await get(url, '/v1/peers')).body as PeerList;
const fileOf = async (url: string, index: string) => (await get(url, `/v1/files/${index}`)).body as FileAnswerBody;

/** How many rows the database has by now. */
async function stored({ dataDir }: RunningDemo, url: string, table: string): Promise<number> {
  const password = (await readFile(join(dataDir, 'clickhouse', 'password'), 'utf8')).trim();
  const authorization = `Basic ${Buffer.from(`meshward:${password}`).toString('base64')}`;
  const asked = new URL(`/?query=${encodeURIComponent(`SELECT count() FROM meshward.${table}`)}`, url);
  return Number(await (await fetch(asked, { headers: { authorization } })).text());
}

async function until(what: string, look: () => Promise<boolean>): Promise<void> {
  let last: unknown;
  for (const endMs = Date.now() + 180_000; Date.now() < endMs; await tick(200)) {
    const isSo = await look().catch((error: unknown) => {
      last = error;
      return false;
    });
    if (isSo) return;
  }
  throw new Error(`${what} did not come`, { cause: last });
}

async function folder(name: string): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), `meshward-${name}-`));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

describe.each(smallDisks('24m'))('with a log on a disk of %s that is full', (size) => {
  it('services that were killed start again and serve what they know; with room all goes on', {
    timeout: 600_000,
  }, async () => {
    const log = await folder('log');
    onTestFinished(mountSmallDisk(log, size));
    const settings = [
      '--set',
      `log.directory=${log}`,
      '--set',
      'log.shareEventsPartitions=2',
      '--set',
      'analyzer.flushIntervalMs=500',
    ];
    await using mesh = await RunningDemo.start(...settings, 'up');
    await mesh.says('pin ');
    const run = mesh.run();
    const urls = [run.apiUrl, run.collectorOpsUrl, run.repairerUrl];
    const enrolled = await mesh.meshward(...settings, '--json', 'token');
    const { token } = JSON.parse(enrolled.stdout) as { token: string };
    await using agent = await RunningDemo.start(
      '--set',
      'agent.heartbeatMs=500',
      '--set',
      'agent.opsPort=0',
      'agent',
      '--shares',
      await folder('shares'),
      '--collector',
      run.collectorUrl,
      '--pin',
      run.collectorPin,
      '--token',
      token,
    );
    await agent.says('agent has started');
    await until('the peer', async () => (await peersOf(run.apiUrl)).peers[0]?.state === 'up');
    const note = join(await folder('files'), 'note');
    await writeFile(note, 'x'.repeat(3000));
    let index = '';
    await until('the file', async () => {
      const { exitCode, stdout } = await mesh.meshward('--json', 'put', '--coding', '1-of-1', note);
      if (exitCode !== 0) return false;
      index = (JSON.parse(stdout) as { files: [{ storageIndex: string }] }).files[0].storageIndex;
      return true;
    });
    const file = () => fileOf(run.apiUrl, index);
    await until('the health of the file', async () => (await file()).available === 1);
    for (const table of ['placements', 'peer_lives', 'margin_history'])
      await until(`rows in ${table}`, async () => (await stored(mesh, run.clickhouseUrl, table)) > 0);

    const makeRoom = fillDisk(log);
    for (const [name, pid] of mesh.services()) if (name !== 'clickhouse') process.kill(pid, 'SIGKILL');
    for (const url of urls) {
      await until(`${url} says why`, async () => {
        const { status, reasons } = await ready(url);
        return status === 503 && reasons.some((reason) => reason.includes('no room for the log'));
      });
    }
    // What the database knows: the peer, and the file with its health.
    await until('the peer again', async () => (await peersOf(run.apiUrl)).peers.length === 1);
    expect(await peersOf(run.apiUrl)).toMatchObject({ peers: [{ state: 'up' }], freshness: { state: 'stale' } });
    expect(await file()).toMatchObject({ available: 1, freshness: { state: 'stale' } });
    const figures = async () => (await get(run.apiUrl, '/v1/mesh')).body as MeshAnswer;
    expect(await figures()).toMatchObject({ files: 1, bytes: 3000, freshness: { state: 'stale' } });
    expect((await mesh.meshward('status')).stdout).toMatch(/files +1, 2\.93 KiB, as the sweep of /);
    expect((await get(run.apiUrl, '/livez')).status).toBe(200);
    const doctor = await mesh.meshward(...settings, 'doctor');
    expect(doctor.exitCode).toBe(4);
    expect(doctor.stderr).toMatch(/FAILED {3}analyzer: .*no room for the log/);
    expect(doctor.stderr).toMatch(/FAILED {3}collector: is not ready: .*no room for the log/);
    expect((await mesh.meshward('token')).exitCode).toBe(4);

    makeRoom();
    for (const url of urls) await until(`${url} goes on`, async () => (await ready(url)).ready);
    await until('fresh health', async () => (await file()).freshness.state === 'fresh');
    expect((await peersOf(run.apiUrl)).peers).toMatchObject([{ state: 'up' }]);
  });
});
