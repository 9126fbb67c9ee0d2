import { expect, test } from 'vitest';
import { noneBySubject } from './profile-subjects.ts';
import { breakdownTables } from './tables.ts';
import { breakdownText } from './text.ts';
import { timesOf } from './thread-times.ts';
import { breakDown } from './waits.ts';

const files = breakDown(
  [
    { fromUs: 0, toUs: 40_000, waits: [{ wait: 'peers read from', fromUs: 0, toUs: 30_000 }] },
    { fromUs: 0, toUs: 60_000, waits: [{ wait: 'memory', fromUs: 0, toUs: 60_000 }] },
  ],
  [{ subject: 'tls', fromUs: 20_000, toUs: 50_000 }],
);
/** Of the 30 ms in which it was busy. */
const loopCpuSeconds = 0.024;
const threads = (loopSeconds: number) =>
  timesOf(
    [
      { id: 1, name: 'MainThread', schedstat: `${loopSeconds * 1e9} 4000000 1` },
      { id: 2, name: 'MainThread', schedstat: '1000000000 0 1' },
    ],
    1,
  );
const samples = (tls: number, http: number) => ({ ...noneBySubject(), idle: 700, tls, http });
const tables = breakdownTables({
  files,
  repairer: { samples: samples(3, 1), threads: threads(loopCpuSeconds) },
  peers: [
    { samples: samples(1, 0), threads: threads(1) },
    { samples: samples(0, 8), threads: threads(3) },
  ],
});

function sumOf(table: string, column: string, rows: RegExp = /./): number {
  const of = Object.entries(tables[table] ?? {}).filter(([row]) => rows.test(row));
  return of.reduce((sum, [, row]) => sum + (row[column] ?? 0), 0);
}

test('the wall time of a file adds up: our event loop busy, or idle while it waits', () => {
  expect(sumOf('wall time of a file', 'ms a file')).toBeCloseTo(50);
  expect(sumOf('wall time of a file', '% of its time')).toBeCloseTo(100);
  expect(sumOf('wall time of a file', 'ms a file', /^busy, TLS/)).toBeCloseTo(((20 + 30) / 2) * 0.8);
  expect(sumOf('wall time of a file', 'ms a file', /no processor/)).toBeCloseTo(((20 + 30) / 2) * 0.2);
  expect(sumOf('wall time of a file', 'ms a file', /^idle, peers: reading$/)).toBeCloseTo(20 / 2);
});

test('what a file waited for adds up to its time too', () => {
  expect(sumOf('what a file waited for', 'ms a file')).toBeCloseTo(50);
  expect(tables['what a file waited for']?.['our bound for memory']).toMatchObject({
    'ms a file': 30,
    '% of its time': 60,
    '% of that our loop busy': 50,
    'ms under way': 30,
  });
});

test('processor time of the event loop is divided by samples, that of idle left out, in each process by itself', () => {
  expect(sumOf('processor time, repairer', 'CPU ms a file', /^event loop: TLS/)).toBeCloseTo((24 / 2) * (3 / 4));
  expect(sumOf('processor time, repairer', 'CPU ms a file', /^event loop: /)).toBeCloseTo(12);
  expect(sumOf('processor time, repairer', '% of all', /addon/)).toBeCloseTo(100 / 1.024);
  expect(sumOf('processor time, peers', 'CPU ms a file', /^event loop: HTTP/)).toBeCloseTo(3000 / 2);
  expect(sumOf('processor time, peers', 'ms ready, no processor free', /^event loop, all/)).toBeCloseTo(4);
});

test('as text, rows of nothing are left out', () => {
  const text = breakdownText(tables);
  expect(text).toMatch(/^ {4} +30\.0 +60\.0 +50\.0 +30\.0 {2}our bound for memory$/m);
  expect(text).toContain('processor time, peers');
  expect(text).not.toContain('our budget');
});
