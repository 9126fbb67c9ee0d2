import { beforeEach, describe, expect, it } from 'vitest';
import { settle } from '#mesh/testing/manual-clock.ts';
import type { AtRiskEntry } from '../queue/at-risk.ts';
import { entryOf, type FakeFile, type FakeMesh, fakeMesh, storeFile } from '../testing/fake-mesh.ts';
import type { FakePeer } from '../testing/fake-peer.ts';
import { type RepairJob, type RunningRepair, startRepair } from './repair.ts';
import type { RepairReport } from './repair-report.ts';

const coding = { k: 3, n: 10 };
let mesh: FakeMesh;
let file: FakeFile;

/** 14 peers: ten hold a share each, and four are empty. */
beforeEach(async () => {
  mesh = await fakeMesh(14);
  file = await storeFile(mesh, coding, 2_000);
});

async function loseShares(...numbers: number[]): Promise<void> {
  for (const number of numbers) await mesh.setState(peerAt(number), 'departed');
}

function peerAt(at: number): FakePeer {
  return mesh.peers[at] as FakePeer;
}

/** Restores eight of ten. */
function entryOfFile(change: Partial<AtRiskEntry> = {}): AtRiskEntry {
  return entryOf(mesh, file, { repairUpTo: 8, ...change });
}

function jobOf(change: Partial<RepairJob> & { entry?: AtRiskEntry } = {}): RepairJob {
  return {
    id: '00000000-0000-4000-8000-000000000001',
    entry: entryOfFile(),
    fence: { scope: 'at-risk/0', generation: 5 },
    urgent: false,
    placed: [],
    signal: new AbortController().signal,
    ...change,
  };
}

function begin(change: Parameters<typeof jobOf>[0] = {}): RunningRepair {
  return startRepair(jobOf(change), mesh.tools);
}

function repair(change: Parameters<typeof begin>[0] = {}): Promise<RepairReport> {
  return begin(change).report;
}

/** Every share that any peer holds is the one that was there at first, byte for byte. */
function expectIdentical(holder: FakeFile = file): void {
  for (const peer of mesh.peers) {
    for (const number of peer.numbersOf(holder.manifest.storageIndex)) {
      const share = peer.shares.get(`${holder.manifest.storageIndex}/${number}`) as Uint8Array;
      expect(Buffer.compare(share, holder.shares[number] as Uint8Array), `share ${number}`).toBe(0);
    }
  }
}

function numbersUp(): number[] {
  const numbers = mesh.peers.filter((peer) => !peer.down).flatMap((peer) => peer.numbersOf(file.manifest.storageIndex));
  return [...new Set(numbers)].sort((a, b) => a - b);
}

function expectNoUploads(): void {
  expect(mesh.peers.map((peer) => peer.uploads.size)).toEqual(mesh.peers.map(() => 0));
}

describe('a repair', () => {
  it('restores the missing shares up to the policy, byte for byte, on peers without one', async () => {
    await loseShares(0, 1, 2, 3, 4, 5);
    const report = await repair();
    expect(report).toMatchObject({
      ending: 'repaired',
      errorCode: '',
      availableBefore: 4,
      availableAfter: 8,
      corrupt: [],
    });
    expect(report.written.map((share) => share.shareNumber)).toEqual([0, 1, 2, 3]);
    expect(report.sources).toHaveLength(3);
    expect(new Set(report.written.map((share) => share.peerId)).size).toBe(4);
    expect(report.bytesWritten).toBe(4 * (file.shares[0]?.length ?? 0));
    expectIdentical();
    expectNoUploads();
  });

  it('reads and writes each small share in one request', async () => {
    await loseShares(0, 1, 2, 3, 4, 5);
    await repair();
    const calls = mesh.peers.map((peer) => peer.calls);
    expect(calls.slice(6, 10).map((each) => each.read)).toEqual(expect.arrayContaining([1]));
    expect(calls.slice(6, 10).reduce((sum, each) => sum + each.read, 0)).toBe(3);
    expect(calls.slice(10).map(({ allocate, write, read }) => ({ allocate, write, read }))).toEqual(
      Array.from({ length: 4 }, () => ({ allocate: 1, write: 1, read: 1 })),
    );
  });

  it('streams files of many segments in pieces', async () => {
    file = await storeFile(mesh, coding, 700_000, 2, 6 * 1024);
    await loseShares(0, 4, 5, 6, 7, 8);
    const report = await repair();
    expect(report).toMatchObject({ ending: 'repaired' });
    expect(report.written.length).toBe(4);
    expectIdentical();
    expectNoUploads();
  });

  it('streams files of very many segments, whose hashes go ahead of the end', async () => {
    file = await storeFile(mesh, coding, 13_000_000, 2, 3_000);
    await loseShares(0, 4, 5, 6, 7, 8);
    const report = await repair();
    expect(report).toMatchObject({ ending: 'repaired', availableAfter: 8 });
    expectIdentical();
    expectNoUploads();
  });

  it('reads a file more than once where its hashes are more than there is memory for', async () => {
    file = await storeFile(mesh, coding, 700_000, 2, 6 * 1024);
    await loseShares(0, 4, 5, 6, 7, 8);
    const segments = Math.ceil(700_000 / (6 * 1024));
    const settings = { ...mesh.tools.settings, hashMemoryBytes: 7 * 32 * segments };
    const report = await startRepair(jobOf(), { ...mesh.tools, settings }).report;
    expect(report).toMatchObject({ ending: 'repaired', availableAfter: 8 });
    expect(report.written.map((share) => share.shareNumber)).toEqual([0, 4, 5, 6]);
    expect(new Set(report.written.map((share) => share.peerId)).size).toBe(4);
    expect(report.bytesRead).toBeGreaterThan(2 * 700_000);
    expectIdentical();
    expectNoUploads();
  });

  it('finds that nothing is to do when peers have come back', async () => {
    await loseShares(0, 1, 2, 3, 4, 5, 6);
    const entry = entryOfFile();
    for (const at of [0, 1, 2, 3, 4, 5, 6]) await mesh.setState(peerAt(at), 'up');
    const report = await repair({ entry });
    expect(report).toMatchObject({ ending: 'not-needed', wanted: [], bytesWritten: 0 });
    expect(mesh.peers.reduce((sum, peer) => sum + peer.calls.allocate, 0)).toBe(0);
  });

  it('leaves alone a file that stands at its trigger again, though not at its goal', async () => {
    await loseShares(0, 1, 2, 3, 4, 5);
    const entry = entryOfFile();
    for (const at of [0, 1, 2]) await mesh.setState(peerAt(at), 'up');
    expect(await repair({ entry })).toMatchObject({ ending: 'not-needed', availableBefore: 7 });
  });

  it('is not blocked by copies: peers that hold another copy of a share take a missing one', async () => {
    // Ten peers, share 0 on seven of them: no peer is without a share.
    mesh = await fakeMesh(10);
    file = await storeFile(mesh, coding, 2_000);
    const { storageIndex } = file.manifest;
    for (const at of [1, 2, 3, 4, 5, 6]) {
      peerAt(at).shares.clear();
      peerAt(at).shares.set(`${storageIndex}/0`, (file.shares[0] as Uint8Array).slice());
    }
    const report = await repair({ entry: entryOfFile({ repairUpTo: 10 }) });
    expect(report).toMatchObject({ ending: 'repaired', availableBefore: 4, availableAfter: 10 });
    expect(numbersUp()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expectIdentical();
  });

  it('is not blocked by corrupt shares either: their peers take other ones', async () => {
    mesh = await fakeMesh(10);
    file = await storeFile(mesh, coding, 2_000);
    const { storageIndex } = file.manifest;
    for (const at of [4, 5, 6, 7, 8, 9]) peerAt(at).shares.set(`${storageIndex}/${at}`, new Uint8Array(50));
    const entry = entryOfFile({ repairUpTo: 8 });
    const sound = entry.placements.filter(({ shareNumber }) => shareNumber < 4);
    const report = await repair({ entry: { ...entry, placements: sound, available: 4, counted: 4 } });
    // The analyzer lists only what is sound; the peers name the corrupt ones too.
    expect(report).toMatchObject({ ending: 'repaired', errorMessage: '' });
  });

  it('copies what a draining peer still serves, and reads no other share for it', async () => {
    await mesh.setState(peerAt(3), 'draining');
    const report = await repair({ entry: entryOfFile({ repairUpTo: 8 }), wanted: [3] });
    expect(report).toMatchObject({ ending: 'repaired', wanted: [3], sources: [peerAt(3).peerId] });
    expect(report.written.map((share) => share.shareNumber)).toEqual([3]);
    expect(report.written[0]?.peerId).not.toBe(peerAt(3).peerId);
    for (const at of [0, 1, 2, 4, 5]) expect(peerAt(at).calls.read).toBe(0);
    expectIdentical();
    expectNoUploads();
  });

  it('copies nothing that counts elsewhere by now', async () => {
    await mesh.setState(peerAt(3), 'draining');
    const share = file.shares[3] as Uint8Array;
    peerAt(12).shares.set(`${file.manifest.storageIndex}/3`, share.slice());
    expect(await repair({ wanted: [3] })).toMatchObject({ ending: 'not-needed', bytesWritten: 0 });
  });

  it('makes a share anew that the draining peer serves badly, and tells it', async () => {
    await mesh.setState(peerAt(3), 'draining');
    (peerAt(3).shares.get(`${file.manifest.storageIndex}/3`) as Uint8Array).fill(7, 500);
    const report = await repair({ wanted: [3] });
    expect(report).toMatchObject({ ending: 'repaired', corrupt: [{ shareNumber: 3, peerId: peerAt(3).peerId }] });
    await settle();
    expect(peerAt(3).advisories).toHaveLength(1);
    const written = report.written[0]?.peerId;
    const copy = mesh.peers.find((peer) => peer.peerId === written)?.shares.get(`${file.manifest.storageIndex}/3`);
    expect(Buffer.compare(copy as Uint8Array, file.shares[3] as Uint8Array)).toBe(0);
  });

  it('copies a share that is longer than its memory in pieces, and checks it at its new place', async () => {
    file = await storeFile(mesh, coding, 4_000_000, 2, 192 * 1024);
    await mesh.setState(peerAt(3), 'draining');
    expect((file.shares[3] as Uint8Array).length).toBeGreaterThan(mesh.tools.settings.windowBytes);
    expect(await repair({ wanted: [3] })).toMatchObject({ ending: 'repaired', sources: [peerAt(3).peerId] });
    expectIdentical();
  });

  it('copies a share of a file of which too few are there to make any anew', async () => {
    await loseShares(1, 2, 4, 5, 6, 7, 8, 9);
    await mesh.setState(peerAt(3), 'draining');
    expect(await repair({ wanted: [3] })).toMatchObject({ ending: 'repaired', errorCode: '' });
  });

  it('counts shares in grace: a suspect peer is not replaced', async () => {
    await loseShares(0, 1, 2, 3);
    for (const at of [4, 5]) await mesh.setState(peerAt(at), 'suspect');
    const report = await repair({ entry: entryOfFile({ counted: 6 }) });
    expect(report.wanted).toEqual([0, 1]);
    expect(report).toMatchObject({ ending: 'repaired', availableBefore: 4 });
  });

  it('moves shares off a draining peer, which serves as a source', async () => {
    await loseShares(0, 1, 2, 3, 4, 5);
    await mesh.setState(peerAt(6), 'draining');
    const report = await repair();
    expect(report.wanted).toEqual([0, 1, 2, 3, 4]);
    expect(report.written).toHaveLength(4);
  });

  it('replaces a source that dies while it is read', async () => {
    file = await storeFile(mesh, coding, 700_000, 2, 6 * 1024);
    await loseShares(0, 1, 2, 3, 4);
    peerAt(5).readsLeft = 4;
    peerAt(6).readsLeft = 5;
    const report = await repair();
    expect(report).toMatchObject({ ending: 'repaired' });
    expectIdentical();
  });

  it('replaces corrupt sources, tells their peers, and tries other subsets before it gives up', async () => {
    await loseShares(0, 1, 2, 3);
    for (const at of [4, 5, 6]) {
      const share = peerAt(at).shares.get(`${file.manifest.storageIndex}/${at}`) as Uint8Array;
      share[100] = (share[100] as number) ^ 1;
    }
    const report = await repair();
    expect(report.ending).toBe('repaired');
    expect(report.corrupt.length).toBeGreaterThan(0);
    for (const { peerId, shareNumber } of report.corrupt) {
      expect(mesh.peers.find((peer) => peer.peerId === peerId)?.advisories).toMatchObject([{ shareNumber }]);
    }
    const restored = report.written.map((share) => share.shareNumber);
    for (const { shareNumber, peerId } of report.written) {
      const peer = mesh.peers.find((each) => each.peerId === peerId);
      expect(
        Buffer.compare(
          peer?.shares.get(`${file.manifest.storageIndex}/${shareNumber}`) as Uint8Array,
          file.shares[shareNumber] as Uint8Array,
        ),
      ).toBe(0);
    }
    expect(restored.length).toBe(report.wanted.length);
  });

  it('a block that is bad in the middle of a share is met and replaced mid-way', async () => {
    file = await storeFile(mesh, coding, 700_000, 2, 6 * 1024);
    await loseShares(0, 1, 2, 3, 4);
    const share = peerAt(5).shares.get(`${file.manifest.storageIndex}/5`) as Uint8Array;
    share[150_000] = (share[150_000] as number) ^ 1;
    const report = await repair();
    expect(report.ending).toBe('repaired');
    expect(report.corrupt.every((bad) => bad.shareNumber === 5)).toBe(true);
  });

  it('calls a file irrecoverable only when every share was tried and too few are good', async () => {
    await loseShares(0, 1, 2, 3, 4, 5);
    for (const at of [6, 7]) peerAt(at).down = true;
    const entry = entryOfFile();
    const report = await repair({ entry });
    expect(report).toMatchObject({ ending: 'too-few-shares', errorCode: 'not-enough-shares', written: [] });
    expectNoUploads();
    // Also those that the list did not name were asked.
    expect(peerAt(12).calls.list).toBeGreaterThan(0);
  });

  it('finds shares on peers of which nobody told', async () => {
    await loseShares(0, 1, 2, 3, 4, 5, 6, 7);
    const entry = entryOfFile();
    peerAt(13).shares.set(`${file.manifest.storageIndex}/2`, (file.shares[2] as Uint8Array).slice());
    expect(await repair({ entry })).toMatchObject({ ending: 'partial' });
    expectIdentical();
  });

  it('asks another peer when the chosen one is full', async () => {
    await loseShares(0, 1, 2, 3, 4, 5);
    const more = await fakeMesh(20);
    mesh = more;
    file = await storeFile(mesh, coding, 2_000);
    await loseShares(0, 1, 2, 3, 4, 5);
    for (const at of [10, 11, 12, 13, 14]) peerAt(at).freeBytes = 10;
    const report = await repair();
    expect(report.ending).toBe('repaired');
    for (const share of report.written)
      expect(mesh.peers.findIndex((peer) => peer.peerId === share.peerId)).toBeGreaterThanOrEqual(15);
  });

  it('spares peers that are busy, as sources and as targets', async () => {
    await loseShares(0, 1, 2, 3);
    const more = await fakeMesh(20);
    mesh = more;
    file = await storeFile(mesh, coding, 2_000);
    await loseShares(0, 1, 2, 3);
    const busyAt = [4, 5, 6, 10, 11, 12, 13];
    const busy = busyAt.map((at) => peerAt(at).peerId);
    for (const at of busyAt) await mesh.setFact(peerAt(at), { busy: 'its processors are busy' });
    const report = await repair();
    expect(report.ending).toBe('repaired');
    expect(report.written.length).toBeGreaterThan(0);
    expect(
      [...report.sources, ...report.written.map(({ peerId }) => peerId)].filter((id) => busy.includes(id)),
    ).toEqual([]);
    expectIdentical();
  });

  it('reads from busy peers and writes to them where no others are left', async () => {
    await loseShares(0, 1, 2, 3, 4, 5);
    for (const peer of mesh.peers) if (peer !== peerAt(10)) await mesh.setFact(peer, { busy: 'its disk is busy' });
    const report = await repair();
    expect(report).toMatchObject({ ending: 'repaired', availableAfter: 8 });
    expect(report.written.map(({ peerId }) => peerId)).toContain(peerAt(10).peerId);
    expectIdentical();
    expectNoUploads();
  });

  it('places what it can when targets are too few, and says so', async () => {
    await loseShares(0, 1, 2, 3, 4, 5);
    for (const at of [10, 11, 12]) await mesh.setState(peerAt(at), 'down');
    const report = await repair();
    expect(report).toMatchObject({ ending: 'partial', errorCode: 'repair-no-target', availableAfter: 5 });
    expect(report.written).toHaveLength(1);
  });

  it('a target that dies before it has the share is replaced', async () => {
    mesh = await fakeMesh(16);
    file = await storeFile(mesh, coding, 2_000);
    await loseShares(0, 1, 2, 3, 4, 5);
    for (const at of [10, 11]) peerAt(at).writesLeft = 0;
    const report = await repair();
    expect(report.ending).toBe('repaired');
    expectIdentical();
  });

  it('a target that dies mid-way costs its share only', async () => {
    file = await storeFile(mesh, coding, 13_000_000, 2, 60 * 1024); // longer shares than are held whole
    await loseShares(0, 1, 2, 3, 4, 5);
    peerAt(11).writesLeft = 2;
    const report = await repair();
    expect(report.ending).toBe('partial');
    expect(report.written).toHaveLength(3);
    expect(report.failedTargets).toContain(peerAt(11).peerId);
    expect(numbersUp()).toHaveLength(7);
    expectIdentical();
  });

  it('believes a share that a target has already only after checking it', async () => {
    await loseShares(0, 1, 2, 3, 4, 5);
    const entry = entryOfFile();
    const damaged = (file.shares[1] as Uint8Array).slice();
    damaged[80] = (damaged[80] as number) ^ 1;
    for (const peer of mesh.peers.slice(10)) {
      peer.shares.set(`${file.manifest.storageIndex}/0`, (file.shares[0] as Uint8Array).slice());
      peer.shares.set(`${file.manifest.storageIndex}/1`, damaged);
    }
    const report = await repair({ entry });
    expect(report.found.map((share) => share.shareNumber)).toEqual([0]);
    expect(report.ending).toBe('partial');
    expect(
      mesh.peers
        .slice(10)
        .flatMap((peer) => peer.advisories)
        .map((advisory) => advisory.shareNumber),
    ).toContain(1);
  });

  it('stops at once when a target has seen a newer owner, and leaves no upload behind', async () => {
    await loseShares(0, 1, 2, 3, 4, 5);
    peerAt(12).admitFence({ scope: 'at-risk/0', generation: 6 });
    const report = await repair();
    expect(report).toMatchObject({ ending: 'fenced', errorCode: 'log-fenced', written: [] });
    expectNoUploads();
  });

  it('called off in the middle, aborts its uploads and lets no share appear', async () => {
    file = await storeFile(mesh, coding, 13_000_000, 2, 60 * 1024); // longer shares than are held whole
    await loseShares(0, 1, 2, 3, 4, 5);
    const stop = new AbortController();
    const started = new Promise<void>((resolve) => {
      peerAt(10).before = (method) => {
        if (method === 'write') resolve();
      };
    });
    const running = begin({ signal: stop.signal });
    await started;
    stop.abort(new Error('stopping'));
    expect(await running.report).toMatchObject({ ending: 'cancelled', written: [] });
    expectNoUploads();
    expect(numbersUp()).toEqual([6, 7, 8, 9]);
  });

  it('does not wait for a source that hangs longer than the hedge', async () => {
    await loseShares(0, 1, 2, 3, 4);
    for (const at of [5, 6]) peerAt(at).hangs = new Set(['read'] as const);
    const running = begin();
    await mesh.clock.advance(10);
    expect(running.progress().phase).toBe('opening');
    await mesh.clock.advance(1_100);
    expect((await running.report).ending).toBe('repaired');
    expectIdentical();
  });

  it('a peer that hangs while it is asked what it holds costs a time limit once, and is avoided afterwards', async () => {
    await loseShares(0, 1, 2, 3);
    await mesh.setState(peerAt(4), 'down');
    peerAt(4).down = false;
    peerAt(4).hangs = new Set(['list'] as const);
    const entry = entryOfFile({
      placements: entryOfFile().placements.map((each) => ({
        ...each,
        available: each.peerId !== peerAt(4).peerId && each.available,
      })),
    });
    const first = begin({ entry });
    await mesh.clock.advance(3_000);
    expect((await first.report).ending).toBe('repaired');
    await begin({ entry }).report;
    expect(peerAt(4).calls.list).toBe(1);
  });

  it('a written share that reads back wrong is not counted, and the others are all checked', async () => {
    await loseShares(0, 1, 2, 3, 4, 5);
    peerAt(10).before = (method) => {
      for (const share of method === 'read' ? peerAt(10).shares.values() : []) share[90] = (share[90] as number) ^ 255;
    };
    const report = await repair();
    expect(report.ending).toBe('partial');
    expect(report.written).toHaveLength(3);
    expect(peerAt(10).advisories).toHaveLength(1);
  });
});
