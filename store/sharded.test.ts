/** Distributed tables over two real servers: the same answers as one server gives, and nothing lost or doubled when one dies. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sleep, systemClock } from '#mesh/clock.ts';
import { isRetryable } from '#mesh/errors.ts';
import { grades } from '#mesh/grade.ts';
import { storageIndexFromBytes } from '#mesh/storage-index.ts';
import type { Store } from './client.ts';
import { migrations } from './migrations/list.ts';
import { prepareSchema } from './migrations/prepare.ts';
import * as queries from './queries.ts';
import { float64, uint64 } from './row-binary/columns.ts';
import { encodeRows } from './row-binary/table.ts';
import * as tables from './tables.ts';
import { baseMs, collect, file, health, indexOf, minuteMs, peer, peerOf, repair } from './test-rows.ts';
import { startTestStore, type TestStore } from './test-store.ts';
import { shardedTopology, startShards, type TestShards } from './testing/shards.ts';
import { createStoreWriter } from './writer.ts';

let shards: TestShards;
let single: TestStore;
/** Makes a second try begin anew. */
let databases = 0;

beforeAll(async () => {
  [shards, single] = [await startShards(), await startTestStore()];
});
afterAll(async () => {
  await shards.close();
  await single.close();
});

describe('the schema of two shards', () => {
  test('is made on both, and made again changes nothing', async () => {
    const store = await shards.openDatabase('made');
    await shards.openDatabase('made');
    for (const order of [[0], [1]]) {
      const [found] = await shards
        .connect('made', order)
        .select(
          { steps: uint64, distributed: uint64, local: uint64 },
          "SELECT assumeNotNull((SELECT count() FROM made.schema_migrations FINAL)), countIf(engine = 'Distributed'), countIf(name LIKE '%_local') FROM system.tables WHERE database = 'made'",
        );
      expect(found?.steps).toBe(migrations.length);
      expect(found?.distributed).toBeGreaterThan(25);
      expect(found?.local).toBe(found?.distributed);
    }
    await store.ping();
  });

  test.each([
    ['a cluster that the servers do not know', 'elsewhere', [[0], [1]], 'no cluster elsewhere'],
    ['a server that is not named', 'mesh', [[0]], 'names 1 servers'],
    ['one server that is named twice', 'mesh', [[0], [0]], 'lead to one server'],
  ])('%s is refused before anything is made', async (_name, cluster, orders, message) => {
    const servers = orders.map((order) => shards.connect('refused', order));
    const topology = { kind: 'sharded', cluster } as const;
    await expect(prepareSchema({ servers, topology, clock: systemClock, holder: 'test' })).rejects.toMatchObject({
      code: 'config-invalid',
      message: expect.stringContaining(message),
    });
    const [found] = await shards
      .connect('default', [0])
      .select({ count: uint64 }, "SELECT count() FROM system.databases WHERE name = 'refused'");
    expect(found?.count).toBe(0);
  });

  test('a database of one server is not taken for one of shards', async () => {
    const servers = [0, 1].map((shard) => shards.connect('alone', [shard]));
    for (const store of servers)
      await prepareSchema({ servers: [store], topology: { kind: 'single' }, clock: systemClock, holder: 'test' });
    await expect(
      prepareSchema({ servers, topology: shardedTopology, clock: systemClock, holder: 'test' }),
    ).rejects.toMatchObject({ code: 'store-schema', message: expect.stringContaining('"single"') });
  });
});

describe('queries over two shards', () => {
  test('answer as on one server, from either server; rows of one file lie on one shard', async () => {
    const [two, one] = [await shards.openDatabase('whole'), await single.openDatabase('whole')];
    for (const store of [two, one]) await fill(store);
    const expected = await answersOf(one);
    expect(await answersOf(two)).toEqual(expected);
    expect(await answersOf(shards.connect('whole', [1]))).toEqual(expected);
    expect(expected['filesAtRisk']).toHaveLength(20);
    for (const table of ['placements', 'files', 'file_health', 'files_at_risk', 'grade_changes', 'repairs']) {
      const onShards = await Promise.all(
        [0, 1].map((shard) =>
          shards
            .connect('whole', [shard])
            .select(
              { name: float64 },
              `SELECT DISTINCT toFloat64(sipHash64(storage_index)) FROM whole.${table}_local ORDER BY 1`,
            ),
        ),
      );
      const [first, second] = onShards.map((rows) => new Set(rows.map(({ name }) => name)));
      expect(first?.size).toBeGreaterThan(0);
      expect(second?.size).toBeGreaterThan(0);
      expect([...(first ?? [])].filter((name) => second?.has(name))).toEqual([]);
    }
  });

  test('a batch that is sent again under its token, to either server, is there once: in tables and levels of both shards', async () => {
    const store = await shards.openDatabase('again');
    const rows = Array.from({ length: 400 }, (_, number) => {
      return { at: baseMs, analyzer: `analyzer-${number % 8}`, policy: 'p', margin: number, files: 1, bytes: 1 };
    });
    const body = [encodeRows(tables.marginHistory, rows)];
    for (const entry of [store, store, shards.connect('again', [1])])
      await entry.insert(tables.marginHistory, body, { token: 'same' });
    for (const [table, sum] of [
      ['margin_history', 'count()'],
      ['margin_history_minute', 'sum(sweeps)'],
      ['margin_history_day', 'sum(files_sum)'],
    ]) {
      const [found] = await store.select({ rows: uint64 }, `SELECT ${sum} FROM again.${table}`);
      expect([table, found?.rows]).toEqual([table, 400]);
    }
    for (const shard of [0, 1]) {
      const [found] = await shards
        .connect('again', [shard])
        .select({ rows: uint64 }, 'SELECT count() FROM again.margin_history_local');
      expect(found?.rows).toBeGreaterThan(0);
      expect(found?.rows).toBeLessThan(400);
    }
    await store.insert(tables.marginHistory, body, { token: 'other' });
    const [found] = await store.select({ rows: uint64 }, 'SELECT sum(sweeps) FROM again.margin_history_hour');
    expect(found?.rows).toBe(800);
  });

  test('a file is looked up on its shard alone', async () => {
    const store = await shards.openDatabase('pruned');
    await fill(store);
    await shards.kill(1);
    try {
      // Of twenty files some lie on the shard that is left, and are found; the others are an error, never a short answer.
      const left = shards.connect('pruned', [0]);
      const outcomes = (): Promise<(string | number)[]> =>
        Promise.all(
          Array.from({ length: 20 }, (_, number) =>
            queries.placementsOfFile(left, indexOf(`f${number}`)).then(
              (rows) => rows.length,
              (error: { code: string; retryable: boolean }) => `${error.code} ${error.retryable}`,
            ),
          ),
        );
      await expect
        .poll(async () => new Set(await outcomes()), { timeout: 60_000 })
        .toEqual(new Set([3, 'store-unavailable true']));
      await expect(queries.gradeCounts(left, baseMs)).rejects.toMatchObject({
        code: 'store-unavailable',
        retryable: true,
      });
    } finally {
      await shards.start(1);
    }
    expect(await patiently(() => queries.gradeCounts(store, baseMs))).not.toEqual([]);
  });
});

describe('a shard that dies while rows are written', () => {
  test.each([
    ['the one that the writer asks', 0],
    ['the other one', 1],
  ])('%s: what was acknowledged stays, nothing is doubled, and the writer goes on', async (_name, victim) => {
    const database = `killed_${victim}_${++databases}`;
    const store = await shards.openDatabase(database);
    const writer = createStoreWriter({
      store,
      clock: systemClock,
      random: Math.random,
      limits: { maxBatchRows: 300, maxBatchDelayMs: 5, maxQueuedBytes: 200_000, retryMaxMs: 200 },
    });
    const total = 30_000;
    const writing = (async () => {
      for (let from = 0; from < total; from += 500) {
        await writer.enqueue(
          tables.gradeChanges,
          Array.from({ length: 500 }, (_, offset) => change(from + offset)),
        );
        await writer.enqueue(tables.marginHistory, [
          { at: baseMs + from, analyzer: `analyzer-${from % 7}`, policy: 'p', margin: 1, files: 1, bytes: 1 },
        ]);
      }
      await writer.flush();
    })();
    for (let kill = 1; kill <= 2; kill++) {
      await expect
        .poll(() => writer.stats().insertedRows, { interval: 2, timeout: 30_000 })
        .toBeGreaterThan((kill * total) / 4);
      await shards.kill(victim);
      const before = writer.stats().retries;
      await expect.poll(() => writer.stats().retries, { interval: 5, timeout: 30_000 }).toBeGreaterThan(before);
      const acknowledged = writer.stats().insertedRows;
      await shards.start(victim);
      const [found] = await patiently(() =>
        store.select(
          { rows: uint64 },
          `SELECT assumeNotNull((SELECT count() FROM ${database}.grade_changes) + (SELECT count() FROM ${database}.margin_history))`,
        ),
      );
      expect(found?.rows).toBeGreaterThanOrEqual(acknowledged);
    }
    await writing;
    const [found] = await patiently(() =>
      store.select(
        { rows: uint64, different: uint64, sum: uint64, sweeps: uint64 },
        `SELECT count(), uniqExact(storage_index), sum(size_bytes), assumeNotNull((SELECT sum(sweeps) FROM ${database}.margin_history_hour)) FROM ${database}.grade_changes`,
      ),
    );
    expect(found).toEqual({ rows: total, different: total, sum: (total * (total - 1)) / 2, sweeps: total / 500 });
    expect(writer.stats()).toMatchObject({ failure: null, queuedRows: 0, lastError: null });
    await writer.close();
  });
});

/** A server that comes back cannot answer for a moment, and says that it may be asked again. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isRetryable(error)) throw error;
      await sleep(systemClock, 100);
    }
  }
}

/** A row that is like no other, in a table that keeps every row. */
function change(number: number): tables.GradeChangeRow {
  const storageIndex = storageIndexFromBytes(Buffer.from(number.toString(16).padStart(32, '0'), 'hex'));
  return {
    at: baseMs,
    storageIndex,
    policy: 'p',
    fromGrade: null,
    toGrade: 'critical',
    available: 1,
    retained: 1,
    margin: 0,
    sizeBytes: number,
    cause: '',
  };
}

/** The same rows wherever it is called, each kind of table twice written where versions count. */
async function fill(store: Store): Promise<void> {
  const writer = createStoreWriter({ store, clock: systemClock, random: Math.random });
  const names = Array.from({ length: 20 }, (_, number) => `f${number}`);
  for (const version of [1, 2]) {
    await writer.enqueue(
      tables.placements,
      names.flatMap((name) =>
        [0, 1, 2, 3].map(
          (shareNumber): tables.PlacementRow => ({
            partition: 1,
            storageIndex: indexOf(name),
            shareNumber,
            peerId: peerOf(`p${shareNumber}`),
            state: version === 2 && shareNumber === 3 ? 'lost' : 'stored',
            generation: version,
            incarnation: 1,
            sequence: version,
            version,
          }),
        ),
      ),
    );
    await writer.enqueue(
      tables.files,
      names.map((name) => file(name, { version, deleted: version === 2 && name === 'f7' })),
    );
    await writer.enqueue(
      tables.fileHealth,
      names.map((name, number) => health(name, version === 1 ? 'healthy' : 'critical', 20 - number, { version })),
    );
    await writer.enqueue(tables.peers, [peer('a', { version }), peer('b', { version })]);
    await writer.flush();
  }
  await writer.enqueue(
    tables.gradeChanges,
    names.map((name, number) => ({ ...change(number), storageIndex: indexOf(name), at: baseMs + number })),
  );
  await writer.enqueue(
    tables.repairs,
    names.map((name, number) => ({
      ...repair(name, { startedAt: baseMs + number }),
      id: `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`,
    })),
  );
  for (let sweep = 0; sweep < 5; sweep++) {
    for (const analyzer of ['a', 'b', 'c']) {
      const moment = { at: baseMs + sweep * minuteMs, analyzer };
      await writer.enqueue(
        tables.gradeHistory,
        grades.map((grade, index) => ({ ...moment, policy: 'p', grade, files: sweep * 10 + index, bytes: 1 })),
      );
      await writer.enqueue(tables.marginHistory, [{ ...moment, policy: 'p', margin: sweep, files: 5, bytes: 1 }]);
      await writer.enqueue(tables.domainExposure, [
        { ...moment, kind: 'zone', domain: 'z', filesBelowK: sweep, filesBelowRepair: 2 * sweep },
      ]);
    }
  }
  await writer.close();
}

async function answersOf(store: Store): Promise<Record<string, unknown>> {
  const span = { fromMs: baseMs - minuteMs, toMs: baseMs + 10 * minuteMs, nowMs: Date.now() };
  return {
    placementsOfFile: await queries.placementsOfFile(store, indexOf('f3')),
    blocks: (await collect(queries.placementBlocks(store, 1))).reduce((sum, block) => sum + block.count, 0),
    files: (await collect(queries.fileBatches(store, 1)))
      .flat()
      .map((row) => row.storageIndex)
      .sort(),
    filesByIndex: (await queries.filesByIndex(store, [indexOf('f1'), indexOf('f7'), indexOf('f9')]))
      .map((row) => row.storageIndex)
      .sort(),
    withPrefix: await queries.indexesWithPrefix(store, indexOf('f5').slice(0, 8)),
    healthOf: await queries.fileHealthOf(store, [indexOf('f2')]),
    filesAtRisk: await queries.filesAtRisk(store),
    secondPage: await queries.filesAtRisk(store, { limit: 5, offset: 5 }),
    gradeCounts: await queries.gradeCounts(store, baseMs),
    gradeChanges: await queries.gradeChangesIn(store, { ...span, limit: 7 }),
    peers: await queries.allPeers(store),
    repairs: await queries.recentRepairs(store, { limit: 9 }),
    repairsOfFile: await queries.recentRepairs(store, { storageIndex: indexOf('f4') }),
    gradeHistory: await queries.gradeHistoryIn(store, span),
    marginHistory: await queries.marginHistoryIn(store, { ...span, maxPoints: 3 }),
    exposure: await queries.newestExposure(store, baseMs),
    exposureHistory: await queries.exposureHistoryIn(store, { ...span, kind: 'zone', maxPoints: 12 }),
  };
}
