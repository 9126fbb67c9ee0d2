import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type StorageIndex, storageIndexFromBytes } from '#mesh/storage-index.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { type Disk, systemDisk } from './disk.ts';
import { lease, leases, secrets, storeShare, upload, uploadSecret } from './example-upload.ts';
import { ownVersion, wholeShareMaxBytes, wholeShareMaxBytesOf } from './message.ts';
import { refusalReason } from './refused-error.ts';
import { type StartedPeer, startPeer, until } from './started-peer.ts';

let started: StartedPeer;
let index: StorageIndex;
const data = randomBytes(1000);
const share = { bytes: data, uploadSecret, ...leases };
beforeEach(async () => {
  index = storageIndexFromBytes(randomBytes(16));
  started = await startPeer();
});
afterEach(() => started.stop());

/** What the request is refused for. */
async function refusal(request: Promise<unknown>): Promise<unknown> {
  return request.then(
    () => 'none',
    (error: unknown) => refusalReason(error),
  );
}

describe('a whole share in one exchange', () => {
  it('is there when it is acknowledged, and told of', async () => {
    expect(await started.peer.putWhole(index, 7, share)).toBe('stored');
    expect(started.events).toEqual([{ kind: 'stored', storageIndex: index, shareNumber: 7, shareBytes: 1000 }]);
    expect(Buffer.from(await started.peer.readAll(index, 7)).equals(data)).toBe(true);
    expect(started.server.stats()).toMatchObject({ sharesStored: 1, shareBytesWritten: 1000 });
  });

  it('makes the same container as an upload in pieces', async () => {
    const clock = new ManualClock();
    const fixed = await startPeer({ clock });
    try {
      await storeShare(fixed.peer, index, 1, data);
      await fixed.peer.putWhole(index, 2, share);
      const [pieces, whole] = await Promise.all(
        [1, 2].map((n) => readFile(join(fixed.folder, 'shares', index.slice(0, 2), index, String(n)))),
      );
      expect(whole?.equals(pieces as Buffer)).toBe(true);
    } finally {
      await fixed.stop();
    }
  });

  it('is left as it is where it was there before', async () => {
    await storeShare(started.peer, index, 3, data);
    expect(await started.peer.putWhole(index, 3, { ...share, bytes: randomBytes(1000) })).toBe('held');
    expect(Buffer.from(await started.peer.readAll(index, 3)).equals(data)).toBe(true);
  });

  it('appears once where two bring it at the same time', async () => {
    const outcomes = await Promise.all([0, 1, 2].map(() => started.peer.putWhole(index, 3, share)));
    expect(outcomes.sort()).toEqual(['held', 'held', 'stored']);
    expect(started.events).toHaveLength(1);
  });

  it('waits for no upload of somebody else, and takes the place of one that was overtaken', async () => {
    const fence = { scope: 's', generation: 1 };
    await started.peer.allocate(index, { shareNumbers: [4], allocatedBytes: 1000, ...share, fence });
    expect(await refusal(started.peer.putWhole(index, 4, share))).toBe('conflict');
    expect(await started.peer.putWhole(index, 4, { ...share, fence: { scope: 's', generation: 2 } })).toBe('stored');
    expect(started.server.stats().uploadsInProgress).toBe(0);
    await expect(started.peer.putWhole(index, 5, { ...share, fence })).rejects.toMatchObject({
      details: { reason: 'fenced' },
    });
    expect(await started.peer.listShares(index)).toEqual(new Set([4]));
  });

  it('is refused where there is no room, and where it is too long to be held in memory', async () => {
    const full = await startPeer({ disk: { ...systemDisk, freeBytes: () => Promise.resolve(0) } });
    try {
      expect(await refusal(full.peer.putWhole(index, 0, share))).toBe('no-space');
    } finally {
      await full.stop();
    }
    started.server.configure({ readOnly: true });
    expect(await refusal(started.peer.putWhole(index, 0, share))).toBe('no-space');
    started.server.configure({ readOnly: false });
    const tooLong = { ...share, bytes: new Uint8Array(wholeShareMaxBytes + 1) };
    await expect(started.peer.putWhole(index, 0, tooLong)).rejects.toMatchObject({ details: { status: 413 } });
    const busy = await startPeer({ limits: { maxWholeShareBytes: 10 } });
    try {
      expect(await refusal(busy.peer.putWhole(index, 0, share))).toBe('busy');
    } finally {
      await busy.stop();
    }
  });

  it('leaves nothing behind when its body breaks off', async () => {
    const cut = started.raw('PUT', `/meshward/v1/whole/${index}/1`, {
      headers: { [secrets]: [...lease, upload], 'content-length': '1000' },
      body: data.subarray(0, 10),
    });
    await expect(cut).rejects.toThrow();
    await until(() => started.server.stats().openFiles === 0);
    expect(await started.peer.listShares(index)).toEqual(new Set());
  });
});

describe('shares that come together', () => {
  it('are acknowledged after the sync that they were in, files before names', async () => {
    const order: string[] = [];
    const names = new Map<number, string>();
    const disk: Disk = {
      ...systemDisk,
      async open(path, flags, mode) {
        const fd = await systemDisk.open(path, flags, mode);
        names.set(fd, path.includes('/incoming/') ? 'file' : 'folder');
        return fd;
      },
      async sync(fd) {
        order.push(names.get(fd) ?? '');
        await systemDisk.sync(fd);
      },
      async rename(from, to) {
        order.push('rename');
        await systemDisk.rename(from, to);
      },
    };
    const peer = await startPeer({ disk });
    try {
      order.length = 0;
      await peer.peer.putWhole(index, 0, share).then(() => order.push('acknowledged'));
      expect(order[0]).toBe('file');
      expect(order[1]).toBe('rename');
      expect(order.slice(2, -1).every((what) => what === 'folder')).toBe(true);
      expect(order.at(-1)).toBe('acknowledged');
    } finally {
      await peer.stop();
    }
  });

  it('are not acknowledged where the sync failed, and the others of the turn are', async () => {
    let failing = false;
    const disk: Disk = {
      ...systemDisk,
      async sync(fd) {
        if (failing) throw Object.assign(new Error('the disk is gone'), { code: 'EIO' });
        await systemDisk.sync(fd);
      },
    };
    const peer = await startPeer({ disk });
    try {
      failing = true;
      expect(await refusal(peer.peer.putWhole(index, 0, share))).toBe('failed');
      failing = false;
      expect(await peer.peer.putWhole(index, 1, share)).toBe('stored');
      expect(peer.events).toHaveLength(1);
    } finally {
      await peer.stop();
    }
  });
});

it('a version tells how long the shares may be that are taken whole', () => {
  const of = (applicationVersion: string) =>
    wholeShareMaxBytesOf({ applicationVersion, availableBytes: 0, maximumShareBytes: 0 });
  const versions = [ownVersion, 'meshward/0.3', 'meshward/1.0', 'meshward/0.12'];
  expect(versions.map(of)).toEqual(versions.map(() => wholeShareMaxBytes));
  expect(of('meshward/0.2')).toBe(1024 * 1024);
  expect(['meshward/0.1', 'tahoe-lafs/1.20.0', '', 'meshward/x', 'meshward/0'].map(of)).toEqual([0, 0, 0, 0, 0]);
});
