import { describe, expect, it } from 'vitest';
import { emptyTotals } from '../files/share-map/totals.ts';
import { OutlookWatch, repairWords, timeLeftWords } from './outlook.ts';

function totals(smallest: number, atRisk: number) {
  const count = { files: 1, bytes: 1 };
  return {
    ...emptyTotals(),
    byMargin: new Map([
      [
        'default',
        new Map([
          [-3, count],
          [smallest, count],
          [smallest + 9, count],
        ]),
      ],
    ]),
    byGrade: new Map([['at-risk' as const, { files: atRisk, bytes: 1 }]]),
  };
}

describe('the outlook', () => {
  it('tells when the smallest margin is used up, and when repair is done, at the rates of the last hour', () => {
    const watch = new OutlookWatch();
    for (let minute = 0; minute <= 10; minute++) watch.note(totals(40 - 2 * minute, 100 - 5 * minute), minute * 60_000);
    const outlook = watch.outlook({ running: 4, brake: null });
    expect(outlook).toMatchObject({ smallestMargin: 20, filesToRepair: 50, runningRepairs: 4 });
    expect(outlook.timeToKMs).toBeCloseTo(10 * 60_000);
    expect(outlook.repairEtaMs).toBeCloseTo(10 * 60_000);
    expect(timeLeftWords(outlook)).toBe(
      '10 min until a file reaches k at the present rate of decline (the smallest margin is 20 shares)',
    );
    expect(repairWords(outlook)).toBe('50 files need repair; 4 repairs are under way; done in about 10 min');
  });

  it('promises nothing while nothing moves, or what moved is too short', () => {
    const watch = new OutlookWatch();
    watch.note(totals(9, 3), 0);
    watch.note(totals(8, 2), 1000);
    expect(watch.outlook(null)).toMatchObject({ timeToKMs: null, repairEtaMs: null });
    for (let at = 2; at < 30; at++) watch.note(totals(9, 4), at * 1000);
    expect(timeLeftWords(watch.outlook(null))).toBe('the smallest margin is 9 shares and is not falling');
    expect(repairWords(watch.outlook(null))).toBe(
      '4 files need repair; no repairer answers; they do not become fewer yet',
    );
  });

  it('judges the decline since the top, not since the beginning', () => {
    const watch = new OutlookWatch();
    watch.note(totals(10, 0), 0);
    watch.note(totals(30, 100), 600_000);
    watch.note(totals(15, 100), 660_000);
    expect(watch.outlook(null).timeToKMs).toBeCloseTo(60_000);
  });

  it('forgets what is older than an hour, and keeps no more than it needs', () => {
    const watch = new OutlookWatch();
    for (let second = 0; second < 3 * 3600; second++) watch.note(totals(50, 1), second * 1000);
    watch.note(totals(49, 1), 3 * 3_600_000 + 60_000);
    // One share a minute since the top, which is the last second of three hours.
    expect(watch.outlook(null).timeToKMs).toBeCloseTo(49 * 61_000, -3);
    watch.note(totals(49, 1), 5 * 3_600_000);
    expect(watch.outlook(null).timeToKMs).toBeNull();
  });
});
