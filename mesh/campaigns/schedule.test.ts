import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dueRuns, isWindowOpen, nextRuns, parseSchedule, type RepairWindow } from './schedule.ts';

const at = (text: string): number => Date.parse(text);

describe('calendars', () => {
  test('follow the clocks of their time zone, over the change to summer time too', () => {
    const definition = parseSchedule({ does: 'proofs', cron: '30 3 * * 0', timeZone: 'Europe/Berlin', files: 1 });
    const times = nextRuns(definition, at('2026-03-20T00:00:00Z'), 3).map((ms) => new Date(ms).toISOString());
    expect(times).toEqual(['2026-03-22T02:30:00.000Z', '2026-03-29T01:30:00.000Z', '2026-04-05T01:30:00.000Z']);
  });

  test('know what was due, each time once', () => {
    const definition = parseSchedule({ does: 'proofs', cron: '0 * * * *', timeZone: 'UTC', files: 1 });
    fc.assert(
      fc.property(fc.nat(10_000_000_000), fc.array(fc.nat(20_000_000), { maxLength: 8 }), (startMs, steps) => {
        let seenMs = startMs;
        let nowMs = startMs;
        let count = 0;
        for (const step of steps) {
          nowMs += step;
          const due = dueRuns(definition, seenMs, nowMs);
          count += due.count;
          seenMs = due.lastMs ?? seenMs;
        }
        expect(count).toBe(Math.floor(nowMs / 3_600_000) - Math.floor(startMs / 3_600_000));
      }),
    );
  });

  test.each([
    [{ does: 'proofs', cron: '99 2 * * 6', timeZone: 'UTC', files: 1 }, 'no calendar'],
    [{ does: 'proofs', cron: '0 2 * * 6', timeZone: 'Mars/Olympus', files: 1 }, 'no time zone'],
    [{ does: 'repair-window', from: '22:00', to: '26:00', days: [1], timeZone: 'UTC' }, 'to'],
    [{ does: 'sleep' }, 'does'],
  ])('refuse %j', (value, words) => {
    expect(() => parseSchedule(value)).toThrow(words);
  });
});

describe('repair windows', () => {
  const night: RepairWindow = {
    does: 'repair-window',
    from: '22:00',
    to: '06:00',
    days: [5, 6],
    timeZone: 'Europe/Berlin',
  };

  test('go over midnight, on the days on which they open', () => {
    const open = (text: string): boolean => isWindowOpen([night], at(text));
    // 2026-01-02 is a Friday; Berlin is an hour ahead.
    expect(open('2026-01-02T20:59:00Z')).toBe(false);
    expect(open('2026-01-02T21:00:00Z')).toBe(true);
    expect(open('2026-01-03T04:59:00Z')).toBe(true);
    expect(open('2026-01-03T05:00:00Z')).toBe(false);
    expect(open('2026-01-04T04:00:00Z')).toBe(true);
    expect(open('2026-01-04T21:30:00Z')).toBe(false);
  });

  test('leave everything open where there is none, and open where any is', () => {
    const day: RepairWindow = { ...night, from: '06:00', to: '22:00', days: [0, 1, 2, 3, 4, 5, 6] };
    const nights: RepairWindow = { ...night, days: day.days };
    fc.assert(
      fc.property(fc.nat(2_000_000_000_000), (ms) => {
        expect(isWindowOpen([], ms)).toBe(true);
        expect(isWindowOpen([day], ms)).toBe(!isWindowOpen([nights], ms));
        expect(isWindowOpen([day, nights], ms)).toBe(true);
      }),
    );
  });
});
