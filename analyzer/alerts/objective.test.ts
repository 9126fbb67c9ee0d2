import { describe, expect, it } from 'vitest';
import { ObjectiveLedger, objectiveAlerts } from './objective.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const config = { recoverableRatio: 0.999_999, aboveRepairRatio: 0.999, windowMs: 30 * 24 * hourMs };
const startMs = 1_700_000_000_000 - (1_700_000_000_000 % hourMs);

/** A sweep a minute. @param bad files below the repair threshold, of 1000. */
function sweeps(ledger: ObjectiveLedger, fromMinute: number, toMinute: number, bad: number, lost = 0): number {
  for (let minute = fromMinute; minute < toMinute; minute++)
    ledger.note({ atMs: startMs + minute * minuteMs, files: 1000, lost, belowRepair: bad });
  return startMs + (toMinute - 1) * minuteMs;
}
const keysOf = (ledger: ObjectiveLedger, nowMs: number, isPaged = false): readonly string[] =>
  objectiveAlerts(ledger.standings(nowMs), isPaged).map(({ key, severity }) => `${key} ${severity}`);

describe('the recoverability objective', () => {
  it('burns nothing while it is kept, nor by what is not known', () => {
    const ledger = new ObjectiveLedger(config);
    expect(ledger.standings(startMs)).toMatchObject([{ ratioNow: 1, budgetLeftRatio: 1 }, { budgetLeftRatio: 1 }]);
    expect(keysOf(ledger, sweeps(ledger, 0, 300, 0))).toEqual([]);
    expect(keysOf(ledger, startMs + 900 * hourMs)).toEqual([]);
  });

  it('pages for a fast burn once the long window says that it matters, and ends with the short one', () => {
    const ledger = new ObjectiveLedger(config);
    sweeps(ledger, 0, 600, 0);
    // 100 of 1000 files burn at 100 times the rate: 8.7 minutes of them fill an hour's 14.4.
    expect(keysOf(ledger, sweeps(ledger, 600, 608, 100))).toEqual([]);
    expect(keysOf(ledger, sweeps(ledger, 608, 610, 100))).toEqual(['objective-above-repair page']);
    expect(keysOf(ledger, sweeps(ledger, 610, 620, 0))).not.toContain('objective-above-repair page');
  });

  it('pages for a slower burn after longer, and warns of a slow one', () => {
    const slower = new ObjectiveLedger(config);
    expect(keysOf(slower, sweeps(slower, 0, 6 * 60, 8))).toEqual(['objective-above-repair page']);
    const slow = new ObjectiveLedger(config);
    expect(keysOf(slow, sweeps(slow, 0, 3 * 24 * 60, 2))).toEqual(['objective-above-repair warning']);
  });

  it('leaves paging to the page that tells the cause, and warns of the budget', () => {
    const ledger = new ObjectiveLedger(config);
    const nowMs = sweeps(ledger, 0, 60, 500, 500);
    expect(keysOf(ledger, nowMs, true)).toEqual(['objective-recoverable warning', 'objective-above-repair warning']);
    expect(keysOf(ledger, nowMs)).toEqual(['objective-recoverable page', 'objective-above-repair page']);
  });

  it('tells what is left of the budget', () => {
    const ledger = new ObjectiveLedger(config);
    const nowMs = sweeps(ledger, 0, 60, 1000);
    // An hour of 720, all bad, of a budget of a thousandth.
    expect(ledger.standings(nowMs)[1]?.budgetLeftRatio).toBeCloseTo(1 - 1 / 720 / 0.001, 9);
    expect(ledger.standings(nowMs)[1]?.ratioNow).toBe(0);
  });

  it('goes on from what is stored, and does not count it twice', () => {
    const ledger = new ObjectiveLedger(config);
    const nowMs = sweeps(ledger, 100, 101, 100);
    const counts = Array.from({ length: 101 }, (_, minute) => {
      return { atMs: startMs + minute * minuteMs, files: 1000, lost: 0, belowRepair: 100 };
    });
    ledger.resume({ minutes: counts, hours: counts.slice(0, 1) });
    expect(keysOf(ledger, nowMs)).toEqual(['objective-above-repair page']);
  });

  it('has no budget to burn where everything is wanted', () => {
    const ledger = new ObjectiveLedger({ ...config, recoverableRatio: 1 });
    expect(keysOf(ledger, sweeps(ledger, 0, 60, 0, 1000))).toEqual([]);
  });
});
