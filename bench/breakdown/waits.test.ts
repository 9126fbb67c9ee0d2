import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SubjectSlice } from './profile-subjects.ts';
import { breakDown, type FileTimes, type Wait, waitedFor, waits } from './waits.ts';

function file(fromUs: number, toUs: number, ...spans: readonly (readonly [Wait, number, number])[]): FileTimes {
  return { fromUs, toUs, waits: spans.map(([wait, from, to]) => ({ wait, fromUs: from, toUs: to })) };
}

const pieces = (times: FileTimes) => waitedFor(times).map(({ by, fromUs, toUs }) => [by, fromUs, toUs]);

describe('what a file waited for', () => {
  test('is one thing after the other where nothing runs beside', () => {
    const times = file(
      0,
      100,
      ['memory', 0, 10],
      ['peers read from', 12, 40],
      ['threads', 41, 60],
      ['peers written to', 60, 95],
    );
    expect(pieces(times)).toEqual([
      ['loop', 95, 100],
      ['peers written to', 60, 95],
      ['threads', 41, 60],
      ['loop', 40, 41],
      ['peers read from', 12, 40],
      ['loop', 10, 12],
      ['memory', 0, 10],
    ]);
  });

  test('of many requests is the one that ended last, with its own turn in our queue', () => {
    const times = file(
      0,
      100,
      ['turn to read', 0, 2],
      ['peers read from', 2, 30],
      ['turn to read', 0, 50],
      ['peers read from', 50, 90],
      ['peers read from', 5, 89],
    );
    expect(pieces(times)).toEqual([
      ['loop', 90, 100],
      ['peers read from', 50, 90],
      ['turn to read', 0, 50],
    ]);
  });

  test('is not what was read ahead while something else was waited for', () => {
    const times = file(
      0,
      100,
      ['peers read from', 0, 20],
      ['threads', 20, 70],
      ['peers read from', 20, 45],
      ['threads', 70, 100],
    );
    expect(pieces(times)).toEqual([
      ['threads', 70, 100],
      ['threads', 20, 70],
      ['peers read from', 0, 20],
    ]);
  });

  test('leaves out what goes on after the file and what ended before it', () => {
    expect(
      pieces(file(10, 50, ['peers read from', 0, 5], ['budget', 5, 20], ['peers read back from', 30, 60])),
    ).toEqual([
      ['loop', 20, 50],
      ['budget', 10, 20],
    ]);
  });

  test('always adds up to the time of the file, whatever was under way', () => {
    const span = fc.tuple(fc.constantFrom(...waits), fc.nat(1000), fc.nat(1000));
    fc.assert(
      fc.property(fc.nat(500), fc.nat(500), fc.array(span, { maxLength: 30 }), (fromUs, lengthUs, spans) => {
        const times = file(
          fromUs,
          fromUs + lengthUs,
          ...spans.map(([wait, from, to]) => [wait, from, Math.max(from, to)] as const),
        );
        const found = waitedFor(times);
        expect(found.reduce((sum, piece) => sum + piece.toUs - piece.fromUs, 0)).toBe(lengthUs);
        for (const [i, piece] of found.entries()) expect(piece.toUs).toBe(found[i - 1]?.fromUs ?? times.toUs);
      }),
    );
  });
});

describe('the breakdown of files', () => {
  const slices: readonly SubjectSlice[] = [
    { subject: 'tls', fromUs: 0, toUs: 5 },
    { subject: 'idle', fromUs: 5, toUs: 30 },
    { subject: 'hashing', fromUs: 30, toUs: 50 },
    { subject: 'idle', fromUs: 50, toUs: 200 },
  ];

  test('tells in which part of each wait our event loop was busy, and with what', () => {
    const one = file(2, 60, ['peers read from', 2, 40], ['threads', 40, 60]);
    const told = breakDown([one], slices);
    expect(told).toMatchObject({ fileCount: 1, fileUs: 58 });
    expect(told.waitedUs).toMatchObject({ 'peers read from': 38, threads: 20, loop: 0 });
    expect(told.loopBusyUs).toMatchObject({ 'peers read from': 3 + 10, threads: 10 });
    expect(told.busyUs).toMatchObject({ tls: 3, hashing: 20, idle: 0 });
    expect(told.loopUs).toBe(5 + 20);
  });

  test('counts the time of files beside each other once for each', () => {
    const told = breakDown([file(30, 50), file(40, 60)], slices);
    expect(told.fileUs).toBe(40);
    expect(told.waitedUs.loop).toBe(40);
    expect(told.busyUs.hashing).toBe(30);
  });

  test('counts what was under way of one kind once, however many of it', () => {
    const told = breakDown(
      [
        file(
          0,
          100,
          ['peers written to', 10, 40],
          ['peers written to', 20, 30],
          ['peers written to', 35, 60],
          ['peers written to', 80, 90],
        ),
      ],
      [],
    );
    expect(told.underWayUs).toMatchObject({ 'peers written to': 60, 'peers read from': 0 });
  });
});
