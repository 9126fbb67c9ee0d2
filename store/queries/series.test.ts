/** What a coarser level says is what the raw rows say, for every figure that it keeps. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seededRandom, systemClock } from '#mesh/clock.ts';
import { grades } from '#mesh/grade.ts';
import type { Store } from '../client.ts';
import { float64, text } from '../row-binary/columns.ts';
import { type Aggregate, allSeries, type Series } from '../series.ts';
import * as tables from '../tables.ts';
import { baseMs, peerOf } from '../test-rows.ts';
import { startTestStore, type TestStore } from '../test-store.ts';
import { createStoreWriter } from '../writer.ts';
import { exposureHistoryIn } from './history.ts';
import { figureSql, tableOf } from './series-sql.ts';
import { peerVitalsHistoryIn, peerVitalsIn } from './vitals.ts';

let testStore: TestStore;
let store: Store;

beforeAll(async () => {
  testStore = await startTestStore();
  store = await testStore.openDatabase('series');
  await fillSeries(store);
});
afterAll(async () => {
  await testStore.close();
});

const secondMs = 1000;
const hourMs = 3_600_000;

/** Two and a half hours of rows in an order of their own, some moments missing, a step at which figures jump. */
async function fillSeries(target: Store): Promise<void> {
  const random = seededRandom(7);
  const writer = createStoreWriter({ store: target, clock: systemClock, random, limits: { maxBatchRows: 700 } });
  const moments = Array.from({ length: 900 }, (_, index) => baseMs - 2.5 * hourMs + index * 10 * secondMs)
    .filter(() => random() > 0.1)
    .sort(() => random() - 0.5);
  const whole = (most: number): number => Math.floor(random() * most);
  for (const at of moments) {
    for (const analyzer of ['a', 'b']) {
      const shared = { at, analyzer };
      await writer.enqueue(
        tables.gradeHistory,
        grades.map((grade) => ({ ...shared, policy: 'p', grade, files: whole(1e6), bytes: whole(9e15) })),
      );
      await writer.enqueue(tables.marginHistory, [
        { ...shared, policy: 'p', margin: whole(5) - 2, files: whole(1e6), bytes: whole(9e15) },
      ]);
      await writer.enqueue(
        tables.domainExposure,
        ['z1', 'z2'].map((domain) => ({
          ...shared,
          kind: 'zone',
          domain,
          filesBelowK: whole(1000),
          filesBelowRepair: whole(1000),
        })),
      );
    }
    await writer.enqueue(
      tables.peerVitals,
      ['a', 'b'].map((name) => ({
        at,
        peerId: peerOf(name),
        cpuUsedRatio: random(),
        memoryUsedBytes: whole(1e12),
        diskUsedBytes: whole(1e13),
        diskCapacityBytes: 1e13,
        networkReceivedBytes: at,
        networkSentBytes: at * 2,
        shares: whole(1e6),
        shareBytes: whole(1e12),
        sharesVerified: whole(1e6),
        spooledBatches: whole(10),
        spoolDroppedInventories: whole(3),
        processMemoryBytes: whole(1e9),
      })),
    );
    await writer.enqueue(
      tables.serviceFigures,
      ['a', 'b'].map((instance) => ({
        at,
        figure: 'meshward_figure',
        labels: 'class=critical',
        service: 'repairer',
        instance,
        value: random() * 1e15,
      })),
    );
  }
  await writer.flush();
}

const cases = allSeries.flatMap((series) =>
  (['minute', 'hour', 'day'] as const).map((level) => [series.name, level, series] as const),
);

describe('a coarser level says what the raw rows say', () => {
  test.each(cases)('%s by %s', async (_name, level, series) => {
    const seconds = { minute: 60, hour: 3600, day: 86_400 }[level];
    const [fromRaw, fromLevel] = [await figuresOf(series, 'raw', seconds), await figuresOf(series, level, seconds)];
    expect(fromLevel.length).toBeGreaterThan(0);
    expect(fromLevel.map((row) => row['key'])).toEqual(fromRaw.map((row) => row['key']));
    for (const [index, row] of fromLevel.entries()) {
      for (const [figure, value] of Object.entries(row)) {
        if (figure === 'key') continue;
        const raw = fromRaw[index]?.[figure] as number;
        // Means are sums of floats in another order.
        if (figure.endsWith(' mean'))
          expect(Math.abs((value as number) - raw)).toBeLessThanOrEqual(Math.abs(raw) * 1e-9);
        else expect(`${figure} ${value}`).toBe(`${figure} ${raw}`);
      }
    }
  });

  test('a coarser step out of minutes is the same as out of raw rows', async () => {
    for (const series of allSeries) {
      const raw = await figuresOf(series, 'raw', 1800);
      const minutes = await figuresOf(series, 'minute', 1800);
      expect(minutes.map((row) => row['key'])).toEqual(raw.map((row) => row['key']));
      for (const figure of Object.keys(raw[0] ?? {}).filter((name) => !/key| mean/.test(name))) {
        expect(minutes.map((row) => row[figure])).toEqual(raw.map((row) => row[figure]));
      }
    }
  });
});

/** Every figure that a coarser level has, for every key and bucket. */
async function figuresOf(
  series: Series,
  level: 'raw' | 'minute' | 'hour' | 'day',
  seconds: number,
): Promise<readonly Readonly<Record<string, string | number>>[]> {
  const sql = figureSql(series, level);
  const names: Readonly<Record<Aggregate, [string, (figure: string) => string]>> = {
    min: ['least', sql.least],
    max: ['most', sql.most],
    sum: ['mean', sql.mean],
    last: ['last', sql.last],
  };
  const figures = series.figures.flatMap(({ name, aggregates }) =>
    aggregates.map((aggregate) => [`${name} ${names[aggregate][0]}`, names[aggregate][1](name)] as const),
  );
  const columns = Object.fromEntries(figures.map(([label]) => [label, float64]));
  const step = `toStartOfInterval(toDateTime(source.at, 'UTC'), INTERVAL ${seconds} SECOND)`;
  const key = `concatWithSeparator(' ', toString(${step}), ${series.keys.map(({ name }) => `hex(toString(source.${name}))`).join(', ')})`;
  return await store.select(
    { key: text, ...columns },
    `SELECT ${key} AS key, ${figures.map(([, expression]) => `toFloat64(${expression})`).join(', ')}
     FROM ${tableOf(store, series, level)} AS source GROUP BY key ORDER BY key`,
  );
}

describe('history of a peer and of a domain', () => {
  test.each([
    ['heartbeats', 1000, 10_000],
    ['minutes', 200, 60_000],
    ['hours', 4, hourMs],
  ])('vitals in %s are those of the heartbeats in each step', async (_name, maxPoints, stepMs) => {
    const span = { fromMs: baseMs - 2.5 * hourMs, toMs: baseMs };
    const history = await peerVitalsHistoryIn(store, peerOf('a'), { ...span, nowMs: Date.now(), maxPoints });
    expect(history.stepMs).toBe(stepMs);
    const rows = await peerVitalsIn(store, peerOf('a'), span);
    expect(history.points.reduce((sum, point) => sum + point.heartbeats, 0)).toBe(rows.length);
    for (const point of history.points) {
      const members = rows.filter((row) => row.at >= point.at && row.at < point.at + stepMs);
      const newest = members.at(-1);
      expect(point).toMatchObject({
        heartbeats: members.length,
        cpuUsedRatioMost: Math.max(...members.map((row) => row.cpuUsedRatio)),
        sharesLeast: Math.min(...members.map((row) => row.shares)),
        sharesLast: newest?.shares,
        networkReceivedBytesLast: newest?.networkReceivedBytes,
      });
    }
  });

  test('exposure of a domain is the last of each analyzer, summed, at every level', async () => {
    const query = { fromMs: baseMs - 2 * hourMs, toMs: baseMs, nowMs: Date.now(), kind: 'zone' };
    const one = await exposureHistoryIn(store, { ...query, domain: 'z1', maxPoints: 121 });
    const all = await exposureHistoryIn(store, { ...query, maxPoints: 121 });
    expect(one.stepMs).toBe(60_000);
    expect(one.points).toEqual(all.points.filter((point) => point.domain === 'z1'));
    expect(new Set(all.points.map((point) => point.domain))).toEqual(new Set(['z1', 'z2']));
    const hours = await exposureHistoryIn(store, { ...query, domain: 'z1', maxPoints: 3 });
    expect(hours.stepMs).toBe(hourMs);
    // The last minute of an hour that is over is what the hour ends with.
    const lastMinutes = hours.points.map((hour) =>
      one.points.findLast((point) => point.at >= hour.at && point.at < hour.at + hourMs),
    );
    expect(hours.points.map((point) => point.filesBelowK)).toEqual(lastMinutes.map((point) => point?.filesBelowK));
  });
});
