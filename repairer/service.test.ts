import { propagation } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { FakeLog } from '#log/testing/fake-log.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { settle } from '#mesh/testing/manual-clock.ts';
import type { RepairRow } from '#store/tables.ts';
import type { RepairerOptions } from './options.ts';
import type { AtRiskEntry } from './queue/at-risk.ts';
import type { RecentRepair, RepairerEvent } from './repairer-state.ts';
import type { Repairer } from './service.ts';
import { recordOf, tombstoneOf } from './testing/at-risk-record.ts';
import { entryOf, type FakeFile, type FakeMesh, fakeMesh, storeFile } from './testing/fake-mesh.ts';
import type { FakePeer } from './testing/fake-peer.ts';
import { runRepairer } from './testing/running-repairer.ts';

const topic = 'at-risk';
const coding = { k: 3, n: 10 };
let mesh: FakeMesh;
let log: FakeLog;
let rows: RepairRow[];
let events: RepairerEvent[];
let repairer: Repairer;
let warnings: string[];

beforeEach(async () => {
  mesh = await fakeMesh(16);
  log = new FakeLog([{ name: topic, partitions: 2, compacted: true }]);
  rows = [];
  events = [];
  warnings = [];
});

afterEach(async () => {
  for (const peer of mesh.peers) peer.wake();
  await repairer.stop();
});

async function start(config: Partial<RepairerOptions['config']> = {}): Promise<void> {
  ({ repairer, rows, events, warnings } = await runRepairer(mesh, log, config));
}

function peerAt(at: number): FakePeer {
  return mesh.peers[at] as FakePeer;
}

/** Small files with shares 0 … 4 up, on the first five peers: five more are missing. */
async function weakFiles(count: number): Promise<FakeFile[]> {
  const files: FakeFile[] = [];
  for (let seed = 1; seed <= count; seed++) {
    const file = await storeFile(mesh, coding, 1_000, seed);
    for (const number of [5, 6, 7, 8, 9]) peerAt(number).shares.clear();
    files.push(file);
  }
  return files;
}

function entry(file: FakeFile, change: Partial<AtRiskEntry> = {}): AtRiskEntry {
  return entryOf(mesh, file, { repairUpTo: 8, ...change });
}

function ended(): RecentRepair[] {
  return events.flatMap((event) => (event.kind === 'ended' ? [event.repair] : []));
}

/** Goes on until it is so; a repair needs no time of the fake clock, only turns of the event loop. */
async function until(condition: () => boolean, what: string): Promise<void> {
  for (let turn = 0; turn < 400; turn++) {
    if (condition()) return;
    await settle();
  }
  throw new Error(`it never came to this: ${what}; warnings: ${warnings.join(', ')}`);
}

function indexOf(file: FakeFile): StorageIndex {
  return file.manifest.storageIndex;
}

describe('the repairer', () => {
  it('repairs what stood on the list before it came, and what comes later, and keeps an audit', async () => {
    const [before, later] = (await weakFiles(2)) as [FakeFile, FakeFile];
    await log.append(topic, [recordOf(entry(before))]);
    await start();
    await until(() => ended().length === 1, 'the standing file is repaired');
    await log.append(topic, [recordOf(entry(later), 1)]);
    await until(() => ended().length === 2, 'the later file is repaired');
    expect(ended().map((repair) => [repair.storageIndex, repair.ending])).toEqual([
      [indexOf(before), 'repaired'],
      [indexOf(later), 'repaired'],
    ]);
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatchObject({
      storageIndex: indexOf(before),
      outcome: 'repaired',
      k: 3,
      n: 10,
      availableBefore: 5,
      availableAfter: 8,
      wantedShares: [5, 6, 7],
      writtenShares: [5, 6, 7],
      errorCode: '',
      cause: 'peers went down',
    });
    expect(rows[0]?.targets).toHaveLength(3);
    expect(rows[0]?.generation).toBe(1);
  });

  it('never acts on a record that a later one on the list has overtaken', async () => {
    const [file, other] = (await weakFiles(2)) as [FakeFile, FakeFile];
    await log.append(topic, [recordOf(entry(file)), recordOf(entry(other)), tombstoneOf(indexOf(file))]);
    await start();
    await until(() => ended().length === 1, 'the other file is repaired');
    await settle();
    expect(ended().map((repair) => repair.storageIndex)).toEqual([indexOf(other)]);
    expect(repairer.state().files).toEqual({ critical: 0, 'at-risk': 1, degraded: 0, lost: 0 });
  });

  it('waits for the analyzer after a repair, and is confirmed by the tombstone', async () => {
    const [file] = (await weakFiles(1)) as [FakeFile];
    await log.append(topic, [recordOf(entry(file))]);
    await start();
    await until(() => ended().length === 1, 'it is repaired');
    await log.append(topic, [recordOf(entry(file, { revision: 2 }))]);
    await mesh.clock.advance(1_500);
    expect(ended()).toHaveLength(1);
    await log.append(topic, [tombstoneOf(indexOf(file))]);
    await until(() => events.some((event) => event.kind === 'confirmed'), 'it is confirmed');
    expect(events.at(-1)).toEqual({ kind: 'confirmed', storageIndex: indexOf(file), afterMs: 1_500 });
    expect(repairer.state().files['at-risk']).toBe(0);
  });

  it('looks again when the analyzer says nothing in time, finds its shares, and writes nothing twice', async () => {
    const [file] = (await weakFiles(1)) as [FakeFile];
    await log.append(topic, [recordOf(entry(file))]);
    await start({ confirmTimeoutMs: 10_000 });
    await until(() => ended().length === 1, 'it is repaired');
    await mesh.clock.advance(10_000);
    await until(() => ended().length === 2, 'it is looked at again');
    expect(events.map((event) => event.kind)).toContain('unconfirmed');
    expect(ended()[1]).toMatchObject({ ending: 'not-needed', bytesWritten: 0 });
  });

  it('a file that falls further while it waits for confirmation is repaired again at once', async () => {
    const [file] = (await weakFiles(1)) as [FakeFile];
    await log.append(topic, [recordOf(entry(file))]);
    await start();
    await until(() => ended().length === 1, 'it is repaired');
    for (const at of [0, 1, 2, 3]) peerAt(at).shares.clear();
    const targets = new Set(ended()[0]?.targets);
    for (const peer of mesh.peers)
      if (targets.has(peer.peerId) && peer !== peerAt(15)) peer.shares.delete(`${indexOf(file)}/7`);
    await log.append(topic, [recordOf(entry(file, { grade: 'critical', revision: 2 }))]);
    await until(() => ended().length === 2, 'it is repaired again');
    expect(ended()[1]?.repairClass).toBe('critical');
  });

  it('lets a newly critical file overtake, in a lane of its own', async () => {
    const files = await weakFiles(4);
    for (const peer of mesh.peers.slice(0, 5)) peer.hangs = new Set(['read'] as const);
    await log.append(
      topic,
      files.slice(0, 3).map((file) => recordOf(entry(file))),
    );
    await start({ maxConcurrentRepairs: 1, smallRepairsPerLane: 1, criticalLanes: 1 });
    await until(() => repairer.state().running.length === 1, 'the only bulk lane is busy');
    const urgent = files[3] as FakeFile;
    await log.append(topic, [recordOf(entry(urgent, { grade: 'critical' }))]);
    await until(() => repairer.state().running.length === 2, 'the critical lane has started');
    expect(repairer.state().running.map((running) => [running.lane, running.repairClass])).toEqual([
      ['bulk', 'at-risk'],
      ['critical', 'critical'],
    ]);
    expect(repairer.state().files).toEqual({ critical: 1, 'at-risk': 3, degraded: 0, lost: 0 });
    for (const peer of mesh.peers) peer.wake();
    await until(() => ended().length === 4, 'all are repaired');
  });

  it.each([
    ['several files in one lane where all of their shares have room in its memory', 16 * 1024 * 1024, 4],
    ['one file in a lane where they have not', 20_000, 1],
  ])('repairs %s', async (_, windowBytes, atOnce) => {
    const files = await weakFiles(6);
    for (const peer of mesh.peers.slice(0, 5)) peer.hangs = new Set(['read'] as const);
    await log.append(
      topic,
      files.map((file) => recordOf(entry(file))),
    );
    await start({ maxConcurrentRepairs: 1, smallRepairsPerLane: 4, windowBytes });
    await until(() => repairer.state().running.length === atOnce, 'the lane is taken');
    await settle();
    expect(repairer.state().running).toHaveLength(atOnce);
  });

  it('does not starve the others when critical files keep coming', async () => {
    const files = await weakFiles(12);
    const records = files.map((file, at) =>
      recordOf(entry(file, { grade: at === 0 ? 'at-risk' : 'critical', risk: at === 0 ? 0.1 : 10 })),
    );
    await log.append(topic, records);
    await start({ maxConcurrentRepairs: 1, smallRepairsPerLane: 1, criticalLanes: 1 });
    await until(() => ended().length === 12, 'all are repaired');
    const place = ended().findIndex((repair) => repair.storageIndex === indexOf(files[0] as FakeFile));
    expect(place).toBeLessThan(11);
  });

  it('holds bulk repair while half the mesh has just gone silent, says why, and goes on when it is back', async () => {
    const [bulk, urgent] = (await weakFiles(2)) as [FakeFile, FakeFile];
    await start();
    for (const peer of mesh.peers.slice(5, 14)) await mesh.setFact(peer, { state: 'suspect' });
    await mesh.clock.advance(5_000);
    expect(repairer.state().brake).toMatchObject({ held: true, silentPeers: 9, peers: 16 });
    expect(repairer.state().brake.reason).toMatch(/9 of 16 peers went silent/);
    await log.append(topic, [recordOf(entry(bulk)), recordOf(entry(urgent, { grade: 'critical' }))]);
    await until(() => ended().length === 1, 'the critical file is repaired');
    await settle();
    expect(ended().map((repair) => repair.repairClass)).toEqual(['critical']);
    for (const peer of mesh.peers) await mesh.setFact(peer, { state: 'up' });
    await mesh.clock.advance(5_000);
    await until(() => ended().some((repair) => repair.repairClass === 'at-risk'), 'the bulk file is repaired');
    expect(events.filter((event) => event.kind === 'brake').map((event) => event.brake.held)).toEqual([true, false]);
  });

  it('holds bulk repair while what is held of the peers is old, says so, and neither holds nor releases the brake by it', async () => {
    const [bulk, urgent] = (await weakFiles(2)) as [FakeFile, FakeFile];
    await start();
    mesh.setPeersAge(16_000);
    for (const peer of mesh.peers.slice(5, 14)) await mesh.setFact(peer, { state: 'suspect' });
    await mesh.clock.advance(5_000);
    expect(repairer.state()).toMatchObject({ peers: { isFresh: false, ageMs: 16_000 }, brake: { held: false } });
    expect(repairer.state().bulkHeld).toMatch(/states of the peers are 16 s old/);
    await log.append(topic, [recordOf(entry(bulk)), recordOf(entry(urgent, { grade: 'critical' }))]);
    await until(() => ended().length === 1, 'the critical file is repaired');
    await settle();
    expect(ended().map((repair) => repair.repairClass)).toEqual(['critical']);
    for (const peer of mesh.peers) await mesh.setFact(peer, { state: 'up' });
    mesh.setPeersAge(0);
    await mesh.clock.advance(5_000);
    await until(() => ended().some((repair) => repair.repairClass === 'at-risk'), 'the bulk file is repaired');
    expect(repairer.state().bulkHeld).toBeNull();
  });

  it('does not date silences anew when it starts: what went silent before the window holds nothing', async () => {
    for (const peer of mesh.peers.slice(5)) await mesh.setFact(peer, { state: 'down', silenceMs: 3_600_000 });
    const [bulk] = (await weakFiles(1)) as [FakeFile];
    await log.append(topic, [recordOf(entry(bulk))]);
    await start();
    expect(repairer.state().brake.held).toBe(false);
    await until(() => ended().length === 1, 'it is tried');
  });

  it('takes up what failed as soon as something comes that could help, and not before', async () => {
    const [file] = (await weakFiles(1)) as [FakeFile];
    for (const peer of mesh.peers.slice(5)) await mesh.setState(peer, 'down');
    await log.append(topic, [recordOf(entry(file, { grade: 'critical' }))]);
    await start({ brakeSilentRatio: 1 });
    await until(() => ended().length === 1, 'it failed');
    expect(ended()[0]).toMatchObject({ ending: 'failed', errorCode: 'repair-no-target' });
    await mesh.clock.advance(20_000);
    expect(ended()).toHaveLength(1);
    for (const peer of mesh.peers.slice(5)) await mesh.setState(peer, 'up');
    await mesh.clock.advance(5_000);
    await until(() => ended().length === 2, 'it is repaired');
    expect(ended()[1]?.ending).toBe('repaired');
  });

  it('a fault that passes is tried again soon, one that does not rests longer each time', async () => {
    const [file] = (await weakFiles(1)) as [FakeFile];
    for (const at of [1, 2, 3, 4]) peerAt(at).down = true;
    await log.append(topic, [recordOf(entry(file))]);
    await start({ retryAfterMs: 60_000 });
    await until(() => ended().length === 1, 'it failed');
    expect(ended()[0]).toMatchObject({ ending: 'too-few-shares', errorCode: 'not-enough-shares' });
    expect(rows[0]).toMatchObject({ outcome: 'failed', errorCode: 'not-enough-shares' });
    expect(repairer.state().failing).toMatchObject([
      { storageIndex: indexOf(file), tries: 1, errorCode: 'not-enough-shares' },
    ]);
    expect(repairer.state().failing[0]?.nextTryAtMs).toBeGreaterThan(mesh.clock.nowMs() + 50_000);
    await mesh.clock.advance(50_000);
    expect(ended()).toHaveLength(1);
    await mesh.clock.advance(20_000);
    await until(() => ended().length === 2, 'it is tried again');
    await mesh.clock.advance(100_000);
    expect(ended()).toHaveLength(2);
    for (const at of [1, 2, 3, 4]) peerAt(at).down = false;
    await mesh.clock.advance(40_000);
    await until(() => ended().length === 3, 'it is tried a third time');
    expect(ended()[2]?.ending).toBe('repaired');
    expect(repairer.state().failing).toEqual([]);
  });

  it('copies nothing for a peer that flaps: each time it is found back before its file is touched', async () => {
    const [file] = (await weakFiles(1)) as [FakeFile];
    for (const at of [5, 6]) peerAt(at).shares.set(`${indexOf(file)}/${at}`, (file.shares[at] as Uint8Array).slice());
    const weak = entry(file, { counted: 5, available: 5 });
    await start();
    for (let time = 1; time <= 4; time++) {
      await log.append(topic, [recordOf({ ...weak, revision: time })]);
      await until(() => ended().length === time, `it is looked at ${time} times`);
      await log.append(topic, [tombstoneOf(indexOf(file))]);
      await settle();
    }
    expect(ended().map((repair) => repair.ending)).toEqual(Array.from({ length: 4 }, () => 'not-needed'));
    expect(mesh.peers.reduce((sum, peer) => sum + peer.calls.allocate + peer.calls.write, 0)).toBe(0);
  });

  it('a partition that is taken away ends its repairs and empties its part of the queue', async () => {
    const files = await weakFiles(2);
    for (const peer of mesh.peers) peer.hangs = new Set(['write'] as const);
    await log.append(
      topic,
      files.map((file, at) => recordOf(entry(file), at % 2)),
    );
    await start({ maxConcurrentRepairs: 2 });
    await until(
      () => repairer.state().running.filter((running) => running.phase === 'transferring').length === 2,
      'writing has begun',
    );
    await log.revoke([0]);
    await until(() => ended().length === 1, 'the repair of partition 0 is over');
    expect(ended()[0]).toMatchObject({ ending: 'fenced', errorCode: 'log-fenced' });
    expect(rows[0]).toMatchObject({ outcome: 'cancelled', errorCode: 'log-fenced' });
    expect(repairer.state().partitions).toEqual([{ partition: 1, generation: 1 }]);
    expect(repairer.state().files['at-risk']).toBe(1);
  });

  it('the next owner of a partition overtakes uploads of the one before', async () => {
    const [file] = (await weakFiles(1)) as [FakeFile];
    for (const peer of mesh.peers) peer.admitFence({ scope: `${topic}/0`, generation: 1 });
    await log.append(topic, [recordOf(entry(file))]);
    await start();
    await until(() => ended().length === 1, 'it is repaired');
    await log.revoke([0]);
    await log.assign([0]);
    await until(() => ended().length === 2, 'the list is read again');
    expect(rows[1]?.generation).toBe(2);
    const outdated = mesh.peers.filter((peer) => {
      try {
        peer.admitFence({ scope: `${topic}/0`, generation: 1 });
        return false;
      } catch {
        return true;
      }
    });
    expect(outdated.length).toBeGreaterThan(0);
  });

  it('stopped in the middle leaves no upload behind, and a new one does the work again', async () => {
    const [file] = (await weakFiles(1)) as [FakeFile];
    for (const peer of mesh.peers) peer.hangs = new Set(['write'] as const);
    await log.append(topic, [recordOf(entry(file))]);
    await start();
    await until(() => repairer.state().running[0]?.phase === 'transferring', 'writing has begun');
    await repairer.stop();
    expect(ended()).toMatchObject([{ ending: 'cancelled' }]);
    expect(mesh.peers.every((peer) => peer.uploads.size === 0)).toBe(true);
    for (const peer of mesh.peers) peer.wake();
    await start();
    await until(() => ended().length === 1, 'it is repaired');
    expect(ended()[0]?.ending).toBe('repaired');
  });

  it('what did not fit in memory is read again from the log when there is room', async () => {
    const files = await weakFiles(6);
    await log.append(
      topic,
      files.map((file, at) => recordOf(entry(file, { risk: at }))),
    );
    await start({ maxQueuedFiles: 3, maxConcurrentRepairs: 1, smallRepairsPerLane: 1, criticalLanes: 1 });
    repairer.subscribe((event) => {
      // The analyzer sees every repair.
      if (event.kind === 'ended') void log.append(topic, [tombstoneOf(event.repair.storageIndex)]);
    });
    await until(() => ended().length >= 3, 'those that fitted are repaired');
    for (let minute = 0; minute < 5; minute++) await mesh.clock.advance(60_000);
    await until(() => ended().length === 6, 'the rest is repaired too');
    expect(repairer.state().leftOutPartitions).toEqual([]);
    expect(new Set(ended().map((repair) => repair.storageIndex)).size).toBe(6);
    expect(
      ended()
        .slice(0, 3)
        .map((repair) => repair.storageIndex),
    ).toEqual([files[5], files[4], files[3]].map((file) => indexOf(file as FakeFile)));
  });

  it('a record that is not usable is counted, told and passed over', async () => {
    const [file] = (await weakFiles(1)) as [FakeFile];
    await log.append(topic, [
      { partition: 0, key: Buffer.alloc(16, 1), value: Buffer.from([0xff, 0xff]) },
      { partition: 0, key: Buffer.from('?'), value: null },
      recordOf(entry(file)),
    ]);
    await start();
    await until(() => ended().length === 1, 'the good one is repaired');
    expect(warnings.filter((warning) => warning.includes('not usable'))).toHaveLength(2);
  });

  it('continues the trace that the record on the list carries, into the audit', async () => {
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    onTestFinished(() => propagation.disable());
    const [traced, untraced] = (await weakFiles(2)) as [FakeFile, FakeFile];
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    await log.append(topic, [
      recordOf(entry(traced, { risk: 9 }), 0, { traceparent: `00-${traceId}-b7ad6b7169203331-01` }),
      recordOf(entry(untraced)),
    ]);
    await start();
    await until(() => ended().length === 2, 'both are repaired');
    expect(new Map(rows.map((row) => [row.storageIndex, row.traceId]))).toEqual(
      new Map([
        [indexOf(traced), traceId],
        [indexOf(untraced), ''],
      ]),
    );
  });

  it('an audit row that cannot be kept is told, and does not stop repairs', async () => {
    const [file] = (await weakFiles(1)) as [FakeFile];
    await log.append(topic, [recordOf(entry(file))]);
    await start();
    rows.push = () => {
      throw new Error('the store is full');
    };
    await until(() => ended().length === 1, 'it is repaired');
    expect(warnings).toContain('the audit of a repair could not be kept');
  });
});
