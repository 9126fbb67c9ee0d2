/** What analyzers ask ClickHouse of files that others own, what they keep of exposure, and what waits; on a real server. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import type { Grade } from '#mesh/grade.ts';
import { defaultPolicy } from '#mesh/policy.ts';
import { fileOf, peerOf, registrationOf } from '#mesh/testing/share-events.ts';
import type { Store } from '#store/client.ts';
import { fileHealthOf, newestExposure } from '#store/queries/health.ts';
import { startTestStore, type TestStore } from '#store/test-store.ts';
import { createStoreWriter } from '#store/writer.ts';
import { healthOf } from '../files/share-map/health.ts';
import type { PlacementRow } from '../files/share-map/kept-rows.ts';
import { emptyTotals } from '../files/share-map/totals.ts';
import { always } from '../testing/always.ts';
import { changesOf } from '../testing/stored-rows.ts';
import { ClickHouseAnalyzerStore } from './clickhouse-store.ts';

const atMs = Math.floor(systemClock.nowMs() / 1000) * 1000 - 60_000;

describe('an analyzer among others on ClickHouse', () => {
  let server: TestStore;
  let database: Store;
  let store: ClickHouseAnalyzerStore;
  let databases = 0;

  beforeAll(async () => {
    server = await startTestStore();
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    database = await server.openDatabase(`files_${++databases}`);
    store = storeNamed('one');
  });
  function storeNamed(analyzer: string): ClickHouseAnalyzerStore {
    const writer = createStoreWriter({ store: database, clock: systemClock, random: Math.random });
    return new ClickHouseAnalyzerStore({ store: database, writer, clock: systemClock, analyzer });
  }

  const placement = (file: number, peer: number, state: PlacementRow['state']): PlacementRow => {
    return { storageIndex: fileOf(file), shareNumber: peer, peer: peerOf(peer), state, generation: 1 };
  };
  const registered = (file: number, deleted = false) => ({ ...registrationOf(file), deleted, registeredAtMs: atMs });

  it('finds files of others as their owners stored them last: placements without lost ones, deleted files as such', async () => {
    const save = (version: number, placements: readonly PlacementRow[], files: ReturnType<typeof registered>[]) =>
      store.savePartitions([{ partition: 3, version, changes: changesOf({ placements, files, applied: [] }) }]);
    const first = [placement(1, 0, 'stored'), placement(1, 1, 'stored'), placement(9, 0, 'stored')];
    await save(1, first, [registered(1), registered(2)]);
    await save(2, [placement(1, 1, 'lost'), placement(1, 2, 'corrupt')], [registered(2, true)]);
    await store.flush();
    const place = (file: number) => ({ partition: 3, storageIndex: fileOf(file) });
    const found = await store.loadFiles([place(2), place(1), place(5), place(9)]);
    expect(found.map(({ file }) => file)).toEqual([registered(2, true), registered(1), null]);
    const held = found.map(({ placements }) => placements.map(({ peer, state }) => `${peer} ${state}`).sort());
    expect(held).toEqual([[], [`${peerOf(0)} stored`, `${peerOf(2)} corrupt`], [`${peerOf(0)} stored`]]);
    expect(await store.loadFiles([])).toEqual([]);
  });

  it('finds the worst first, of all partitions but the own', async () => {
    const row = (file: number, partition: number, grade: Grade, margin: number) => {
      const health = healthOf(registrationOf(file), defaultPolicy({ k: 2, n: 6 }), [], () => false);
      return {
        partition,
        generation: 1,
        health: { ...health, grade, margin },
        atMs,
        previousGrade: null,
        gradeSinceMs: atMs,
        cause: '',
        log10Loss: -1,
      };
    };
    await store.saveHealth(
      [
        row(1, 0, 'lost', -2),
        row(2, 1, 'at-risk', 1),
        row(3, 1, 'lost', -1),
        row(4, 2, 'critical', 0),
        row(5, 2, 'degraded', 3),
      ],
      always,
    );
    await store.flush();
    const worst = (worstUpTo: Grade, limit: number, exceptPartitions: readonly number[]) =>
      store.loadWorst({ worstUpTo, limit, exceptPartitions });
    expect(await worst('at-risk', 10, [0])).toEqual({
      files: [
        { partition: 1, storageIndex: fileOf(3) },
        { partition: 2, storageIndex: fileOf(4) },
        { partition: 1, storageIndex: fileOf(2) },
      ],
      total: 3,
    });
    expect(await worst('lost', 1, [])).toMatchObject({ files: [{ storageIndex: fileOf(1) }], total: 2 });
  });

  it('keeps the health that the newest owner told, whatever the clock of an earlier one says', async () => {
    const row = (generation: number, grade: Grade, at: number) => {
      const health = healthOf(registrationOf(1), defaultPolicy({ k: 2, n: 6 }), [], () => false);
      return {
        partition: 0,
        generation,
        health: { ...health, grade },
        atMs: at,
        previousGrade: null,
        gradeSinceMs: at,
        cause: '',
        log10Loss: -1,
      };
    };
    await store.saveHealth([row(7, 'healthy', atMs)], always);
    await store.saveHealth([row(6, 'lost', atMs + 60_000)], always);
    await store.saveGone([{ partition: 0, generation: 6, storageIndex: fileOf(1), atMs: atMs + 70_000 }], always);
    await store.flush();
    const [found] = await fileHealthOf(database, [fileOf(1)]);
    expect(found?.grade).toBe('healthy');
  });

  it('keeps exposure that adds up over analyzers, and one that withdrew counts no more', async () => {
    const rows = (filesBelowK: number, at = atMs) => [
      { kind: 'zone', domain: 'a', filesBelowK, filesBelowRepair: 2 * filesBelowK, atMs: at },
    ];
    const other = storeNamed('two');
    await store.saveExposure(rows(3));
    await other.saveExposure(rows(4));
    await Promise.all([store.flush(), other.flush()]);
    expect(await newestExposure(database, atMs - 1000)).toMatchObject([{ filesBelowK: 7, filesBelowRepair: 14 }]);
    await other.saveExposure(rows(0, atMs + 1));
    await other.flush();
    expect(await newestExposure(database, atMs - 1000)).toMatchObject([{ filesBelowK: 3, filesBelowRepair: 6 }]);
  });

  it('says since when rows wait', async () => {
    const before = systemClock.nowMs();
    const held = createStoreWriter({
      store: database,
      clock: systemClock,
      random: Math.random,
      limits: { maxBatchDelayMs: 60_000 },
    });
    const waiting = new ClickHouseAnalyzerStore({ store: database, writer: held, clock: systemClock, analyzer: 'one' });
    await waiting.saveSweeps([{ totals: { ...emptyTotals(), byPolicy: new Map([['p', new Map()]]) }, atMs }]);
    expect(waiting.waitingSinceMs()).toBeGreaterThanOrEqual(before - 1);
    await waiting.flush();
    expect(waiting.waitingSinceMs()).toBeNull();
  });
});
