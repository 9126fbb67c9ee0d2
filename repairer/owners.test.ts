/** Repairers and analyzers that come and go in the middle of the work. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeLog } from '#log/testing/fake-log.ts';
import { settle } from '#mesh/testing/manual-clock.ts';
import type { AtRiskEntry } from './queue/at-risk.ts';
import { ownerRecordOf, recordOf, tombstoneOf, under } from './testing/at-risk-record.ts';
import { entryOf, type FakeFile, type FakeMesh, fakeMesh, storeFile } from './testing/fake-mesh.ts';
import type { FakePeer } from './testing/fake-peer.ts';
import { type RunningRepairer, runRepairer, until } from './testing/running-repairer.ts';

const topic = 'at-risk';
let mesh: FakeMesh;
let log: FakeLog;
let running: RunningRepairer[];

beforeEach(async () => {
  mesh = await fakeMesh(16);
  log = new FakeLog([{ name: topic, partitions: 1, compacted: true }]);
  running = [];
});

afterEach(async () => {
  for (const peer of mesh.peers) peer.wake();
  for (const { repairer } of running) await repairer.stop();
});

async function start(of: FakeLog = log): Promise<RunningRepairer> {
  const started = await runRepairer(mesh, of);
  running.push(started);
  return started;
}

/** Shares 0 … 4 of ten are up: five are missing. */
async function weakFile(seed: number): Promise<FakeFile> {
  const file = await storeFile(mesh, { k: 3, n: 10 }, 1_000, seed);
  for (const number of [5, 6, 7, 8, 9]) (mesh.peers[number] as FakePeer).shares.clear();
  return file;
}

const entry = (file: FakeFile, change: Partial<AtRiskEntry> = {}): AtRiskEntry =>
  entryOf(mesh, file, { repairUpTo: 8, ...change });

/** Peers that hold each share of the file now. */
function holders(file: FakeFile): number[] {
  return Array.from({ length: 10 }, (_, number) => {
    return mesh.peers.filter((peer) => peer.shares.has(`${file.manifest.storageIndex}/${number}`)).length;
  });
}

describe('when an analyzer takes a partition over', () => {
  it('nothing that it has not confirmed is repaired; once it has, everything that still stands is', async () => {
    const file = await weakFile(1);
    await log.append(topic, [under(1, recordOf(entry(file))), ownerRecordOf(2)]);
    const { repairer, ended } = await start();
    await until(() => repairer.state().ready, 'the list is read');
    await mesh.clock.advance(600_000);
    expect(ended()).toEqual([]);
    expect(repairer.state().unconfirmedPartitions).toEqual([0]);
    await log.append(topic, [ownerRecordOf(2, { fenceOffset: 1, confirmed: true })]);
    await until(() => ended().length === 1, 'it is repaired');
    expect(repairer.state().unconfirmedPartitions).toEqual([]);
  });

  it('what it wrote itself is repaired before it has confirmed the rest', async () => {
    const [old, anew] = [await weakFile(1), await weakFile(2)];
    await log.append(topic, [under(1, recordOf(entry(old))), under(1, recordOf(entry(anew))), ownerRecordOf(2)]);
    const { ended } = await start();
    await settle();
    await log.append(topic, [under(2, recordOf(entry(anew, { revision: 2 })))]);
    await until(() => ended().length === 1, 'it is repaired');
    await mesh.clock.advance(100_000);
    expect(ended().map(({ storageIndex }) => storageIndex)).toContain(anew.manifest.storageIndex);
    expect(ended().map(({ storageIndex }) => storageIndex)).not.toContain(old.manifest.storageIndex);
  });

  it('what the last one still writes changes nothing: neither an entry nor a tombstone', async () => {
    const [listed, unlisted] = [await weakFile(1), await weakFile(2)];
    const confirmed = ownerRecordOf(2, { confirmed: true });
    await log.append(topic, [confirmed]);
    const { repairer, ended } = await start();
    for (const peer of mesh.peers) peer.hangs = new Set(['read'] as const);
    await log.append(topic, [under(2, recordOf(entry(listed)))]);
    await until(() => repairer.state().running.length === 1, 'it is being repaired');
    await log.append(topic, [under(1, recordOf(entry(unlisted))), under(1, tombstoneOf(listed.manifest.storageIndex))]);
    await settle();
    expect(repairer.state().files['at-risk']).toBe(1);
    for (const peer of mesh.peers) peer.wake();
    await until(() => ended().length === 1, 'it is repaired');
    expect(ended()[0]?.storageIndex).toBe(listed.manifest.storageIndex);
  });

  it('a repairer that comes later reads the same of the compacted log', async () => {
    const [old, late] = [await weakFile(1), await weakFile(2)];
    await log.append(topic, [
      under(1, recordOf(entry(old))),
      ownerRecordOf(2),
      under(1, recordOf(entry(late))),
      ownerRecordOf(2, { fenceOffset: 1, confirmed: true }),
    ]);
    log.compact(topic);
    const { ended, repairer } = await start();
    await until(() => ended().length === 1, 'what stood before the fence is repaired');
    await settle();
    expect(ended().map(({ storageIndex }) => storageIndex)).toEqual([old.manifest.storageIndex]);
    expect(repairer.state().files['at-risk']).toBe(1);
  });
});

describe('when a partition goes to another repairer', () => {
  it('in the middle of a repair, the first one stops, and the second one alone writes every share, once', async () => {
    const file = await weakFile(1);
    for (const peer of mesh.peers) peer.hangs = new Set(['write'] as const);
    await log.append(topic, [recordOf(entry(file))]);
    const first = await start();
    await until(() => first.repairer.state().running[0]?.phase === 'transferring', 'writing has begun');
    await log.revoke([0]);
    for (const peer of mesh.peers) peer.wake();
    expect(first.ended()).toMatchObject([{ ending: 'fenced' }]);
    // The next owner comes with the next generation of the same partition.
    const second = await start();
    await log.revoke([0]);
    await log.assign([0]);
    await until(() => second.ended().some(({ ending }) => ending === 'repaired'), 'it is repaired');
    await settle();
    expect(holders(file)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
    expect(first.repairer.state().running).toEqual([]);
  });

  it('after a repair that no analyzer has seen yet, the second one finds the shares and writes none of them again', async () => {
    const file = await weakFile(1);
    await log.append(topic, [recordOf(entry(file))]);
    const first = await start();
    await until(() => first.ended().length === 1, 'it is repaired');
    const before = holders(file);
    await log.revoke([0]);
    const second = await start();
    await until(() => second.ended().length === 1, 'it is looked at');
    expect(second.ended()[0]).toMatchObject({ ending: 'repaired', bytesWritten: 0 });
    expect(holders(file)).toEqual(before);
  });
});
