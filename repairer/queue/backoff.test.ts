import { describe, expect, it } from 'vitest';
import { restMs } from './backoff.ts';

const settings = { attempts: 3, retryAfterMs: 60_000 };
const middle = (): number => 0.5;
const passing = { ending: 'failed', errorCode: 'gbs-unreachable' } as const;
const lasting = { ending: 'too-few-shares', errorCode: 'not-enough-shares' } as const;

describe('the rest after a failed repair', () => {
  it('is short for a few tries when the fault may pass, then long', () => {
    expect([1, 2, 3, 4, 5].map((attempt) => restMs(passing, attempt, settings, middle))).toEqual([
      1_000, 2_000, 60_000, 120_000, 240_000,
    ]);
  });

  it('is long at once when only the mesh can change it, and ends at an hour', () => {
    expect([1, 2, 3, 7, 50].map((attempt) => restMs(lasting, attempt, settings, middle))).toEqual([
      60_000, 120_000, 240_000, 3_600_000, 3_600_000,
    ]);
  });

  it('spreads, so that files which failed together do not come back together', () => {
    expect(restMs(lasting, 1, settings, () => 0)).toBe(54_000);
    expect(restMs(lasting, 1, settings, () => 0.999)).toBeGreaterThan(65_000);
  });
});
