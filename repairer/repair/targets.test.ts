import { beforeEach, describe, expect, it } from 'vitest';
import { fencedError } from '#peers/gbs-storage.ts';
import type { WorkTransfer } from '#peers/transfer.ts';
import { type FakeFile, type FakeMesh, fakeMesh, makeFile } from '../testing/fake-mesh.ts';
import type { FakePeer } from '../testing/fake-peer.ts';
import { Targets, type TargetsOptions } from './targets.ts';

let mesh: FakeMesh;
let file: FakeFile;
let transfer: WorkTransfer;
let abort: AbortController;
beforeEach(async () => {
  mesh = await fakeMesh(6);
  file = await makeFile({ k: 2, n: 6 }, 500, 1);
  abort = new AbortController();
  transfer = mesh.tools.mesh.transfer.begin({ urgent: false, signal: abort.signal });
});

function targets(change: Partial<TargetsOptions['limits']> = {}, held: TargetsOptions['held'] = []): Targets {
  return new Targets({
    storageIndex: file.manifest.storageIndex,
    shareBytes: 100,
    field: mesh.peerView.writable(),
    held,
    limits: { maxSharesPerPeer: 1, maxSharesPerDomain: 9, ...change },
    transfer,
    choice: { random: mesh.random, tieBreaker: file.manifest.storageIndex },
    secrets: { leaseSecret: new Uint8Array(32).fill(7), uploadSecret: new Uint8Array(32).fill(8) },
  });
}

const uploads = (): number => mesh.peers.reduce((sum, peer) => sum + peer.uploads.size, 0);
const holderOf = (peerId: string | undefined): FakePeer =>
  mesh.peers.find((peer) => peer.peerId === peerId) as FakePeer;

describe('targets', () => {
  it('are asked once each for all that they shall take', async () => {
    const chosen = await targets({ maxSharesPerPeer: 2 }).allocate([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(chosen).toHaveLength(9);
    expect(uploads()).toBe(9);
    expect(Math.max(...mesh.peers.map((peer) => peer.calls.allocate))).toBe(1);
  });

  it('that refuse are replaced by others, and named', async () => {
    (mesh.peers[0] as FakePeer).down = true;
    (mesh.peers[1] as FakePeer).freeBytes = 10;
    const some = targets();
    const chosen = await some.allocate([0, 1, 2, 3, 4, 5]);
    expect(chosen).toHaveLength(4);
    expect(some.refusals.map(({ error }) => error === undefined).sort()).toEqual([false, true]);
    expect(new Set(chosen.map(({ peerId }) => peerId)).size).toBe(4);
  });

  it('that hold the share already are found, not written to', async () => {
    const some = targets();
    const [first] = await some.allocate([0]);
    const holder = holderOf(first?.peerId);
    holder.uploads.clear();
    holder.shares.set(`${file.manifest.storageIndex}/0`, new Uint8Array(100));
    const again = targets();
    expect(await again.allocate([0])).toEqual([]);
    expect(again.found).toEqual([{ shareNumber: 0, peerId: holder.peerId }]);
  });

  it('are given to a share anew when the first one fails later', async () => {
    const some = targets();
    const [first] = await some.allocate([0]);
    some.refuse(first?.peerId as never, new Error('it broke off'));
    const second = await some.replace(0);
    expect(second?.shareNumber).toBe(0);
    expect(second?.peerId).not.toBe(first?.peerId);
  });

  it('are the same ones whoever asks, so that a second repairer finds what the first one wrote', async () => {
    const first = await targets().allocate([0, 1, 2]);
    for (const peer of mesh.peers) peer.uploads.clear();
    const second = await targets().allocate([0, 1, 2]);
    const places = (chosen: typeof first) => chosen.map(({ shareNumber, peerId }) => `${shareNumber} ${peerId}`).sort();
    expect(places(second)).toEqual(places(first));
  });

  it('keep nothing reserved when the work is fenced half-way', async () => {
    const last = mesh.peers[5] as FakePeer;
    for (const peer of mesh.peers) {
      peer.before = (method) => {
        if (method === 'allocate' && peer === last) throw fencedError(undefined);
      };
    }
    await expect(targets().allocate([0, 1, 2, 3, 4, 5])).rejects.toMatchObject({ code: 'log-fenced' });
    expect(uploads()).toBe(0);
  });

  it('end with the work', async () => {
    abort.abort(new Error('called off'));
    await expect(targets().allocate([0, 1])).rejects.toThrow('called off');
    expect(uploads()).toBe(0);
  });
});
