import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import { type Grade, grades } from '#mesh/grade.ts';
import { type Store } from '../client.ts';
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
import * as tables from '../tables.ts';
import { baseMs, health, indexOf, minuteMs } from '../test-rows.ts';
import { startTestStore, type TestStore } from '../test-store.ts';
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
    expect(await gradeCounts(store)).toEqual([
      { policy: '25-of-100', grade: 'at-risk', files: 2, bytes: 2000 },
      { policy: '25-of-100', grade: 'degraded', files: 1, bytes: 1000 },
      { policy: '25-of-100', grade: 'healthy', files: 1, bytes: 1000 },
      { policy: 'strict', grade: 'critical', files: 1, bytes: 1000 },
    ]);
  });

  test('changes of grade are kept, newest first', async () => {
    const change = (at: number, name: string, fromGrade: Grade | null): tables.GradeChangeRow => ({
      at,
      storageIndex: indexOf(name),
      policy: 'p',
      fromGrade,
      toGrade: 'critical',
      available: 30,
      retained: 40,
      margin: 5,
      sizeBytes: 1,
      cause: 'x',
    });
    const rows = [change(baseMs, 'c1', null), change(baseMs + 1, 'c2', 'healthy'), change(baseMs + 2, 'c1', 'at-risk')];
    await writer.enqueue(tables.gradeChanges, rows);
    await writer.flush();
    const span = { fromMs: baseMs, toMs: baseMs + 3 };
    expect(await gradeChangesIn(store, span)).toEqual(rows.toReversed());
    expect(await gradeChangesIn(store, { ...span, storageIndex: indexOf('c1'), limit: 1 })).toEqual([rows[2]]);
    expect(await gradeChangesIn(store, { ...span, toMs: baseMs })).toEqual([]);
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
