/** What a repair does without: asking peers whose state is known, and allocating where a share goes in one exchange. */
import { beforeEach, describe, expect, it } from 'vitest';
import { entryOf, type FakeFile, type FakeMesh, fakeMesh, storeFile } from '../testing/fake-mesh.ts';
import type { FakePeer, Method } from '../testing/fake-peer.ts';
import { type RepairJob, startRepair } from './repair.ts';
import type { RepairReport } from './repair-report.ts';
import { UploadBuffers } from './upload-buffers.ts';

let mesh: FakeMesh;
let file: FakeFile;
/** Less than a repair needs: each goes alone. */
let uploadBuffers: UploadBuffers;

/** 14 peers that take whole shares: ten hold a share each, of which six are lost. */
beforeEach(async () => {
  mesh = await fakeMesh(14);
  uploadBuffers = new UploadBuffers(100);
  file = await storeFile(mesh, { k: 3, n: 10 }, 2_000);
  for (const peer of mesh.peers) peer.wholeBytes = 1e6;
  for (const at of [0, 1, 2, 3, 4, 5]) await mesh.setState(peerAt(at), 'departed');
});

const peerAt = (at: number): FakePeer => mesh.peers[at] as FakePeer;
const calls = (method: Method): number => mesh.peers.reduce((sum, peer) => sum + peer.calls[method], 0);

function repair(change: Partial<RepairJob> = {}): Promise<RepairReport> {
  const entry = entryOf(mesh, file, { repairUpTo: 8 });
  const { signal } = new AbortController();
  const fence = { scope: 'at-risk/0', generation: 5 };
  const job = { id: 'r', entry, fence, urgent: false, placed: [], look: 'doubtful' as const, signal };
  return startRepair({ ...job, ...change }, { ...mesh.tools, uploadBuffers }).report;
}

function expectIdentical({ written }: RepairReport): void {
  for (const { shareNumber, peerId } of written) {
    const share = mesh.peers
      .find((peer) => peer.peerId === peerId)
      ?.shares.get(`${file.manifest.storageIndex}/${shareNumber}`);
    expect(Buffer.compare(share as Uint8Array, file.shares[shareNumber] as Uint8Array), `${shareNumber}`).toBe(0);
  }
}

describe('a repair whose facts are fresh', () => {
  it('reads k shares, writes the missing ones and reads them back, and asks nobody anything else', async () => {
    const report = await repair();
    expect(report).toMatchObject({ ending: 'repaired', errorCode: '' });
    expect(report.written).toHaveLength(4);
    expectIdentical(report);
    expect([calls('list'), calls('allocate'), calls('write'), calls('put')]).toEqual([0, 0, 0, 4]);
    expect(calls('read')).toBe(3 + 4);
  });

  it('asks all peers of the file where they are not, or where it is told to', async () => {
    mesh.setPeersAge(60_000);
    expect(await repair()).toMatchObject({ ending: 'repaired' });
    expect(calls('list')).toBe(4);
    mesh.setPeersAge(0);
    await mesh.setState(peerAt(6), 'departed');
    await repair({ look: 'all' });
    expect(calls('list')).toBeGreaterThan(4);
  });

  it('asks a peer that came back since the entry was written, and one that was written to since', async () => {
    const entry = entryOf(mesh, file, { repairUpTo: 8 });
    await mesh.setState(peerAt(0), 'up');
    peerAt(10).shares.set(`${file.manifest.storageIndex}/1`, (file.shares[1] as Uint8Array).slice());
    const report = await repair({ entry, placed: [{ shareNumber: 1, peerId: peerAt(10).peerId }] });
    expect([peerAt(0).calls.list, peerAt(10).calls.list, calls('list')]).toEqual([1, 1, 2]);
    expect(report.wanted).toEqual([2, 3]);
  });

  it('finds out by reading that a source has lost its share', async () => {
    peerAt(6).shares.clear();
    expect(await repair()).toMatchObject({ ending: 'repaired' });
  });
});

describe('a target that has the share already', () => {
  /** Whatever peer is chosen for share 0 has these bytes under its name. */
  function holdEverywhere(bytes: Uint8Array): Partial<RepairJob> {
    const entry = entryOf(mesh, file, { repairUpTo: 8 });
    for (const at of [10, 11, 12, 13]) peerAt(at).shares.set(`${file.manifest.storageIndex}/0`, bytes.slice());
    return { entry };
  }

  it('counts where it is sound', async () => {
    const report = await repair(holdEverywhere(file.shares[0] as Uint8Array));
    expect(report).toMatchObject({ ending: 'repaired' });
    expect(report.found.map((share) => share.shareNumber)).toEqual([0]);
  });

  it('is told of it where it is bad, and takes another share', async () => {
    const report = await repair(holdEverywhere(new Uint8Array((file.shares[0] as Uint8Array).length)));
    expect(report.found).toEqual([]);
    expect(report.ending).toBe('partial');
    expect(report.corrupt.some((share) => share.shareNumber === 0)).toBe(true);
  });
});

it('a repair that was overtaken ends as fenced, and nothing of it appears', async () => {
  for (const peer of mesh.peers) peer.admitFence({ scope: 'at-risk/0', generation: 6 });
  expect(await repair()).toMatchObject({ ending: 'fenced', errorCode: 'log-fenced', written: [] });
  expect(uploadBuffers.takenBytes).toBe(0);
});

it('repairs that want more memory than there is for uploads go one after the other, and give all of it back', async () => {
  const others = await Promise.all([2, 3].map((seed) => storeFile(mesh, { k: 3, n: 10 }, 2_000, seed)));
  const reports = await Promise.all([
    repair(),
    ...others.map((other) => repair({ entry: entryOf(mesh, other, { repairUpTo: 8 }) })),
  ]);
  expect(reports.map((report) => report.ending)).toEqual(['repaired', 'repaired', 'repaired']);
  expect([uploadBuffers.takenBytes, uploadBuffers.waiting]).toEqual([0, 0]);
});
