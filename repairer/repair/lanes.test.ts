import { beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '#mesh/config/load.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { RepairRow } from '#store/tables.ts';
import { createRepairerMetrics } from '../metrics.ts';
import type { AtRiskEntry } from '../queue/at-risk.ts';
import { type QueuedFile, RepairQueue } from '../queue/queue.ts';
import type { StandingList } from '../queue/standing-list.ts';
import type { RepairerEvent } from '../repairer-state.ts';
import { entryOf, type FakeFile, type FakeMesh, fakeMesh, noMeter, noTracer, storeFile } from '../testing/fake-mesh.ts';
import type { FakePeer } from '../testing/fake-peer.ts';
import { until } from '../testing/running-repairer.ts';
import { fenceScope, RepairLanes } from './lanes.ts';

const config = {
  ...loadConfig().config.repairer,
  retryAfterMs: 60_000,
  confirmTimeoutMs: 10_000,
  smallRepairsPerLane: 1,
};
let mesh: FakeMesh;
let file: FakeFile;
let queue: RepairQueue;
let lanes: RepairLanes;
let entries: Map<string, AtRiskEntry | undefined>;
let rows: RepairRow[];
let events: RepairerEvent[];
let freed: number;
let disagreements: number;
let confirmed: boolean;
let owned: boolean;
let enqueue: (rows: readonly RepairRow[]) => Promise<void>;

/** Shares 0 … 4 are there, five more are missing, and six peers are without one. */
beforeEach(async () => {
  mesh = await fakeMesh(16);
  file = await storeFile(mesh, { k: 3, n: 10 }, 1_000);
  for (const at of [5, 6, 7, 8, 9]) (mesh.peers[at] as FakePeer).shares.clear();
  queue = new RepairQueue({ maxFiles: 10, maxHeldBytes: 1e6 });
  entries = new Map([[file.manifest.storageIndex, entryOf(mesh, file, { repairUpTo: 8 })]]);
  rows = [];
  events = [];
  freed = 0;
  disagreements = 0;
  confirmed = true;
  owned = true;
  enqueue = (added) => {
    rows.push(...added);
    return Promise.resolve();
  };
  lanes = new RepairLanes({
    config,
    tools: mesh.tools,
    queue,
    list: {
      isConfirmed: () => confirmed,
      entryOf: ({ storageIndex }: QueuedFile) => Promise.resolve(entries.get(storageIndex)),
    } as unknown as StandingList,
    writer: { enqueue: (_table, added) => enqueue(added) },
    isTakenElsewhere: () => false,
    telemetry: {
      metrics: {
        ...createRepairerMetrics(noMeter, {
          queued: () => queue.lengths(),
          running: () => 0,
          leftOutPartitions: () => 0,
          brakeHeld: () => false,
          peersAgeMs: () => 0,
          uploadBytes: () => 0,
        }),
        disagreed: () => disagreements++,
      },
      tracer: noTracer,
      logger: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
    },
    fenceOf: (partition) => (owned ? { scope: fenceScope('at-risk', partition), generation: 3 } : undefined),
    events: { emit: (event) => events.push(event), free: () => freed++, recorded: () => undefined },
  });
});

function take(): QueuedFile {
  queue.offer({
    storageIndex: file.manifest.storageIndex,
    repairClass: 'at-risk',
    risk: 1,
    sinceMs: 1,
    partition: 2,
    offset: 7,
    generation: 1,
    value: null,
    headers: {},
  });
  return queue.take('any', mesh.clock.nowMs()) as QueuedFile;
}

async function run(): Promise<QueuedFile> {
  const taken = take();
  lanes.start('bulk', taken);
  await until(() => freed > 0, 'the lane is free');
  return taken;
}

describe('a lane', () => {
  it('repairs, keeps the audit, tells of it, and lets the file rest until the analyzer may have seen it', async () => {
    const taken = await run();
    expect(events.map((event) => event.kind)).toEqual(['started', 'ended']);
    expect(rows).toMatchObject([{ outcome: 'repaired', generation: 3, writtenShares: [5, 6, 7] }]);
    expect(lanes.recent).toMatchObject([{ ending: 'repaired' }]);
    expect(taken).toMatchObject({ state: 'resting', attempts: 0, repairedAtMs: mesh.clock.nowMs() });
    expect(taken.restUntilMs).toBe(mesh.clock.nowMs() + config.confirmTimeoutMs);
    expect(taken.placed.map((share) => share.shareNumber).sort()).toEqual([5, 6, 7]);
    expect(lanes.size).toBe(0);
  });

  it('lets a file rest for longer each time where only the mesh can help', async () => {
    for (const peer of mesh.peers.slice(5)) await mesh.setState(peer, 'down');
    const taken = await run();
    expect(rows).toMatchObject([{ outcome: 'failed', errorCode: 'repair-no-target' }]);
    const first = taken.restUntilMs - mesh.clock.nowMs();
    expect(first).toBeGreaterThanOrEqual(0.9 * config.retryAfterMs);
    queue.release(taken);
    queue.take('any', mesh.clock.nowMs());
    freed = 0;
    lanes.start('bulk', taken);
    await until(() => freed > 0, 'the lane is free');
    expect(taken.attempts).toBe(2);
    expect(taken.restUntilMs - mesh.clock.nowMs()).toBeGreaterThan(1.5 * config.retryAfterMs);
  });

  it('looks again soon at a file that it found well enough and the analyzer lists, then more and more rarely', async () => {
    for (const [number, share] of file.shares.entries())
      mesh.peers[number]?.shares.set(`${file.manifest.storageIndex}/${number}`, share.slice());
    entries.set(file.manifest.storageIndex, entryOf(mesh, file, { repairUpTo: 8, counted: 5, available: 5 }));
    const taken = await run();
    expect(rows).toMatchObject([{ outcome: 'not-needed' }]);
    expect(disagreements).toBe(1);
    expect(taken.restUntilMs - mesh.clock.nowMs()).toBe(5_000);
    queue.release(taken);
    queue.take('any', mesh.clock.nowMs());
    freed = 0;
    lanes.start('bulk', taken);
    await until(() => freed > 0, 'the lane is free');
    expect(taken.restUntilMs - mesh.clock.nowMs()).toBe(10_000);
  });

  it('does nothing with what is not confirmed, is not ours, or has been superseded', async () => {
    confirmed = false;
    const held = await run();
    expect(held).toMatchObject({ state: 'resting', restUntilMs: Number.POSITIVE_INFINITY });
    confirmed = true;
    entries.clear();
    queue.remove(held.storageIndex);
    freed = 0;
    expect((await run()).state).toBe('resting');
    owned = false;
    queue.remove(held.storageIndex);
    freed = 0;
    await run();
    expect(events).toEqual([]);
    expect(mesh.peers.every((peer) => peer.calls.list === 0)).toBe(true);
  });

  it('goes on without the audit where the store takes nothing', async () => {
    enqueue = () => new Promise(() => undefined);
    lanes.start('bulk', take());
    for (let second = 0; second < 31; second++) await mesh.clock.advance(1000);
    await until(() => freed > 0, 'the lane is free');
    expect(lanes.recent).toMatchObject([{ ending: 'repaired' }]);
  });

  it('that is called off ends with its uploads aborted, and its file is tried again later', async () => {
    for (const peer of mesh.peers) peer.hangs = new Set(['write']);
    const taken = take();
    lanes.start('critical', taken);
    await until(() => lanes.running()[0]?.phase === 'transferring', 'it writes');
    expect([lanes.count('critical'), lanes.count('bulk')]).toEqual([1, 0]);
    await lanes.callOff(new MeshwardError('cancelled', 'stopping', { next: 'x' }), (partition) => partition === 3);
    expect(lanes.size).toBe(1);
    await lanes.callOff(new MeshwardError('cancelled', 'stopping', { next: 'x' }));
    expect(lanes.size).toBe(0);
    expect(rows).toMatchObject([{ outcome: 'cancelled' }]);
    expect(mesh.peers.every((peer) => peer.uploads.size === 0)).toBe(true);
    expect(taken.restUntilMs).toBe(mesh.clock.nowMs() + config.retryAfterMs);
  });

  it('tells that a repair is confirmed when the file leaves the list', async () => {
    const taken = await run();
    await mesh.clock.advance(2_000);
    queue.remove(taken.storageIndex);
    lanes.offTheList(taken);
    expect(events.at(-1)).toEqual({ kind: 'confirmed', storageIndex: file.manifest.storageIndex, afterMs: 2_000 });
  });
});
