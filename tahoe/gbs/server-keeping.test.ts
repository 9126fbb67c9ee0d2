import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type StorageIndex, storageIndexFromBytes } from '#mesh/storage-index.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { leaseBytes } from '../share/container.ts';
import { allocateBody, cbor, lease, leases, secrets, storeShare, upload, uploadSecret } from './example-upload.ts';
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

function shareFile(shareNumber: number): string {
  return join(started.folder, 'shares', index.slice(0, 2), index, String(shareNumber));
}

describe('leases and advisories', () => {
  it('renews the lease of the same secrets and adds one for others, beside the share data', async () => {
    const data = randomBytes(500);
    await store(1, data);
    await started.peer.renewLease(index, leases);
    expect(await readFile(shareFile(1))).toHaveLength(12 + 500 + leaseBytes);
    const others = { renewSecret: new Uint8Array(32).fill(8), cancelSecret: new Uint8Array(32).fill(9) };
    await Promise.all([
      started.peer.renewLease(index, others),
      started.peer.renewLease(index, others),
      started.peer.renewLease(index, leases),
    ]);
    const file = await readFile(shareFile(1));
    expect(file).toHaveLength(12 + 500 + 2 * leaseBytes);
    expect(file.readUInt32BE(8)).toBe(2);
    expect(file.subarray(12, 512).equals(data)).toBe(true);
    expect(Buffer.from(await started.peer.readAll(index, 1)).equals(data)).toBe(true);
  });

  it('does not let leases fill the disk', async () => {
    await store(1, randomBytes(10));
    for (let i = 0; i < 40; i++)
      await started.peer.renewLease(index, {
        renewSecret: new Uint8Array(32).fill(100 + i),
        cancelSecret: leases.cancelSecret,
      });
    expect((await readFile(shareFile(1))).readUInt32BE(8)).toBe(32);
  });

  it('404 to renew leases of an unknown file', async () => {
    await expect(started.peer.renewLease(index, leases)).rejects.toMatchObject({ details: { status: 404 } });
  });

  it('keeps corruption advisories, a bounded number of them', async () => {
    const bounded = await startPeer({ limits: { maxAdvisories: 3 } });
    try {
      await expect(bounded.peer.reportCorruption(index, 1, 'block 7')).rejects.toMatchObject({
        details: { status: 404 },
      });
      await bounded.peer.allocate(index, { shareNumbers: [1], allocatedBytes: 10, uploadSecret, ...leases });
      await bounded.peer.write(index, 1, 0, new Uint8Array(10), uploadSecret);
      for (let i = 0; i < 5; i++) await bounded.peer.reportCorruption(index, 1, `block ${i} ${'ü'.repeat(40_000)}`);
      const files = await readdir(join(bounded.folder, 'corruption-advisories'));
      expect(files).toHaveLength(3);
      expect(await readFile(join(bounded.folder, 'corruption-advisories', files[0] as string), 'utf8')).toContain(
        `storage_index: ${index}`,
      );
      expect(bounded.server.stats().advisoriesDropped).toBe(2);
      expect(bounded.events.at(-1)).toEqual({ kind: 'corruption-reported', storageIndex: index, shareNumber: 1 });
    } finally {
      await bounded.stop();
    }
  });
});

describe('fencing', () => {
  const given = { shareNumbers: [1], allocatedBytes: 10, uploadSecret, ...leases };
  const fenced = { code: 'gbs-refused', retryable: false, details: { status: 409, reason: 'fenced' } };

  it('refuses a smaller generation of a scope, over restarts as well, and lets others pass', async () => {
    await started.peer.allocate(index, { ...given, fence: { scope: 'at-risk/3', generation: 7 } });
    await expect(
      started.peer.allocate(index, { ...given, fence: { scope: 'at-risk/3', generation: 6 } }),
    ).rejects.toMatchObject(fenced);
    started = await started.restart();
    await expect(
      started.peer.allocate(index, { ...given, fence: { scope: 'at-risk/3', generation: 6 } }),
    ).rejects.toMatchObject(fenced);
    expect(
      (await started.peer.allocate(index, { ...given, fence: { scope: 'at-risk/4', generation: 1 } })).allocated.size,
    ).toBe(1);
    expect((await started.peer.allocate(index, { ...given, shareNumbers: [2] })).allocated.size).toBe(1);
    expect(
      (
        await started.raw('POST', path, {
          headers: { ...cbor, [secrets]: [...lease, upload], 'x-meshward-fence': 'no fence' },
          body: allocateBody([1], 10),
        })
      ).status,
    ).toBe(400);
  });

  it('stops an upload whose owner was replaced before its last bytes, and gives the share to the successor', async () => {
    await started.peer.allocate(index, { ...given, fence: { scope: 's', generation: 1 } });
    await started.peer.write(index, 1, 0, new Uint8Array(5), uploadSecret);
    const successor = { ...given, uploadSecret: new Uint8Array(20).fill(77), fence: { scope: 's', generation: 2 } };
    expect((await started.peer.allocate(index, { ...successor, shareNumbers: [2] })).allocated.size).toBe(1);
    await expect(started.peer.write(index, 1, 5, new Uint8Array(5), uploadSecret)).rejects.toMatchObject(fenced);
    expect((await started.peer.allocate(index, successor)).allocated).toEqual(new Set([1]));
    expect((await started.peer.write(index, 1, 0, new Uint8Array(10).fill(4), successor.uploadSecret)).isComplete).toBe(
      true,
    );
  });

  it('forgets the scope that was not used for the longest time', async () => {
    const narrow = await startPeer({ limits: { maxFenceScopes: 2 } });
    try {
      for (const scope of ['a', 'b', 'c'])
        await narrow.peer.allocate(index, { ...given, fence: { scope, generation: 5 } });
      await expect(
        narrow.peer.allocate(index, { ...given, fence: { scope: 'b', generation: 4 } }),
      ).rejects.toMatchObject(fenced);
      await narrow.peer.allocate(index, { ...given, fence: { scope: 'a', generation: 4 } });
    } finally {
      await narrow.stop();
    }
  });
});

describe('connections', () => {
  it('are closed when they do not come to the point, and bounded in number', async () => {
    const strict = await startPeer({ limits: { headersTimeoutMs: 100, maxConnections: 3 } });
    try {
      const sockets = Array.from({ length: 6 }, () => connect(strict.server.port, '127.0.0.1'));
      for (const socket of sockets) socket.on('error', () => undefined);
      // Nobody says a word: those over the limit are dropped at once, the others when the handshake has taken too long.
      await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.resume().once('close', resolve))));
      await until(() => strict.server.stats().openConnections === 0);
      expect((await strict.peer.version()).applicationVersion).toMatch(/^meshward/);
    } finally {
      await strict.stop();
    }
  });

  it('are paced to the configured bandwidth', async () => {
    const clock = new ManualClock();
    const paced = await startPeer({ clock, bandwidthBytesPerSecond: 1000 });
    try {
      await paced.peer.allocate(index, { shareNumbers: [1], allocatedBytes: 2000, uploadSecret, ...leases });
      let isDone = false;
      const writing = paced.peer.write(index, 1, 0, new Uint8Array(2000), uploadSecret).then((result) => {
        isDone = true;
        return result;
      });
      await until(() => paced.server.stats().requests === 2);
      clock.advanceSync(1000);
      await paced.peer.version();
      expect(isDone).toBe(false);
      await until(() => {
        clock.advanceSync(50);
        return isDone;
      });
      expect((await writing).isComplete).toBe(true);
    } finally {
      await paced.stop();
    }
  });

  it('that stand still because they are paced are not taken for idle', async () => {
    const paced = await startPeer({ bandwidthBytesPerSecond: 300, limits: { idleConnectionMs: 500 } });
    try {
      await paced.peer.allocate(index, { shareNumbers: [1], allocatedBytes: 600, uploadSecret, ...leases });
      expect((await paced.peer.write(index, 1, 0, new Uint8Array(600), uploadSecret)).isComplete).toBe(true);
      expect(await paced.peer.read(index, 1, 0, 500)).toHaveLength(500);
      expect(paced.server.stats().requests).toBe(3); // none was broken off and sent again
    } finally {
      await paced.stop();
    }
  });
});
