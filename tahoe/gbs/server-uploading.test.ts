import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type StorageIndex, storageIndexFromBytes } from '#mesh/storage-index.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { leaseBytes } from '../share/container.ts';
import { allocateBody, cbor, lease, leases, secrets, storeShare, upload, uploadSecret } from './example-upload.ts';
import * as message from './message.ts';
import { type StartedPeer, startPeer, until } from './started-peer.ts';

let started: StartedPeer;
let index: StorageIndex;
let path: string;
beforeEach(async () => {
  index = storageIndexFromBytes(randomBytes(16));
  path = `/storage/v1/immutable/${index}`;
  started = await startPeer();
});
afterEach(() => started.stop());

const store = (shareNumber: number, data: Uint8Array): Promise<void> =>
  storeShare(started.peer, index, shareNumber, data);

describe('uploading', () => {
  const data = randomBytes(1000);

  it('shows a share when its last byte came, and tells so', async () => {
    const given = { shareNumbers: [0, 7], allocatedBytes: 1000, uploadSecret, ...leases };
    expect(await started.peer.allocate(index, given)).toEqual({ alreadyHave: new Set(), allocated: new Set([0, 7]) });
    expect(await started.peer.write(index, 7, 600, data.subarray(600), uploadSecret)).toEqual({
      isComplete: false,
      required: [{ begin: 0, end: 600 }],
    });
    expect(await started.peer.listShares(index)).toEqual(new Set());
    expect(started.events).toEqual([]);
    expect((await started.peer.write(index, 7, 0, data.subarray(0, 600), uploadSecret)).isComplete).toBe(true);
    expect(started.events).toEqual([{ kind: 'stored', storageIndex: index, shareNumber: 7, shareBytes: 1000 }]);
    expect(Buffer.from(await started.peer.readAll(index, 7)).equals(data)).toBe(true);
    expect(await started.peer.allocate(index, given)).toEqual({ alreadyHave: new Set([7]), allocated: new Set([0]) });
  });

  it('writes the same container however the bytes came', async () => {
    const clock = new ManualClock();
    const fixed = await startPeer({ clock });
    try {
      await fixed.peer.allocate(index, { shareNumbers: [1, 2], allocatedBytes: 1000, uploadSecret, ...leases });
      await fixed.peer.write(index, 1, 0, data, uploadSecret);
      for (const at of [300, 0, 900, 600])
        await fixed.peer.write(index, 2, at, data.subarray(at, Math.min(1000, at + 310)), uploadSecret);
      const [whole, pieces] = await Promise.all(
        [1, 2].map((n) => readFile(join(fixed.folder, 'shares', index.slice(0, 2), index, String(n)))),
      );
      expect(whole).toHaveLength(12 + 1000 + leaseBytes);
      expect(pieces?.equals(whole as Buffer)).toBe(true);
    } finally {
      await fixed.stop();
    }
  });

  it('takes long bodies in pieces', async () => {
    await store(9, randomBytes(3_000_001));
    expect(started.server.stats()).toMatchObject({
      shareBytesWritten: 3_000_001,
      sharesStored: 1,
      uploadsInProgress: 0,
    });
  });

  it('401 for another upload secret, 404 for no upload, 405 to abort what is complete', async () => {
    await started.peer.allocate(index, { shareNumbers: [1], allocatedBytes: 1000, uploadSecret, ...leases });
    const other = new Uint8Array(20).fill(9);
    await expect(started.peer.write(index, 1, 0, data, other)).rejects.toMatchObject({ code: 'gbs-unauthorized' });
    await expect(started.peer.abort(index, 1, other)).rejects.toMatchObject({ code: 'gbs-unauthorized' });
    await expect(started.peer.write(index, 2, 0, data, uploadSecret)).rejects.toMatchObject({
      details: { status: 404 },
    });
    await expect(started.peer.abort(index, 2, uploadSecret)).rejects.toMatchObject({ details: { status: 404 } });
    await started.peer.write(index, 1, 0, data, uploadSecret);
    await expect(started.peer.abort(index, 1, uploadSecret)).rejects.toMatchObject({
      details: { status: 405, reason: 'complete' },
    });
  });

  it('416 and 400 for ranges and bodies that do not fit', async () => {
    await started.peer.allocate(index, { shareNumbers: [1], allocatedBytes: 1000, uploadSecret, ...leases });
    const patch = (range: string | undefined, body: Uint8Array) =>
      started.raw('PATCH', `${path}/1`, {
        headers: {
          accept: message.cborType,
          [secrets]: [upload],
          ...(range === undefined ? {} : { 'content-range': range }),
        },
        body,
      });
    for (const range of [undefined, 'bytes */1000', 'bytes 5-4/*', 'bytes 990-1000/*', 'lines 0-4/*']) {
      expect((await patch(range, data.subarray(0, 5))).status).toBe(416);
    }
    expect((await patch('bytes 0-9/*', data.subarray(0, 5))).status).toBe(400);
    expect((await patch('bytes 0-9/*', data.subarray(0, 50))).status).toBe(400);
    expect((await patch('bytes 0-999/1000', data)).status).toBe(201);
  });

  it('409 for other bytes where some are, and the same bytes again are welcome', async () => {
    await started.peer.allocate(index, { shareNumbers: [1], allocatedBytes: 1000, uploadSecret, ...leases });
    await started.peer.write(index, 1, 100, data.subarray(100, 500), uploadSecret);
    await expect(started.peer.write(index, 1, 400, randomBytes(200), uploadSecret)).rejects.toMatchObject({
      details: { status: 409, reason: 'conflict' },
    });
    expect((await started.peer.write(index, 1, 100, data.subarray(100, 600), uploadSecret)).required).toEqual([
      { begin: 0, end: 100 },
      { begin: 600, end: 1000 },
    ]);
    expect((await started.peer.write(index, 1, 0, data, uploadSecret)).isComplete).toBe(true);
    expect(Buffer.from(await started.peer.readAll(index, 1)).equals(data)).toBe(true);
  });

  it('leaves one of many uploaders of a share to it', async () => {
    const uploaders = Array.from({ length: 12 }, (_, i) => new Uint8Array(20).fill(i + 50));
    const won = await Promise.all(
      uploaders.map(async (secret) => {
        const { allocated } = await started.peer.allocate(index, {
          shareNumbers: [1],
          allocatedBytes: 1000,
          uploadSecret: secret,
          ...leases,
        });
        return allocated.has(1) ? secret : null;
      }),
    );
    const winners = won.filter((secret) => secret !== null);
    expect(winners).toHaveLength(1);
    // The same piece from one uploader over several connections at once completes the share once.
    const results = await Promise.allSettled(
      Array.from({ length: 4 }, () => started.peer.write(index, 1, 0, data, winners[0] as Uint8Array)),
    );
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
    expect(started.events).toHaveLength(1);
  });

  it('refuses malformed allocations', async () => {
    const headers = { ...cbor, [secrets]: [...lease, upload] };
    for (const body of [
      new Uint8Array(0),
      Buffer.from('rubbish'),
      new Uint8Array(5000).fill(0x81),
      allocateBody([1], 0),
    ]) {
      expect((await started.raw('POST', path, { headers, body })).status).toBe(400);
    }
    expect((await started.raw('POST', path, { headers, body: new Uint8Array(100_000) })).status).toBe(413);
  });

  it('allocates nothing when read-only, full of uploads, or larger than the disk', async () => {
    const nothing = { alreadyHave: new Set(), allocated: new Set() };
    const given = { shareNumbers: [1, 2, 3], allocatedBytes: 1000, uploadSecret, ...leases };
    started.server.configure({ readOnly: true });
    expect(await started.peer.allocate(index, given)).toEqual(nothing);
    expect(await started.peer.version()).toMatchObject({ availableBytes: 0, maximumShareBytes: 0 });
    started.server.configure({ readOnly: false });
    expect(await started.peer.allocate(index, { ...given, allocatedBytes: 2 ** 52 })).toEqual(nothing);
    const narrow = await startPeer({ limits: { maxUploads: 2 } });
    try {
      expect((await narrow.peer.allocate(index, given)).allocated.size).toBe(2);
    } finally {
      await narrow.stop();
    }
  });

  it('forgets an upload after half an hour of silence, counted from its last bytes', async () => {
    const clock = new ManualClock();
    const aging = await startPeer({ clock });
    try {
      await aging.peer.allocate(index, { shareNumbers: [1], allocatedBytes: 1000, uploadSecret, ...leases });
      clock.advanceSync(29 * 60_000);
      await aging.peer.write(index, 1, 0, data.subarray(0, 500), uploadSecret);
      clock.advanceSync(29 * 60_000);
      expect(aging.server.stats().uploadsInProgress).toBe(1);
      clock.advanceSync(2 * 60_000);
      await until(async () => (await readdir(join(aging.folder, 'shares/incoming'))).length === 0);
      await expect(aging.peer.write(index, 1, 500, data.subarray(500), uploadSecret)).rejects.toMatchObject({
        details: { status: 404 },
      });
      expect(
        (await aging.peer.allocate(index, { shareNumbers: [1], allocatedBytes: 1000, uploadSecret, ...leases }))
          .allocated.size,
      ).toBe(1);
    } finally {
      await aging.stop();
    }
  });

  it('resumes a half upload by what is still required', async () => {
    const given = { shareNumbers: [1], allocatedBytes: 1000, uploadSecret, ...leases };
    await started.peer.allocate(index, given);
    await started.peer.write(index, 1, 0, data.subarray(0, 10), uploadSecret);
    expect((await started.peer.allocate(index, given)).allocated).toEqual(new Set([1]));
    const { required } = await started.peer.write(index, 1, 0, data.subarray(0, 1), uploadSecret);
    for (const { begin, end } of required)
      await started.peer.write(index, 1, begin, data.subarray(begin, end), uploadSecret);
    expect(Buffer.from(await started.peer.readAll(index, 1)).equals(data)).toBe(true);
  });
});
