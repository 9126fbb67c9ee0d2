import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeLog } from '#log/testing/fake-log.ts';
import { isCountedState } from '#mesh/peer-state.ts';
import { recordOf } from '../testing/at-risk-record.ts';
import { entryOf, type FakeFile, type FakeMesh, fakeMesh, storeFile } from '../testing/fake-mesh.ts';
import type { FakePeer } from '../testing/fake-peer.ts';
import { type RunningRepairer, runRepairer, until } from '../testing/running-repairer.ts';
import type { DrainStore } from './leaving-files.ts';

let mesh: FakeMesh;
let log: FakeLog;
let files: FakeFile[];
let running: RunningRepairer;
/** What the store knows: as the mesh stands. */
const store: DrainStore = {
  find: (peers) => {
    const found = files.map((file) => {
      const placements = mesh.peers.flatMap((peer) =>
        peer.numbersOf(file.manifest.storageIndex).map((shareNumber) => ({ shareNumber, peerId: peer.peerId })),
      );
      const counts = (peerId: string): boolean =>
        isCountedState(mesh.peerView.facts().find((fact) => fact.peerId === peerId)?.state ?? 'down');
      const staying = new Set(placements.filter(({ peerId }) => counts(peerId)).map((share) => share.shareNumber));
      const leaving = placements.filter(
        ({ peerId, shareNumber }) => peers.includes(peerId) && !staying.has(shareNumber),
      );
      return { partition: 0, manifest: file.manifest, tag: '', placements, leaving: leaving.map((s) => s.shareNumber) };
    });
    const left = found.filter((file) => file.leaving.length > 0);
    return Promise.resolve({ files: left, sharesLeft: left.reduce((sum, file) => sum + file.leaving.length, 0) });
  },
};

/** Three files whose shares 0 … 9 are on the first ten of 14 peers. */
beforeEach(async () => {
  mesh = await fakeMesh(14);
  files = [];
  for (let seed = 1; seed <= 3; seed++) files.push(await storeFile(mesh, { k: 3, n: 10 }, 1_000, seed));
  log = new FakeLog([{ name: 'at-risk', partitions: 1, compacted: true }]);
  running = await runRepairer(mesh, log, {}, store);
});
afterEach(async () => {
  for (const peer of mesh.peers) peer.wake();
  await running.repairer.stop();
});

const peerAt = (at: number): FakePeer => mesh.peers[at] as FakePeer;
const drain = () => running.repairer.state().drain;

describe('a draining peer', () => {
  it('is emptied: each share that only it has is copied to another peer, though every file is healthy', async () => {
    await mesh.setState(peerAt(4), 'draining');
    await mesh.clock.advance(5_000);
    await until(() => running.ended().length === 3, 'its three shares are copied');
    expect(running.ended().map((repair) => repair.sources)).toEqual(
      Array.from({ length: 3 }, () => [peerAt(4).peerId]),
    );
    expect(running.rows.map((row) => [row.outcome, row.cause])).toEqual(
      Array.from({ length: 3 }, () => ['repaired', '1 share on draining peers only']),
    );
    expect(drain()).toMatchObject({ peers: [peerAt(4).peerId], sharesMoved: 3, failingFiles: 0 });
    await mesh.clock.advance(5_000);
    expect(drain().sharesLeft).toBe(0);
    for (const file of files) {
      const holders = mesh.peers.filter((peer) => peer.numbersOf(file.manifest.storageIndex).includes(4));
      expect(holders).toHaveLength(2);
      for (const holder of holders) {
        const share = holder.shares.get(`${file.manifest.storageIndex}/4`) as Uint8Array;
        expect(Buffer.compare(share, file.shares[4] as Uint8Array)).toBe(0);
      }
    }
  });

  it('waits while a repair does and while bulk repair holds, and is tried again when no peer took its shares', async () => {
    for (const peer of mesh.peers.slice(10)) await mesh.setFact(peer, { freeBytes: 0 });
    await mesh.setState(peerAt(4), 'draining');
    mesh.setPeersAge(60_000);
    await mesh.clock.advance(10_000);
    expect(running.ended()).toEqual([]);
    mesh.setPeersAge(0);
    await mesh.clock.advance(10_000);
    await until(() => running.ended().length === 3, 'all are tried');
    expect(drain()).toMatchObject({ sharesMoved: 0, failingFiles: 3, sharesLeft: 3 });
    for (const peer of mesh.peers.slice(10)) await mesh.setFact(peer, { freeBytes: 1e9 });
    await mesh.clock.advance(70_000);
    await until(() => drain().sharesMoved === 3, 'they are copied now');
    expect(drain().failingFiles).toBe(0);
  });

  it('leaves a file alone that a repair works on', async () => {
    const [file] = files as [FakeFile];
    for (const peer of mesh.peers.slice(5, 10))
      peer.shares.delete(`${file.manifest.storageIndex}/${mesh.peers.indexOf(peer)}`);
    for (const peer of mesh.peers.slice(10)) peer.hangs = new Set(['write']);
    await log.append('at-risk', [recordOf(entryOf(mesh, file, { repairUpTo: 8 }))]);
    await until(() => running.repairer.state().running[0]?.phase === 'transferring', 'the repair writes');
    await mesh.setState(peerAt(0), 'draining');
    await mesh.clock.advance(5_000);
    expect(drain().sharesLeft).toBe(3);
    expect(running.repairer.state().running).toHaveLength(1);
    expect(running.ended().map((repair) => repair.storageIndex)).not.toContain(file.manifest.storageIndex);
    for (const peer of mesh.peers) peer.wake();
  });

  it('is left alone when it drains no more', async () => {
    await mesh.setState(peerAt(4), 'draining');
    await mesh.setState(peerAt(4), 'up');
    await mesh.clock.advance(10_000);
    expect(running.ended()).toEqual([]);
    expect(drain()).toEqual({ peers: [], sharesLeft: null, sharesMoved: 0, failingFiles: 0 });
  });
});
