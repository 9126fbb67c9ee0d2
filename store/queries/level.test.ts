import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { daysOf, defaultRetention, levels, type Retention } from '../retention.ts';
import { bucketMsOf, chooseLevel, type LevelChoice, pointsOf } from './level.ts';

const dayMs = 86_400_000;
/** Not on a whole day, hour or minute. */
const nowMs = 20_000 * dayMs + 12_345_678;

const keptFromMs = (retention: Retention, level: LevelChoice['level']): number =>
  nowMs - daysOf(retention, level) * dayMs;

test.each([
  ['an hour', 3_600_000, 'raw', 10_000],
  ['six hours', 6 * 3_600_000, 'minute', 60_000],
  ['a week', 7 * dayMs, 'minute', 1_800_000],
  ['three weeks', 21 * dayMs, 'hour', 2 * 3_600_000],
  ['a year', 365 * dayMs, 'day', dayMs],
  ['five years', 5 * 365 * dayMs, 'day', 7 * dayMs],
] as const)(
  '%s until now is answered from the coarsest level that is fine enough',
  (_name, lengthMs, level, stepMs) => {
    expect(chooseLevel({ fromMs: nowMs - lengthMs, toMs: nowMs }, nowMs, 500, defaultRetention)).toMatchObject({
      level,
      stepMs,
    });
  },
);

test('an hour of last month comes from the hours: finer rows are gone by then', () => {
  const fromMs = nowMs - 30 * dayMs;
  expect(chooseLevel({ fromMs, toMs: fromMs + 3_600_000 }, nowMs, 500, defaultRetention).level).toBe('hour');
});

test('a span that begins exactly where a level ends is read from the next one, whose first bucket is whole', () => {
  const { rawDays, minuteDays } = defaultRetention;
  for (const [days, next] of [
    [rawDays, 'minute'],
    [minuteDays, 'hour'],
  ] as const) {
    const fromMs = nowMs - days * dayMs;
    expect(chooseLevel({ fromMs, toMs: fromMs + 60_000 }, nowMs, 100_000, defaultRetention).level).toBe(next);
  }
});

describe('whatever the span, the points and the retention', () => {
  const retentions = fc
    .tuple(
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 1000 }),
      fc.integer({ min: 1, max: 4000 }),
    )
    .map(
      ([rawDays, minuteDays, hourDays, dayDays]): Retention => ({
        ...defaultRetention,
        rawDays,
        minuteDays,
        hourDays,
        dayDays,
      }),
    );
  const queries = fc.record({
    lengthMs: fc.integer({ min: 1, max: 4500 * dayMs }),
    agoMs: fc.integer({ min: 0, max: 200 * dayMs }),
    maxPoints: fc.integer({ min: 2, max: 2000 }),
    retention: retentions,
  });
  const spanOf = ({ lengthMs, agoMs }: { lengthMs: number; agoMs: number }) => ({
    fromMs: nowMs - agoMs - lengthMs,
    toMs: nowMs - agoMs,
  });

  test('there are never more points than asked for, and a step is whole buckets of its level', () => {
    fc.assert(
      fc.property(queries, (query) => {
        const choice = chooseLevel(spanOf(query), nowMs, query.maxPoints, query.retention);
        expect(pointsOf(choice)).toBeLessThanOrEqual(query.maxPoints);
        expect(Number.isInteger(pointsOf(choice))).toBe(true);
        expect(choice.stepMs % bucketMsOf[choice.level]).toBe(0);
        expect(choice.fromMs % choice.stepMs).toBe(0);
      }),
    );
  });

  test('the level still holds the first bucket that is shown', () => {
    fc.assert(
      fc.property(queries, (query) => {
        const choice = chooseLevel(spanOf(query), nowMs, query.maxPoints, query.retention);
        expect(choice.fromMs).toBeGreaterThanOrEqual(keptFromMs(query.retention, choice.level));
      }),
    );
  });

  test('the whole span is shown, or what is left of it where it begins before anything that is kept', () => {
    fc.assert(
      fc.property(queries, (query) => {
        const span = spanOf(query);
        const choice = chooseLevel(span, nowMs, query.maxPoints, query.retention);
        const oldestMs = Math.min(...levels.map((level) => keptFromMs(query.retention, level)));
        expect(choice.fromMs).toBeLessThanOrEqual(Math.max(span.fromMs, oldestMs + choice.stepMs));
        expect(choice.toMs).toBeGreaterThanOrEqual(Math.min(span.toMs, choice.toMs));
        if (span.toMs > choice.fromMs) expect(choice.toMs).toBeGreaterThanOrEqual(span.toMs);
      }),
    );
  });

  test('no coarser level of those that are as fine as the step would have done', () => {
    fc.assert(
      fc.property(queries, (query) => {
        const choice = chooseLevel(spanOf(query), nowMs, query.maxPoints, query.retention);
        for (const coarser of levels.slice(levels.indexOf(choice.level) + 1)) {
          const fineEnough = bucketMsOf[coarser] <= choice.stepMs;
          const reaches = choice.fromMs >= keptFromMs(query.retention, coarser);
          // A span that begins before everything is answered by the level that is kept longest, whichever that is.
          const isCut = choice.fromMs > spanOf(query).fromMs;
          expect(fineEnough && reaches && !isCut).toBe(false);
        }
      }),
    );
  });
});
