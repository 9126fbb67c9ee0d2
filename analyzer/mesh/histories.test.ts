import { describe, expect, it } from 'vitest';
import { emptyTotals } from '../files/share-map/totals.ts';
import type { ExposureRecord, SweepRecord } from '../ports.ts';
import { ExposureHistory } from './exposure-history.ts';
import { Lasting, LastingCount } from './lasting.ts';
import { MeshHistory } from './mesh-history.ts';

const totals = emptyTotals();

describe('the history of the mesh', () => {
  const written = (sweepIntervalMs: number) => {
    const points: SweepRecord[] = [];
    return { points, history: new MeshHistory({ addSweep: (sweep) => void points.push(sweep) }, sweepIntervalMs) };
  };

  it('has a point a second, however often is swept', () => {
    const { points, history } = written(5000);
    for (let now = 0; now <= 2000; now += 100) history.addWhenDue({ totals }, now, 70_000 + now);
    expect(points.map(({ atMs }) => atMs)).toEqual([70_000, 71_000, 72_000]);
  });

  it('has one for each sweep where sweeps are closer', () => {
    const { points, history } = written(250);
    for (const now of [0, 100, 250, 400, 500]) history.addWhenDue({ totals }, now, now);
    expect(points.map(({ atMs }) => atMs)).toEqual([0, 250, 500]);
  });
});

describe('the history of exposure', () => {
  const exposure = (zone: string) => ({
    peers: new Map(),
    domains: new Map([['zone', new Map([[zone, { filesBelowK: 1, filesBelowRepair: 2 }]])]]),
  });

  it('has rows every sixth sweep, of partitions that are still owned', () => {
    const rows: ExposureRecord[] = [];
    const history = new ExposureHistory({ addExposure: (added) => void rows.push(...added) }, 100);
    history.swept(1, exposure('a'));
    history.swept(2, exposure('b'));
    const owned = new Map([[2, null]]);
    history.addWhenDue(owned, 0, 10);
    history.addWhenDue(owned, 599, 20);
    expect(rows.map(({ domain, atMs }) => [domain, atMs])).toEqual([['b', 10]]);
    history.addWhenDue(owned, 600, 30);
    expect(rows).toHaveLength(2);
  });

  it('ends with zeros when nothing is owned any more', () => {
    const rows: ExposureRecord[] = [];
    const history = new ExposureHistory({ addExposure: (added) => void rows.push(...added) }, 100);
    history.swept(1, exposure('a'));
    history.addWhenDue(new Map([[1, null]]), 0, 10);
    history.withdraw(20);
    expect(rows.at(-1)).toEqual({ kind: 'zone', domain: 'a', atMs: 20, filesBelowK: 0, filesBelowRepair: 0 });
  });
});

describe('a count of which that part counts which has lasted', () => {
  const lastingOf = (counts: readonly number[]): readonly number[] => {
    const count = new LastingCount(300);
    return counts.map((each, i) => {
      count.see(each, i * 100);
      return count.lasting;
    });
  };

  it('is nothing before it has lasted, and then the least that was seen', () => {
    expect(lastingOf([5, 7, 6, 6, 6, 9, 9])).toEqual([0, 0, 0, 5, 5, 5, 6]);
  });

  it('is less at once when less is seen', () => {
    expect(lastingOf([5, 5, 5, 5, 2, 0, 5])).toEqual([0, 0, 0, 5, 2, 0, 0]);
  });

  it('is nothing where each moment has others', () => {
    expect(lastingOf([3, 0, 4, 0, 5, 0, 3, 0])).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });
});

describe('a condition that must last', () => {
  it('counts from when it began to hold, and anew after a break', () => {
    const condition = new Lasting(100);
    condition.see(true, 0);
    expect(condition.hasLasted(99)).toBe(false);
    condition.see(true, 99);
    expect(condition.hasLasted(100)).toBe(true);
    condition.see(false, 101);
    condition.see(true, 102);
    expect(condition.hasLasted(201)).toBe(false);
    expect(condition.hasLasted(202)).toBe(true);
  });
});
