import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { chooseGrain, grains } from './grain.ts';

const dayMs = 86_400_000;
const nowMs = 400 * 365 * dayMs;

test.each([
  ['an hour', 3_600_000, '', 10_000],
  ['six hours', 6 * 3_600_000, '_minute', 60_000],
  ['a week', 7 * dayMs, '_minute', 1_800_000],
  ['a year', 365 * dayMs, '_hour', dayMs],
])('%s until now is answered from a rollup that is fine enough', (_name, lengthMs, suffix, stepMs) => {
  const choice = chooseGrain({ fromMs: nowMs - lengthMs, toMs: nowMs }, nowMs, 500);
  expect(['', '_minute', '_hour', '_day'].indexOf(choice.grain.suffix)).toBeGreaterThanOrEqual(
    ['', '_minute', '_hour', '_day'].indexOf(suffix),
  );
  expect(choice.stepMs).toBe(stepMs);
});

test('an hour of last month comes from the hours: finer rows are gone by then', () => {
  const fromMs = nowMs - 30 * dayMs;
  expect(chooseGrain({ fromMs, toMs: fromMs + 3_600_000 }, nowMs, 500).grain.suffix).toBe('_hour');
});

test('a step never exceeds the points asked for, is a multiple of its bucket, and the rollup reaches back where any does', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1000, max: 4000 * dayMs }),
      fc.integer({ min: 0, max: 100 * dayMs }),
      fc.integer({ min: 10, max: 2000 }),
      (lengthMs, agoMs, maxPoints) => {
        const span = { fromMs: nowMs - agoMs - lengthMs, toMs: nowMs - agoMs };
        const { grain, stepMs } = chooseGrain(span, nowMs, maxPoints);
        expect(lengthMs / stepMs).toBeLessThanOrEqual(maxPoints);
        expect(stepMs % grain.bucketMs).toBe(0);
        if (grains.some((one) => span.fromMs >= nowMs - one.keptMs))
          expect(span.fromMs).toBeGreaterThanOrEqual(nowMs - grain.keptMs);
      },
    ),
  );
});
