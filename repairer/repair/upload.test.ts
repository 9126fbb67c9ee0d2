import { beforeEach, describe, expect, it } from 'vitest';
import { parseStorageIndex } from '#mesh/storage-index.ts';
import { settle } from '#mesh/testing/manual-clock.ts';
import type { WorkTransfer } from '#peers/transfer.ts';
import { type FakeMesh, fakeMesh } from '../testing/fake-mesh.ts';
import type { FakePeer } from '../testing/fake-peer.ts';
import { pieceBytesFor, Upload } from './upload.ts';

const storageIndex = parseStorageIndex('aaaqeayeaudaocajbifqydiob4');
const uploadSecret = new Uint8Array(32).fill(1);
const shareBytes = 1000;
let mesh: FakeMesh;
let transfer: WorkTransfer;
let failed: [FakePeer, unknown][];
beforeEach(async () => {
  mesh = await fakeMesh(3);
  transfer = mesh.tools.mesh.transfer.begin({ urgent: false, signal: new AbortController().signal });
  failed = [];
});

const peerAt = (at: number): FakePeer => mesh.peers[at] as FakePeer;
const allocate = (at: number): Promise<unknown> =>
  peerAt(at).allocate(storageIndex, {
    shareNumbers: [4],
    shareBytes,
    uploadSecret,
    renewSecret: uploadSecret,
    cancelSecret: uploadSecret,
  });

async function upload(pieceBytes: number, others: readonly number[] = []): Promise<Upload> {
  await allocate(0);
  const left = [...others];
  return new Upload({
    storageIndex,
    target: { shareNumber: 4, peerId: peerAt(0).peerId, whole: peerAt(0).wholeBytes >= shareBytes },
    shareBytes,
    uploadSecret,
    transfer,
    pieceBytes,
    targets: {
      async replace(shareNumber) {
        const at = left.shift();
        if (at === undefined) return undefined;
        const whole = peerAt(at).wholeBytes >= shareBytes;
        if (!whole) await allocate(at);
        return { shareNumber, peerId: peerAt(at).peerId, whole };
      },
      failed: (peerId, error) => failed.push([mesh.peers.find((peer) => peer.peerId === peerId) as FakePeer, error]),
      put: ({ peerId, shareNumber }, bytes) =>
        transfer.putWhole(peerId, storageIndex, {
          shareNumber,
          bytes,
          uploadSecret,
          renewSecret: uploadSecret,
          cancelSecret: uploadSecret,
        }),
      keepsFound: () => Promise.resolve(true),
    },
  });
}

const content = Uint8Array.from({ length: shareBytes }, (_, at) => at % 251);

async function writeAll(to: Upload, step: number): Promise<void> {
  await to.begin(shareBytes);
  for (let at = 0; at < shareBytes; at += step) await to.write(at, content.subarray(at, at + step));
  await to.end();
}

const stored = (at: number): Uint8Array | undefined => peerAt(at).shares.get(`${storageIndex}/4`);

describe('an upload', () => {
  it('gathers what it is given to pieces, and the share appears whole', async () => {
    const one = await upload(300);
    await writeAll(one, 70);
    expect(await one.ended).toBeNull();
    expect([one.isComplete, peerAt(0).calls.write]).toEqual([true, 4]);
    expect(stored(0)).toEqual(content);
  });

  it('sends all of its pieces out of the memory of two, and frees that', async () => {
    const seen = new Set<ArrayBufferLike>();
    const one = await upload(100);
    const write = transfer.write.bind(transfer);
    transfer.write = (peerId, index, piece) => {
      seen.add(piece.bytes.buffer);
      return write(peerId, index, piece);
    };
    await writeAll(one, 50);
    expect(await one.ended).toBeNull();
    expect(stored(0)).toEqual(content);
    expect(seen.size).toBe(2);
    expect([...seen].map((buffer) => buffer.byteLength)).toEqual([0, 0]);
  });

  it.each([100, 1000])('takes parts ahead of their turn, with pieces of %i bytes', async (pieceBytes) => {
    const one = await upload(pieceBytes);
    await one.begin(shareBytes);
    await one.write(0, content.subarray(0, 250));
    await one.writeAhead(600, content.subarray(600, 700));
    await one.write(250, content.subarray(250, 330));
    await one.writeAhead(900, content.subarray(900, 910));
    await one.write(330, content.subarray(330, 600));
    await one.write(700, content.subarray(700, 900));
    await one.write(910, content.subarray(910));
    await one.end();
    expect(await one.ended).toBeNull();
    expect(one.isComplete).toBe(true);
    expect(stored(0)).toEqual(content);
  });

  it('makes whoever is faster than the peer wait, two pieces ahead at most', async () => {
    peerAt(0).hangs = new Set(['write']);
    const one = await upload(100);
    await one.begin(shareBytes);
    let taken = 0;
    const writing = (async () => {
      for (let at = 0; at < shareBytes; at += 50) {
        await one.write(at, content.subarray(at, at + 50));
        taken = at + 50;
      }
      await one.end();
    })();
    await settle();
    expect(taken).toBeLessThanOrEqual(200);
    peerAt(0).wake();
    await writing;
    expect(await one.ended).toBeNull();
    expect(stored(0)).toEqual(content);
  });

  it('goes to another peer while nothing has been sent, and tells of the one that failed', async () => {
    peerAt(0).down = true;
    const one = await upload(1000, [1]).catch(() => undefined);
    expect(one).toBeUndefined();
    peerAt(0).down = false;
    const two = await upload(1000, [1]);
    peerAt(0).down = true;
    await writeAll(two, 500);
    expect(await two.ended).toBeNull();
    expect(two.peerId).toBe(peerAt(1).peerId);
    expect(failed.map(([peer]) => peer)).toEqual([peerAt(0)]);
    expect(stored(1)).toEqual(content);
  });

  it('fails where the peer breaks off in the middle, and leaves no upload behind', async () => {
    const one = await upload(100, [1]);
    await one.begin(shareBytes);
    peerAt(0).writesLeft = 2;
    await expect(
      (async () => {
        for (let at = 0; at < shareBytes; at += 50) await one.write(at, content.subarray(at, at + 50));
      })(),
    ).rejects.toMatchObject({ code: 'gbs-unreachable' });
    peerAt(0).down = false;
    await one.abort(new Error('the source ended'));
    expect(await one.ended).toMatchObject({ code: 'gbs-unreachable' });
    expect(one.targetError).toMatchObject({ code: 'gbs-unreachable' });
    expect(peerAt(0).uploads.size).toBe(0);
    expect(stored(0)).toBeUndefined();
  });

  it('that is aborted leaves nothing behind and says why', async () => {
    const one = await upload(100);
    await one.begin(shareBytes);
    await one.write(0, content.subarray(0, 150));
    const reason = new Error('the sources failed');
    await one.abort(reason);
    expect(await one.ended).toBe(reason);
    expect([one.isComplete, peerAt(0).uploads.size]).toEqual([false, 0]);
  });

  it('refuses a share of another length than was allocated', async () => {
    const one = await upload(100);
    await expect(one.begin(shareBytes + 1)).rejects.toThrow(RangeError);
    await one.abort(new Error('over'));
  });
});

describe('an upload to peers that take whole shares', () => {
  async function wholeUpload(others: readonly number[] = []): Promise<Upload> {
    for (const peer of mesh.peers) peer.wholeBytes = 1e6;
    const one = await upload(shareBytes, others);
    peerAt(0).uploads.clear();
    return one;
  }

  it('is one request', async () => {
    const one = await wholeUpload();
    await writeAll(one, 70);
    expect(await one.ended).toBeNull();
    expect([one.isComplete, one.isFound, peerAt(0).calls.put, peerAt(0).calls.write]).toEqual([true, false, 1, 0]);
    expect(stored(0)).toEqual(content);
  });

  it('goes to another peer where one has no room or fails, with nothing to abort', async () => {
    const one = await wholeUpload([1, 2]);
    peerAt(0).freeBytes = 10;
    peerAt(1).writesLeft = 0;
    await writeAll(one, 200);
    expect(await one.ended).toBeNull();
    expect([one.peerId, stored(2)]).toEqual([peerAt(2).peerId, content]);
    expect(failed.map(([peer, error]) => [peer, error === undefined])).toEqual([
      [peerAt(0), true],
      [peerAt(1), false],
    ]);
    expect(peerAt(0).calls.abort).toBe(0);
  });

  it('ends as found where the peer has the share', async () => {
    const one = await wholeUpload();
    peerAt(0).shares.set(`${storageIndex}/4`, content);
    await writeAll(one, 200);
    expect(await one.ended).toBeNull();
    expect([one.isComplete, one.isFound]).toEqual([false, true]);
  });

  it('tells when no peer has room', async () => {
    const one = await wholeUpload();
    peerAt(0).freeBytes = 10;
    await writeAll(one, 200);
    expect(await one.ended).toMatchObject({ code: 'repair-no-target' });
  });
});

it('pieces keep all uploads within the memory, but are not so small that requests cost more than bytes', () => {
  expect(pieceBytesFor(1, 64 * 1024 * 1024, 1e9)).toBe(1024 * 1024);
  expect(pieceBytesFor(10, 8 * 1024 * 1024, 1e9)).toBe(Math.floor((8 * 1024 * 1024) / 20));
  expect(pieceBytesFor(100, 1024, 1e9)).toBe(128 * 1024);
  expect(pieceBytesFor(100, 1024, 400_000)).toBe(400_000);
  expect(pieceBytesFor(7, 1024, 4_000_000)).toBe(4_000_000);
  expect(pieceBytesFor(50, 1024, 4_000_000)).toBe(128 * 1024);
});
