import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoffMs, spreadBackoffMs } from './backoff.ts';
import { seededRandom } from './clock.ts';

const backoff = { firstMs: 500, longestMs: 6000 };

test('doubles with each failure up to the longest wait', () => {
  expect([0, 1, 2, 3, 4, 5, 1000].map((failures) => backoffMs(backoff, failures))).toEqual([
    500, 1000, 2000, 4000, 6000, 6000, 6000,
  ]);
});

test('spread, lies between half of the wait and the whole', () => {
  fc.assert(
    fc.property(fc.nat(100), fc.nat(), (failures, seed) => {
      const waitMs = spreadBackoffMs(backoff, failures, seededRandom(seed));
      const fullMs = backoffMs(backoff, failures);
      expect(waitMs).toBeGreaterThanOrEqual(fullMs / 2);
      expect(waitMs).toBeLessThan(fullMs);
    }),
  );
});
