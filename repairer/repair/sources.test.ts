import { beforeEach, describe, expect, it } from 'vitest';
import { settle } from '#mesh/testing/manual-clock.ts';
import type { PlacedShare } from '#peers/locate.ts';
import type { WorkTransfer } from '#peers/transfer.ts';
import { type FakeFile, type FakeMesh, fakeMesh, storeFile } from '../testing/fake-mesh.ts';
import type { FakePeer } from '../testing/fake-peer.ts';
import { SourcePool, type SourcePoolOptions } from './sources.ts';

let mesh: FakeMesh;
let file: FakeFile;
let transfer: WorkTransfer;
let abort: AbortController;

/** Shares 0 … 5, one a peer, of which any three are enough; six more peers are empty. */
beforeEach(async () => {
  mesh = await fakeMesh(12);
  file = await storeFile(mesh, { k: 3, n: 6 }, 2_000);
  abort = new AbortController();
  transfer = mesh.tools.mesh.transfer.begin({ urgent: false, signal: abort.signal });
});

function peerAt(at: number): FakePeer {
  return mesh.peers[at] as FakePeer;
}

function place(shareNumber: number, at = shareNumber): PlacedShare {
  return { shareNumber, peerId: peerAt(at).peerId };
}

/** Puts another copy of a share on a peer. */
function copy(shareNumber: number, at: number): PlacedShare {
  peerAt(at).shares.set(
    `${file.manifest.storageIndex}/${shareNumber}`,
    (file.shares[shareNumber] as Uint8Array).slice(),
  );
  return place(shareNumber, at);
}

function corrupt(at: number): void {
  const share = peerAt(at).shares.get(`${file.manifest.storageIndex}/${at}`) as Uint8Array;
  share.fill(7, share.length / 2);
}

function pool(candidates: readonly PlacedShare[], options: Partial<SourcePoolOptions> = {}): SourcePool {
  return new SourcePool({
    manifest: file.manifest,
    candidates,
    transfer,
    clock: mesh.clock,
    hedgeAfterMs: 500,
    ...options,
  });
}

const numbersOf = (shares: readonly { shareNumber: number }[]): number[] => shares.map((share) => share.shareNumber);

describe('the pool of sources', () => {
  it('opens as many as are wanted, the best first, and asks no other', async () => {
    const sources = pool([place(4), place(2), place(0), place(1)]);
    expect(numbersOf(await sources.open(3)).sort()).toEqual([0, 2, 4]);
    expect(peerAt(1).calls.read).toBe(0);
    expect(numbersOf(sources.used).sort()).toEqual([0, 2, 4]);
    expect(sources.faults).toEqual([]);
  });

  it('passes over bad and dead ones, tells which were corrupt, and reports those to their peers', async () => {
    corrupt(0);
    peerAt(1).down = true;
    const sources = pool([place(0), place(1), place(2), place(3), place(4)]);
    expect(numbersOf(await sources.open(3)).sort()).toEqual([2, 3, 4]);
    expect(sources.faults.map(({ shareNumber, corrupt: isCorrupt }) => [shareNumber, isCorrupt]).sort()).toEqual([
      [0, true],
      [1, false],
    ]);
    await settle();
    expect(peerAt(0).advisories).toHaveLength(1);
  });

  it('brings in others beside slow ones, and keeps a slow one for later', async () => {
    peerAt(0).hangs = new Set(['read']);
    const sources = pool([place(0), place(1), place(2), place(3)]);
    const opening = sources.open(3);
    await mesh.clock.advance(600);
    expect(numbersOf(await opening).sort()).toEqual([1, 2, 3]);
    expect(sources.faults).toEqual([]);
    peerAt(0).wake();
    expect((await sources.replace(1, new Error('it broke off')))?.shareNumber).toBe(0);
  });

  it('hands out a share that was opened beyond the count before it opens another', async () => {
    const gate = Promise.withResolvers<void>();
    for (const at of [0, 3]) peerAt(at).before = () => gate.promise;
    const sources = pool([place(0), place(1), place(2), place(3), place(4), place(5)]);
    const opening = sources.open(3);
    await mesh.clock.advance(500);
    // Both answer at once, and one of them is enough.
    gate.resolve();
    const opened = numbersOf(await opening);
    expect(opened).toHaveLength(3);
    const spare = [0, 3].find((number) => !opened.includes(number));
    expect(numbersOf(sources.used).sort()).toEqual([0, 1, 2, 3]);
    expect((await sources.replace(1, new Error('it broke off')))?.shareNumber).toBe(spare);
    expect([peerAt(4).calls.read, peerAt(5).calls.read]).toEqual([0, 0]);
  });

  it('does not lose the slower of two good copies: it stands in when the faster one fails', async () => {
    const second = copy(0, 6);
    peerAt(0).hangs = new Set(['read']);
    const sources = pool([place(0), second, place(1), place(2)]);
    const opening = sources.open(3);
    await mesh.clock.advance(500);
    const opened = await opening;
    expect(numbersOf(opened).sort()).toEqual([0, 1, 2]);
    peerAt(0).wake();
    await settle();
    // The only share left is the first copy, on a peer that was slow.
    const instead = await sources.replace(0, new Error('it broke off'));
    expect(instead?.shareNumber).toBe(0);
  });

  it('ends where nothing but copies of what it has is left', async () => {
    const sources = pool([place(0), copy(0, 6), copy(0, 7), place(1)]);
    await expect(sources.open(3)).rejects.toMatchObject({ code: 'not-enough-shares', details: { have: 2, need: 3 } });
  });

  it('looks for more places once, when all are tried, and not where it has looked already', async () => {
    corrupt(0);
    let searches = 0;
    const more = () => {
      searches++;
      return Promise.resolve([place(0), place(1), place(3), place(4)]);
    };
    const sources = pool([place(0), place(1)], { more });
    expect(numbersOf(await sources.open(3)).sort()).toEqual([1, 3, 4]);
    expect(peerAt(0).calls.read).toBe(1);
    expect(await sources.replace(1, new Error('it broke off'))).toBeNull();
    expect(searches).toBe(1);
  });

  it('says how many are corrupt and how many out of reach where there are too few', async () => {
    corrupt(0);
    for (const at of [1, 2]) peerAt(at).down = true;
    const sources = pool([place(0), place(1), place(2), place(3)]);
    await expect(sources.open(3)).rejects.toMatchObject({
      code: 'not-enough-shares',
      details: { have: 1, need: 3, corrupt: 1, unreachable: 2 },
    });
  });

  it('ends at once when the work is called off', async () => {
    for (const peer of mesh.peers) peer.hangs = new Set(['read']);
    const opening = pool([place(0), place(1), place(2)]).open(3);
    await settle();
    abort.abort(new Error('called off'));
    await expect(opening).rejects.toThrow();
  });
});
