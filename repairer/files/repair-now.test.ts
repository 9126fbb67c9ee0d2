import { beforeEach, describe, expect, it } from 'vitest';
import { defaultPolicy } from '#mesh/policy.ts';
import { type FakeFile, type FakeMesh, fakeMesh, storeFile } from '../testing/fake-mesh.ts';
import type { FakePeer } from '../testing/fake-peer.ts';
import { repairNow } from './repair-now.ts';

const coding = { k: 3, n: 10 };
let mesh: FakeMesh;
let file: FakeFile;
beforeEach(async () => {
  mesh = await fakeMesh(14);
  file = await storeFile(mesh, coding, 2_000);
});

const peerAt = (at: number): FakePeer => mesh.peers[at] as FakePeer;
const now = () =>
  repairNow(
    { manifest: file.manifest, tag: '', policy: defaultPolicy(coding), signal: new AbortController().signal },
    mesh.tools,
  );

describe('a repair that a person asks for', () => {
  it('restores what is missing and what is corrupt, from what the peers themselves hold', async () => {
    peerAt(0).shares.clear();
    (peerAt(1).shares.get(`${file.manifest.storageIndex}/1`) as Uint8Array).fill(9, 400);
    await mesh.setState(peerAt(2), 'down');
    const { sound, corrupt, peersSilent, repair } = await now();
    expect(sound.map((share) => share.shareNumber)).toEqual([3, 4, 5, 6, 7, 8, 9]);
    expect(corrupt).toEqual([{ shareNumber: 1, peerId: peerAt(1).peerId }]);
    expect(peersSilent).toBe(1);
    expect(peerAt(1).advisories).toHaveLength(1);
    const report = await repair.report;
    expect(report).toMatchObject({ ending: 'repaired', fence: undefined });
    // Up to nine tenths of the way, 10 of them in a small file.
    expect(report.written.map((share) => share.shareNumber)).toEqual([0, 1, 2]);
  });

  it('says that nothing is to do where all is there', async () => {
    expect(await (await now()).repair.report).toMatchObject({ ending: 'not-needed', bytesWritten: 0 });
  });
});
