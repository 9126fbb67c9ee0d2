import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import { loadConfig } from '#mesh/config/load.ts';
import type { Grade } from '#mesh/grade.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { fileOf } from '#mesh/testing/share-events.ts';
import type { HealthRow, PartitionChanges } from '../ports.ts';
import { MemoryStore } from '../testing/memory-store.ts';
import { eventually, peers, TestMesh } from '../testing/mesh.ts';
import { Keeper, type KeeperOptions } from './keeper.ts';
import type { OwnedPartition } from './partition/owned-partition.ts';
import { UnsavedHealth } from './partition/unsaved-health.ts';
import { WaitingHistory } from './waiting-history.ts';

/** Placements wait for as long as the test wants; rows of health are there at once. */
class SlowPlacements extends MemoryStore {
  #held: PromiseWithResolvers<void> | null = null;
  saving = 0;

  hold(): void {
    this.#held = Promise.withResolvers();
  }

  release(): void {
    this.#held?.resolve();
    this.#held = null;
  }

  override async savePartitions(partitions: readonly PartitionChanges[]): Promise<void> {
    this.saving += partitions.length;
    if (partitions.length > 0) await this.#held?.promise;
    this.saving -= partitions.length;
    await super.savePartitions(partitions);
  }

  override async saveHealth(rows: readonly HealthRow[]): Promise<void> {
    await super.saveHealth(rows);
    await this.flush();
  }
}

describe('while placements of a partition take their time to be stored', () => {
  let mesh: TestMesh;
  let store: SlowPlacements;
  beforeEach(async () => {
    mesh = await TestMesh.open();
    store = new SlowPlacements(() => mesh.wallMs);
    await mesh.announce();
    await mesh.put([1, 2]);
    await mesh.pass(2000, peers);
    const running = await mesh.start(store);
    await mesh.seenBy(running);
    await mesh.committed();
    await running.kill();
    // Rows that have stood for a while.
    await mesh.pass(10_000, peers);
  });
  afterEach(() => mesh.close());

  const storedGrade = (file: number): Grade | undefined => store.rows.health.get(fileOf(file))?.health.grade;
  const placementsOf = (file: number): number => {
    const { placements } = store.rows.partition(mesh.partitionOf(fileOf(file)));
    return [...placements.values()].filter(({ storageIndex }) => storageIndex === fileOf(file)).length;
  };

  it('health, sweeps and alerts are stored, again and again; no offset is committed before the placements are there', async () => {
    const running = await mesh.start(store);
    await mesh.seenBy(running);
    await mesh.committed();
    const { committed } = await mesh.offsets();
    store.hold();
    await mesh.put([3]);
    await eventually(() => expect(store.saving).toBeGreaterThan(0));
    await mesh.lose(1, [0, 1, 2]);
    await eventually(() => expect(storedGrade(1)).toBe('at-risk'));
    await mesh.lose(2, [0, 1, 2]);
    await eventually(() => expect(storedGrade(2)).toBe('at-risk'));
    const sweeps = store.rows.sweeps.length;
    const { sweeps: swept } = running.counted;
    await eventually(() => expect(running.counted.sweeps).toBeGreaterThan(swept + 2));
    await mesh.pass(2000, peers);
    expect(placementsOf(3)).toBe(0);
    expect((await mesh.offsets()).committed).toEqual(committed);
    store.release();
    await mesh.committed();
    expect(placementsOf(3)).toBe(6);
    expect(placementsOf(1)).toBe(3);
    expect(store.rows.sweeps.length).toBeGreaterThan(sweeps);
  });

  it('an analyzer that comes after a crash finds health ahead of placements, and mends what is not so any more', async () => {
    const first = await mesh.start(store, { tuning: { stopTimeoutMs: 20 } });
    await mesh.seenBy(first);
    await mesh.committed();
    store.hold();
    await mesh.put([3]);
    await eventually(() => expect(store.saving).toBeGreaterThan(0));
    await mesh.lose(1, [0, 1, 2]);
    await mesh.lose(2, [0, 1, 2]);
    // The third is only arriving: its first row waits for its placements.
    await eventually(() => expect([1, 2, 3].map(storedGrade)).toEqual(['at-risk', 'at-risk', undefined]));
    expect(placementsOf(1)).toBe(6);
    const after = store.successor();
    await first.kill();
    await mesh.put([2], [0, 1, 2]);
    await mesh.pass(2000, peers);

    const second = await mesh.start(after);
    await mesh.seenBy(second);
    await mesh.committed();
    expect([1, 2, 3].map((file) => second.analyzer.file(fileOf(file))?.health.grade)).toEqual([
      'at-risk',
      'healthy',
      'healthy',
    ]);
    expect([1, 2, 3].map(storedGrade)).toEqual(['at-risk', 'healthy', 'healthy']);
    expect([1, 2, 3].map(placementsOf)).toEqual([3, 6, 6]);
    // Each change of a grade is told once, whoever told it.
    const changes = (file: number) =>
      store.rows.gradeChanges
        .filter(({ health }) => health.storageIndex === fileOf(file))
        .map(({ previousGrade, health }) => `${previousGrade} → ${health.grade}`);
    expect(changes(1).at(-1)).toBe('healthy → at-risk');
    expect(changes(1).filter((change) => change.endsWith('at-risk'))).toHaveLength(1);
    expect(changes(2).slice(-2)).toEqual(['healthy → at-risk', 'at-risk → healthy']);
    expect(changes(3)).toEqual(['null → healthy']);
  });
});

describe('a pass of the keeper', () => {
  it('is over only when the store has acknowledged what was found while it flushed', async () => {
    const file = fileOf(1);
    const unsavedHealth = new UnsavedHealth(() => true);
    const partition = { number: 1, nextOffset: 5, committedOffset: 5, unsavedHealth } as unknown as OwnedPartition;
    let waiting = 0;
    let found = 0;
    const rowsSaved = Promise.withResolvers<void>();
    const store = {
      savePartitions: () => Promise.resolve(),
      saveSweeps: () => Promise.resolve(),
      saveExposure: () => Promise.resolve(),
      saveAlerts: () => Promise.resolve(),
      async flush() {
        const covered = waiting;
        if (found++ === 0) {
          unsavedHealth.set(file, 1);
          await rowsSaved.promise;
        }
        waiting -= covered;
      },
    };
    const publisher = {
      saveHealth(owned: OwnedPartition) {
        owned.unsavedHealth.delete(file);
        waiting++;
        rowsSaved.resolve();
        return Promise.resolve();
      },
    };
    const { config } = loadConfig({ flags: {} });
    const analyzer = { store, config, clock: systemClock, metrics: { flushes: { add: () => undefined } } };
    const keeper = new Keeper({
      analyzer: analyzer as unknown as KeeperOptions['analyzer'],
      owned: new Map([[1, partition]]),
      publisher: publisher as unknown as KeeperOptions['publisher'],
      history: new WaitingHistory(() => undefined),
      peers: {} as KeeperOptions['peers'],
      rebuilds: { count: 0 },
      group: { commit: () => Promise.resolve() },
    });
    await keeper.keep();
    expect(found).toBeGreaterThan(0);
    expect(unsavedHealth.size).toBe(0);
    expect(waiting).toBe(0);
  });
});

describe('when a pass of the keeper is due', () => {
  const restMs = 10_000;
  const flushMs = 1000;
  const partitionOf = (): OwnedPartition => {
    const unsavedHealth = new UnsavedHealth(() => true);
    return { number: 1, nextOffset: 5, committedOffset: 5, unsavedHealth } as unknown as OwnedPartition;
  };

  async function resting() {
    const clock = new ManualClock();
    const partition = partitionOf();
    const history = new WaitingHistory(() => undefined);
    const done = (): Promise<void> => Promise.resolve();
    const store = { savePartitions: done, saveSweeps: done, saveExposure: done, saveAlerts: done, flush: done };
    const { config } = loadConfig({
      flags: { 'analyzer.flushIntervalMs': flushMs, 'analyzer.restFlushIntervalMs': restMs },
    });
    const keeper = new Keeper({
      analyzer: {
        store,
        config,
        clock,
        metrics: { flushes: { add: () => undefined } },
      } as unknown as KeeperOptions['analyzer'],
      owned: new Map([[1, partition]]),
      publisher: {} as KeeperOptions['publisher'],
      history,
      peers: {} as KeeperOptions['peers'],
      rebuilds: { count: 0 },
      group: { commit: done },
    });
    await keeper.keep();
    await clock.advance(flushMs);
    return { clock, partition, history, keeper };
  }

  it('is seldom while nothing changes', async () => {
    const { clock, keeper, partition } = await resting();
    partition.nextOffset += 100;
    expect(keeper.isDue).toBe(false);
    await clock.advance(restMs - flushMs - 1);
    expect(keeper.isDue).toBe(false);
    await clock.advance(1);
    expect(keeper.isDue).toBe(true);
  });

  it('is soon for health that changes, for histories, and for many records', async () => {
    const changed = await resting();
    changed.partition.unsavedHealth.set(fileOf(1), 1);
    expect(changed.keeper.isDue).toBe(true);
    const told = await resting();
    told.history.addAlertChanges([{} as never]);
    expect(told.keeper.isDue).toBe(true);
    const busy = await resting();
    busy.partition.nextOffset += 256;
    expect(busy.keeper.isDue).toBe(true);
  });

  it('is at once where somebody needs room', async () => {
    const { keeper } = await resting();
    keeper.keepSoon();
    expect(keeper.isDue).toBe(true);
  });
});
