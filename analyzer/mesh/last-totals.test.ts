import { describe, expect, test } from 'vitest';
import type { Grade } from '#mesh/grade.ts';
import type { SweepTotals } from '../files/share-map/share-map.ts';
import { emptyTotals } from '../files/share-map/totals.ts';
import type { StoredSweep } from '../ports.ts';
import { LastTotals } from './last-totals.ts';

const gradesOf = (...counts: [Grade, files: number, bytes: number][]) =>
  new Map(counts.map(([grade, files, bytes]) => [grade, { files, bytes }]));
const stored: StoredSweep = {
  byPolicy: new Map([
    ['a', gradesOf(['lost', 1, 10], ['healthy', 5, 50])],
    ['b', gradesOf(['healthy', 2, 200])],
  ]),
  byMargin: new Map([['a', new Map([[-1, { files: 1, bytes: 10 }]])]]),
  atMs: 1000,
};

function known(files: number): { isAnyKnown: boolean; areAllJudged: boolean; whole: () => never } {
  const totals: SweepTotals = { ...emptyTotals(), files };
  return { isAnyKnown: true, areAllJudged: true, whole: () => ({ totals }) as never };
}

describe('the totals of the mesh', () => {
  test('are not known while nobody has told of any partition, and nothing is stored', () => {
    const totals = new LastTotals({ ...known(0), isAnyKnown: false });
    totals.resume(null);
    expect(totals.now(0)).toEqual({ totals: null, sweptAtMs: 0 });
  });

  test('are as the last sweep that is stored, with its time, until all that is owned was judged', () => {
    const facts = { ...known(3), isAnyKnown: false, areAllJudged: false };
    const totals = new LastTotals(facts);
    totals.resume(stored);
    const asStored = {
      totals: { files: 8, bytes: 260, filesWithoutManifest: null, settlingFiles: null, byMargin: stored.byMargin },
      sweptAtMs: 1000,
    };
    expect(totals.now(0)).toMatchObject(asStored);
    expect(totals.now(0).totals?.byGrade.get('healthy')).toEqual({ files: 7, bytes: 250 });
    expect(totals.now(0).totals?.byGrade.get('critical')).toEqual({ files: 0, bytes: 0 });
    facts.isAnyKnown = true;
    expect(totals.now(2000)).toMatchObject(asStored);
    facts.areAllJudged = true;
    expect(totals.now(2000)).toMatchObject({ totals: { files: 3, settlingFiles: 0 }, sweptAtMs: 2000 });
    // A partition that comes later is rebuilt beside those that are known.
    facts.areAllJudged = false;
    expect(totals.now(3000)).toMatchObject({ totals: { files: 3 }, sweptAtMs: 3000 });
  });

  test('are of what was judged so far where nothing is stored', () => {
    const totals = new LastTotals({ ...known(3), areAllJudged: false });
    totals.resume(null);
    expect(totals.now(2000)).toMatchObject({ totals: { files: 3 }, sweptAtMs: 2000 });
  });

  test('stay what they were when nobody tells of any partition any more', () => {
    const facts = known(3);
    const totals = new LastTotals(facts);
    totals.now(2000);
    facts.isAnyKnown = false;
    expect(totals.now(0)).toMatchObject({ totals: { files: 3 }, sweptAtMs: 2000 });
  });
});
