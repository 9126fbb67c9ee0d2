import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '#mesh/logger.ts';
import type { SampledShare } from '#store/queries/samples.ts';
import { type FakeFile, type FakeMesh, fakeMesh, fakeWords, storeFile } from '../testing/fake-mesh.ts';
import type { FakePeer } from '../testing/fake-peer.ts';
import { type SampleOutcome, Samples } from './samples.ts';

let mesh: FakeMesh;
let file: FakeFile;
let samples: Samples;
let outcomes: SampleOutcome[];
let claimed: SampledShare[];
beforeEach(async () => {
  mesh = await fakeMesh(3);
  file = await storeFile(mesh, { k: 1, n: 3 }, 5_000);
  outcomes = [];
  claimed = [];
  samples = new Samples({
    store: {
      draw: () => Promise.resolve(claimed),
      isClaimed: (share) => Promise.resolve(claimed.some(({ shareNumber }) => shareNumber === share.shareNumber)),
    },
    partitions: () => [0],
    factOf: (peerId) => mesh.peerView.fact(peerId),
    transfer: mesh.tools.mesh.transfer.begin({ urgent: false, signal: new AbortController().signal }),
    words: fakeWords(mesh.said),
    tell: (outcome) => outcomes.push(outcome),
    by: { clock: mesh.clock, random: mesh.random, logger: silentLogger },
    perMinute: 60,
  });
  samples.start();
});
afterEach(() => samples.stop());

const peerAt = (at: number): FakePeer => mesh.peers[at] as FakePeer;
const claim = (at: number): SampledShare => {
  return { partition: 0, ...file.manifest, tag: '', shareNumber: at, peerId: peerAt(at).peerId };
};
async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) await mesh.clock.advance(1_000);
}

describe('sampling what peers say to hold', () => {
  it('finds what is there', async () => {
    claimed = [claim(0)];
    await pass(2);
    expect(outcomes).toEqual(['held', 'held']);
    expect(mesh.said).toEqual(Array.from({ length: 2 }, () => `claims 1 0 ${peerAt(0).peerId}`));
  });

  it('tells of a share that is not sound: to everybody, and to its peer', async () => {
    (peerAt(1).shares.get(`${file.manifest.storageIndex}/1`) as Uint8Array).fill(3, 300);
    claimed = [claim(1)];
    await pass(1);
    expect(outcomes).toEqual(['corrupt']);
    expect(mesh.said).toEqual([`found 1 ${peerAt(1).peerId}`, `claims 0 1 ${peerAt(1).peerId}`]);
    expect(peerAt(1).advisories).toHaveLength(1);
  });

  it('tells of a share that is claimed and not served, when it is claimed still after a while', async () => {
    peerAt(2).shares.clear();
    claimed = [claim(2)];
    await pass(1);
    expect(outcomes).toEqual([]);
    await pass(65);
    expect(outcomes[0]).toBe('absent');
    expect(mesh.said.slice(0, 2)).toEqual([`found 2 ${peerAt(2).peerId}`, `claims 0 1 ${peerAt(2).peerId}`]);
  });

  it('believes a peer that says meanwhile that the share is gone', async () => {
    peerAt(2).shares.clear();
    claimed = [claim(2)];
    await pass(1);
    claimed = [];
    await pass(70);
    expect([outcomes, mesh.said]).toEqual([[], []]);
  });

  it('goes on with a peer that is not believed, before others, so that it can be believed again', async () => {
    claimed = [claim(0), claim(2)];
    await mesh.setFact(peerAt(2), { state: 'down', doubtedMs: 1_000 });
    await pass(1);
    expect(mesh.said).toEqual([`claims 1 0 ${peerAt(2).peerId}`]);
  });

  it('holds nothing against a peer that does not answer, and asks none that is not up', async () => {
    peerAt(0).down = true;
    claimed = [claim(0)];
    await pass(1);
    expect(outcomes).toEqual(['unanswered']);
    await mesh.setState(peerAt(0), 'down');
    await pass(5);
    expect(outcomes).toEqual(['unanswered']);
    expect(mesh.said).toEqual([]);
  });
});
