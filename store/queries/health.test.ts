import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import { type Grade, grades } from '#mesh/grade.ts';
import type { Store } from '../client.ts';
import {
  fileHealthOf,
  filesAtRisk,
  gradeChangesIn,
  gradeCounts,
  gradeHistoryIn,
  gradesOfPartition,
  marginHistoryIn,
  newestExposure,
} from '../queries.ts';
import { uint64 } from '../row-binary/columns.ts';
import { encodeRows } from '../row-binary/table.ts';
import * as tables from '../tables.ts';
import { baseMs, health, indexOf, minuteMs } from '../test-rows.ts';
import { startTestStore, type TestStore } from '../test-store.ts';
import { versionOf } from '../versions.ts';
import { createStoreWriter, type StoreWriter } from '../writer.ts';

let testStore: TestStore;
let store: Store;
let writer: StoreWriter;

beforeAll(async () => {
  testStore = await startTestStore();
  store = await testStore.openDatabase('whole');
  writer = createStoreWriter({ store, clock: systemClock, random: Math.random });
});
afterAll(async () => {
  await testStore.close();
});

describe('the health of files', () => {
  test('is the newest of each, the worst first, and counted by grade', async () => {
    const rows = [
      health('h1', 'healthy', 75),
      health('h2', 'at-risk', 12, { log10Loss: null }),
      health('h3', 'critical', 2),
      health('h4', 'critical', 1, { policy: 'strict' }),
      health('h5', 'lost', -3),
      health('h6', 'at-risk', 12, { log10Loss: -2 }),
    ];
    await writer.enqueue(tables.fileHealth, rows);
    await writer.flush();
    await writer.enqueue(tables.fileHealth, [
      health('h3', 'degraded', 40, { version: 2 }),
      health('h5', 'lost', -3, { version: 2, deleted: true }),
    ]);
    await writer.flush();
    expect(await fileHealthOf(store, [indexOf('h2'), indexOf('h5')])).toEqual([
      health('h2', 'at-risk', 12, { log10Loss: null }),
    ]);
    expect((await filesAtRisk(store)).map((row) => row.storageIndex)).toEqual(['h4', 'h6', 'h2'].map(indexOf));
    expect((await filesAtRisk(store, { policy: 'strict' })).map((row) => row.storageIndex)).toEqual([indexOf('h4')]);
    expect((await filesAtRisk(store, { worstUpTo: 'healthy', limit: 2, offset: 3 })).map((row) => row.grade)).toEqual([
      'degraded',
      'healthy',
    ]);
    expect(new Map((await gradesOfPartition(store, 1)).map((row) => [row.storageIndex, row.grade as string]))).toEqual(
      new Map(
        [
          ['h1', 'healthy'],
          ['h2', 'at-risk'],
          ['h3', 'degraded'],
          ['h4', 'critical'],
          ['h6', 'at-risk'],
        ].map(([name, grade]) => [indexOf(name as string), grade as string]),
      ),
    );
  });

  test('leaves the list of those at risk with the row that says so, whatever order rows and merges come in', async () => {
    const own = await testStore.openDatabase('risk');
    const ownWriter = createStoreWriter({ store: own, clock: systemClock, random: Math.random });
    const listed = async (): Promise<(readonly [string, Grade])[]> => {
      const rows = await filesAtRisk(own);
      return rows.map((row) => [row.storageIndex, row.grade] as const);
    };
    const write = async (...rows: tables.FileHealthRow[]): Promise<void> => {
      await ownWriter.enqueue(tables.fileHealth, rows);
      await ownWriter.flush();
    };
    await write(
      health('r1', 'at-risk', 12),
      health('r2', 'critical', 3),
      health('r3', 'lost', -1),
      health('r4', 'healthy', 70),
    );
    // An older owner's row comes late.
    await write(health('r1', 'degraded', 30, { version: 3, previousGrade: 'at-risk' }));
    await write(health('r1', 'lost', -2, { version: 2, previousGrade: 'at-risk' }));
    await write(health('r2', 'at-risk', 9, { version: 2, previousGrade: 'critical' }));
    await write(health('r3', 'lost', 0, { version: 2, deleted: true }));
    await write(health('r4', 'degraded', 40, { version: 2, previousGrade: 'healthy' }));
    expect(await listed()).toEqual([[indexOf('r2'), 'at-risk']]);
    await own.command('OPTIMIZE TABLE risk.files_at_risk FINAL CLEANUP');
    expect(await listed()).toEqual([[indexOf('r2'), 'at-risk']]);
    const [kept] = await own.select({ rows: uint64 }, 'SELECT count() FROM risk.files_at_risk');
    expect(kept).toEqual({ rows: 1 });
    await write(health('r1', 'lost', -2, { version: 4, previousGrade: 'degraded' }));
    expect(await listed()).toEqual([
      [indexOf('r1'), 'lost'],
      [indexOf('r2'), 'at-risk'],
    ]);
  });

  test('is counted by grade and policy as the newest sweep of each analyzer found it', async () => {
    const own = await testStore.openDatabase('counted');
    const ownWriter = createStoreWriter({ store: own, clock: systemClock, random: Math.random });
    const row = (at: number, analyzer: string, policy: string, grade: Grade, files: number) => {
      return { at, analyzer, policy, grade, files, bytes: files * 9e15 };
    };
    await ownWriter.enqueue(tables.gradeHistory, [
      row(baseMs, 'a', 'p', 'lost', 1),
      row(baseMs, 'a', 'gone', 'lost', 1),
      row(baseMs + 10, 'a', 'p', 'lost', 0),
      row(baseMs + 10, 'a', 'p', 'healthy', 7),
      row(baseMs + 5, 'b', 'p', 'healthy', 2),
      row(baseMs + 5, 'b', 'strict', 'critical', 3),
      row(baseMs - 1, 'long gone', 'p', 'lost', 100),
    ]);
    await ownWriter.flush();
    expect(await gradeCounts(own, baseMs)).toEqual([
      { policy: 'p', grade: 'healthy', files: 9, bytes: 81e15 },
      { policy: 'strict', grade: 'critical', files: 3, bytes: 27e15 },
    ]);
  });

  test('changes of grade come from rows of health, each once however often it is sent; newest first', async () => {
    const own = await testStore.openDatabase('changes');
    const send = (rows: readonly tables.FileHealthRow[], token: string): Promise<void> =>
      own.insert(tables.fileHealth, [encodeRows(tables.fileHealth, rows)], { token });
    const first = [
      health('c1', 'critical', 5),
      health('c2', 'critical', 5, { at: baseMs + 1, previousGrade: 'healthy' }),
    ];
    const later = [
      health('c1', 'at-risk', 12, { at: baseMs + 2, previousGrade: 'critical', version: 2 }),
      health('c2', 'critical', 4, { at: baseMs + 2, previousGrade: 'critical', version: 2 }),
      health('c3', 'lost', 0, { at: baseMs + 2, deleted: true }),
    ];
    for (const token of ['a', 'a']) await send(first, token);
    for (const token of ['b', 'b']) await send(later, token);
    const span = { fromMs: baseMs, toMs: baseMs + 3 };
    const told = (rows: readonly tables.GradeChangeRow[]) =>
      rows.map(({ at, storageIndex, fromGrade, toGrade, margin }) => [
        at - baseMs,
        storageIndex,
        fromGrade,
        toGrade,
        margin,
      ]);
    expect(told(await gradeChangesIn(own, span))).toEqual([
      [2, indexOf('c1'), 'critical', 'at-risk', 12],
      [1, indexOf('c2'), 'healthy', 'critical', 5],
      [0, indexOf('c1'), null, 'critical', 5],
    ]);
    expect(await gradeChangesIn(own, { ...span, storageIndex: indexOf('c1'), limit: 1 })).toMatchObject([
      { policy: '25-of-100', available: 37, retained: 38, sizeBytes: 1000, cause: later[0]?.cause },
    ]);
    expect(await gradeChangesIn(own, { ...span, toMs: baseMs })).toEqual([]);
  });

  test('an earlier owner changes no history once its partition is claimed, whatever it still sends', async () => {
    const own = await testStore.openDatabase('claimed');
    const ownWriter = createStoreWriter({ store: own, clock: systemClock, random: Math.random });
    const claim = (partition: number, generation: number): Promise<void> =>
      ownWriter.enqueue(tables.partitionOwners, [{ partition, generation, analyzer: 'a', since: baseMs }]);
    const change = (name: string, generation: number, partition: number): tables.FileHealthRow =>
      health(name, 'critical', 5, { partition, previousGrade: 'healthy', version: versionOf(generation, 1) });
    await claim(1, 4);
    await claim(1, 5);
    await ownWriter.flush();
    await ownWriter.enqueue(tables.fileHealth, [
      change('of an earlier owner', 4, 1),
      change('of the owner', 5, 1),
      change('of a later owner', 6, 1),
      change('of nobody yet', 1, 2),
    ]);
    await ownWriter.flush();
    const changes = await gradeChangesIn(own, { fromMs: baseMs, toMs: baseMs + 1 });
    expect(new Set(changes.map(({ storageIndex }) => storageIndex))).toEqual(
      new Set(['of the owner', 'of a later owner', 'of nobody yet'].map(indexOf)),
    );
  });

  test('exposure is the newest of each analyzer, summed', async () => {
    const row = { at: baseMs, analyzer: 'a', kind: 'zone', domain: 'z1', filesBelowK: 100, filesBelowRepair: 200 };
    await writer.enqueue(tables.domainExposure, [
      row,
      { ...row, at: baseMs + 1, filesBelowK: 3 },
      { ...row, analyzer: 'b', filesBelowK: 4 },
      { ...row, domain: 'z2', filesBelowK: 1 },
    ]);
    await writer.flush();
    expect(await newestExposure(store, baseMs)).toEqual([
      { kind: 'zone', domain: 'z1', at: baseMs + 1, filesBelowK: 7, filesBelowRepair: 400 },
      { kind: 'zone', domain: 'z2', at: baseMs, filesBelowK: 1, filesBelowRepair: 200 },
    ]);
  });
});

describe('the history of the mesh', () => {
  const sweep = (at: number, analyzer: string, margins: Record<number, number>): tables.MarginHistoryRow[] =>
    Object.entries(margins).map(([margin, files]) => ({
      at,
      analyzer,
      policy: 'p',
      margin: Number(margin),
      files,
      bytes: files * 10,
    }));

  const dayMs = 86_400_000;
  test.each([
    ['raw rows', baseMs, 1000, 10_000],
    ['minutes', baseMs, 60, minuteMs],
    ['hours', baseMs - 2 * 3_600_000, 3, 3_600_000],
    ['days', Math.floor(baseMs / dayMs) * dayMs - 3 * dayMs, 4, dayMs],
  ])(
    'in %s holds the last sweep of each analyzer, without margins that it no longer has',
    async (_name, fromMs, maxPoints, stepMs) => {
      const own = await testStore.openDatabase(`history_${stepMs}`);
      const ownWriter = createStoreWriter({ store: own, clock: systemClock, random: Math.random });
      const rows = [
        ...sweep(baseMs + 1000, 'a', { 5: 100, 9: 1 }),
        ...sweep(baseMs + 2000, 'b', { 5: 10, 70: 1000 }),
        ...sweep(baseMs + 3000, 'a', { 5: 90, 6: 11 }),
      ];
      for (const row of rows) {
        await ownWriter.enqueue(tables.marginHistory, [row]);
        await ownWriter.flush();
      }
      const span = { fromMs, toMs: baseMs + 3_600_000, nowMs: Date.now() };
      const history = await marginHistoryIn(own, { ...span, maxPoints });
      expect(history.stepMs).toBe(stepMs);
      const at = Math.floor(baseMs / stepMs) * stepMs;
      expect(history.points).toEqual([
        { at, policy: 'p', key: 5, files: 100, bytes: 1000 },
        { at, policy: 'p', key: 6, files: 11, bytes: 110 },
        { at, policy: 'p', key: 70, files: 1000, bytes: 10_000 },
      ]);
    },
  );

  test('holds the bytes of a mesh beyond nine petabytes', async () => {
    const own = await testStore.openDatabase('petabytes');
    const ownWriter = createStoreWriter({ store: own, clock: systemClock, random: Math.random });
    const petabytes = 40e15;
    const policy = 'large';
    await ownWriter.enqueue(tables.marginHistory, [
      { at: baseMs, analyzer: 'a', policy, margin: 1, files: 1e7, bytes: petabytes },
      { at: baseMs, analyzer: 'b', policy, margin: 1, files: 1e7, bytes: petabytes },
    ]);
    await ownWriter.enqueue(tables.gradeHistory, [
      { at: baseMs, analyzer: 'a', policy, grade: 'lost', files: 1e7, bytes: petabytes },
      { at: baseMs, analyzer: 'b', policy, grade: 'lost', files: 1e7, bytes: petabytes },
    ]);
    await ownWriter.flush();
    for (const maxPoints of [1000, 60]) {
      const span = { fromMs: baseMs, toMs: baseMs + 3_600_000, nowMs: Date.now(), maxPoints };
      const { points } = await marginHistoryIn(own, span);
      const gradePoints = (await gradeHistoryIn(own, span)).points;
      for (const all of [points, gradePoints]) expect(all).toMatchObject([{ files: 2e7, bytes: 2 * petabytes }]);
    }
    expect(await gradeCounts(own, baseMs)).toMatchObject([{ policy, grade: 'lost', bytes: 2 * petabytes }]);
  });

  test('of grades keeps zeros and every step', async () => {
    const rows = [0, 1, 2].flatMap((minute) =>
      grades.map((grade) => ({
        at: baseMs + minute * minuteMs,
        analyzer: 'a',
        policy: 'p',
        grade,
        files: grade === 'lost' ? 0 : minute,
        bytes: 1,
      })),
    );
    await writer.enqueue(tables.gradeHistory, rows);
    await writer.flush();
    const history = await gradeHistoryIn(store, {
      fromMs: baseMs,
      toMs: baseMs + 3 * minuteMs,
      nowMs: Date.now(),
      maxPoints: 3,
    });
    expect(history.points).toHaveLength(15);
    expect(history.points.filter((point) => point.key === 'lost').map((point) => point.files)).toEqual([0, 0, 0]);
    expect(history.points.filter((point) => point.key === 'healthy').map((point) => point.files)).toEqual([0, 1, 2]);
  });
});
