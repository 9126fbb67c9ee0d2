import { beforeEach, describe, expect, it } from 'vitest';
import { type FakeMesh, fakeMesh, fakeWords } from '../testing/fake-mesh.ts';
import type { FakePeer } from '../testing/fake-peer.ts';
import { ReachWatch } from './reach-watch.ts';

let mesh: FakeMesh;
let watch: ReachWatch;
beforeEach(async () => {
  mesh = await fakeMesh(4);
  watch = new ReachWatch({
    facts: () => mesh.peerView.facts(),
    transfer: mesh.tools.mesh.transfer.begin({ urgent: false, signal: new AbortController().signal }),
    words: fakeWords(mesh.said),
    clock: mesh.clock,
  });
  watch.start();
});

const peerAt = (at: number): FakePeer => mesh.peers[at] as FakePeer;
async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) await mesh.clock.advance(1_000);
}

describe('watching whether peers can be reached', () => {
  it('tells of a peer that is heard and does not answer, once, and of its answer when it comes', async () => {
    peerAt(1).down = true;
    await pass(12);
    expect(mesh.said).toEqual([]);
    await pass(20);
    expect(mesh.said).toEqual([`not reached ${peerAt(1).peerId}`]);
    await mesh.setFact(peerAt(1), { state: 'suspect', unreachableMs: 1_000 });
    await pass(60);
    expect(mesh.said).toHaveLength(1);
    peerAt(1).down = false;
    await pass(12);
    expect(mesh.said[1]).toBe(`reached ${peerAt(1).peerId}`);
    watch.stop();
  });

  it('says nothing of peers that are silent themselves', async () => {
    for (const at of [1, 2]) await mesh.setState(peerAt(at), 'down');
    await pass(120);
    expect(mesh.said).toEqual([]);
    expect(peerAt(1).calls.list).toBe(0);
  });

  it('says nothing while most peers do not answer: that is its own network', async () => {
    for (const at of [0, 1, 2]) peerAt(at).down = true;
    await pass(120);
    expect(mesh.said).toEqual([]);
  });

  it('leaves a peer to others that reach it, for a while', async () => {
    peerAt(1).down = true;
    await pass(32);
    expect(mesh.said).toHaveLength(1);
    await mesh.setFact(peerAt(1), { unreachableMs: 1_000 });
    await pass(4);
    // Another repairer has reached it.
    const { unreachableMs: _gone, ...fact } = { ...mesh.peerView.fact(peerAt(1).peerId) };
    await mesh.replaceFact(peerAt(1), fact as never);
    await pass(300);
    expect(mesh.said).toHaveLength(1);
  });

  it('asks each peer now and then only', async () => {
    await pass(600);
    for (const peer of mesh.peers) expect(peer.calls.list).toBeLessThanOrEqual(11);
  });
});
