/** What disks and crashes do to uploads: a share is there whole or not at all. */
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { storageIndexFromBytes } from '#mesh/storage-index.ts';
import { createStorageClient } from './client.ts';
import { type Disk, systemDisk } from './disk.ts';
import { type StartedPeer, startPeer } from './started-peer.ts';

const index = storageIndexFromBytes(randomBytes(16));
const uploadSecret = new Uint8Array(20).fill(3);
const given = { uploadSecret, renewSecret: new Uint8Array(32).fill(1), cancelSecret: new Uint8Array(32).fill(2) };

const cleanUps: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

describe('a crash', () => {
  it('by kill -9 amid uploads leaves finished shares, and nothing of the others once the server is back', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'meshward-kill-'));
    cleanUps.push(() => rm(folder, { recursive: true, force: true }));
    const program = `
      import { createPeerIdentity } from '#tahoe/identity/key-folder.ts';
      import { createStorageServer } from '#tahoe/gbs/server.ts';
      const server = await createStorageServer({ shareFolder: ${JSON.stringify(folder)}, identity: await createPeerIdentity(), swissnum: 'abc' });
      console.log(server.nurl.revealText());`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    cleanUps.push(() => void child.kill('SIGKILL'));
    const [nurl] = (await once(createInterface(child.stdout), 'line')) as [string];
    const client = createStorageClient();
    cleanUps.push(() => client.close());
    const peer = client.peer(nurl);
    const data = randomBytes(300_000);
    await peer.allocate(index, { shareNumbers: [1, 2, 3], allocatedBytes: data.length, ...given });
    await peer.write(index, 1, 0, data, uploadSecret);
    await peer.write(index, 2, 0, data.subarray(0, 299_999), uploadSecret);
    await peer.write(index, 3, 1, data.subarray(1), uploadSecret);
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    expect(await filesBelow(join(folder, 'shares/incoming'))).toHaveLength(2);
    await expect(peer.listShares(index)).rejects.toMatchObject({ code: 'gbs-unreachable', retryable: true });

    const back = await startPeer({ shareFolder: folder });
    cleanUps.push(() => back.stop());
    expect(await filesBelow(join(folder, 'shares'))).toEqual(['1']);
    expect(await back.peer.listShares(index)).toEqual(new Set([1]));
    expect(Buffer.from(await back.peer.readAll(index, 1)).equals(data)).toBe(true);
    await expect(back.peer.write(index, 2, 299_999, data.subarray(299_999), uploadSecret)).rejects.toMatchObject({
      details: { status: 404 },
    });
  });
});

/** A file system that is really full where this user may mount one, and one that says so elsewhere. */
async function smallDisk(): Promise<{
  folder: string;
  disk: Disk;
  fill: () => Promise<void>;
  free: () => Promise<void>;
}> {
  const folder = await mkdtemp(join(tmpdir(), 'meshward-full-'));
  cleanUps.push(() => rm(folder, { recursive: true, force: true }));
  const ballast = join(folder, 'ballast');
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    let isFull = false;
    const disk: Disk = {
      ...systemDisk,
      write: (fd, parts, position) =>
        isFull
          ? Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' }))
          : systemDisk.write(fd, parts, position),
      freeBytes: () => Promise.resolve(2 * 1024 * 1024),
    };
    const set = (value: boolean) => () => {
      isFull = value;
      return Promise.resolve();
    };
    return { folder, disk, fill: set(true), free: set(false) };
  }
  cleanUps.push(() => void execFileSync('umount', [folder]));
  return {
    folder,
    disk: systemDisk,
    fill: () => writeFile(ballast, Buffer.alloc(4 * 1024 * 1024)).catch(() => undefined), // up to the last byte
    free: () => rm(ballast),
  };
}

describe('a full disk', () => {
  it('is foreseen where it can be, and otherwise told as no-space; the upload goes on when there is space again', async () => {
    const { folder, disk, fill, free } = await smallDisk();
    const started = await startPeer({ shareFolder: folder, disk, limits: { reservedDiskBytes: 0 } });
    cleanUps.push(() => Promise.all([started.client.close(), started.server.close(0)]).then(() => undefined));
    const data = randomBytes(900_000);
    const { allocated } = await started.peer.allocate(index, {
      shareNumbers: [1, 2, 3, 4],
      allocatedBytes: data.length,
      ...given,
    });
    expect(allocated).toEqual(new Set([1, 2])); // what is promised to these two leaves no room for a third
    await fill();
    await expect(started.peer.write(index, 1, 0, data, uploadSecret)).rejects.toMatchObject({
      code: 'gbs-refused',
      retryable: true,
      details: { status: 507, reason: 'no-space' },
    });
    expect(await started.peer.listShares(index)).toEqual(new Set());
    expect(started.failures).toHaveLength(1);
    await free();
    expect((await started.peer.write(index, 1, 0, data, uploadSecret)).isComplete).toBe(true);
    expect(Buffer.from(await started.peer.readAll(index, 1)).equals(data)).toBe(true);
  });
});

describe('a failing disk', () => {
  const failing = (broken: Partial<Disk>): Disk => ({ ...systemDisk, ...broken });
  const failure = (): Promise<never> => Promise.reject(Object.assign(new Error('input/output error'), { code: 'EIO' }));

  async function upload(started: StartedPeer): Promise<void> {
    await started.peer.allocate(index, { shareNumbers: [1], allocatedBytes: 10, ...given });
    await started.peer.write(index, 1, 0, new Uint8Array(10), uploadSecret);
  }

  it.each([
    ['sync', failing({ sync: failure })],
    ['rename', failing({ rename: failure })],
    ['write', failing({ write: failure })],
  ])('that cannot %s acknowledges nothing and shows nothing', async (_what, disk) => {
    const started = await startPeer({ disk });
    cleanUps.push(() => started.stop());
    await expect(upload(started)).rejects.toMatchObject({
      code: 'gbs-refused',
      details: { status: 500, reason: 'failed' },
    });
    expect(await started.peer.listShares(index)).toEqual(new Set());
    expect(started.events).toEqual([]);
    expect(started.failures).toHaveLength(1);
  });

  it('syncs the share before it is renamed, and the names of new folders after', async () => {
    const calls: string[] = [];
    const paths = new Map<number, string>();
    const started = await startPeer({
      disk: failing({
        async open(path, flags, mode) {
          const fd = await systemDisk.open(path, flags, mode);
          paths.set(fd, path);
          return fd;
        },
        sync(fd) {
          calls.push(`sync ${paths.get(fd)}`);
          return systemDisk.sync(fd);
        },
        rename(from, to) {
          calls.push(`rename ${to}`);
          return systemDisk.rename(from, to);
        },
      }),
    });
    cleanUps.push(() => started.stop());
    await upload(started);
    const shares = join(started.folder, 'shares');
    const prefix = join(shares, index.slice(0, 2));
    expect(calls).toEqual([
      `sync ${join(shares, 'incoming', `${index}-1`)}`,
      `rename ${join(prefix, index, '1')}`,
      `sync ${join(prefix, index)}`,
      `sync ${prefix}`,
      `sync ${shares}`,
    ]);
    expect((await readFile(join(prefix, index, '1'))).length).toBe(12 + 10 + 72);
  });
});
