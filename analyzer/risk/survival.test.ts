import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SurvivalTable } from './survival.ts';

describe('survival', () => {
  const table = new SurvivalTable(0.1);

  it('equals sums done by hand', () => {
    expect(table.log10Loss(1, 1)).toBeCloseTo(-1, 12);
    expect(table.log10Loss(2, 1)).toBeCloseTo(-2, 12);
    expect(table.log10Loss(3, 2)).toBeCloseTo(Math.log10(0.1 ** 3 + 3 * 0.9 * 0.1 ** 2), 12);
    expect(table.log10Loss(24, 25)).toBe(0);
  });

  it('falls with every share more and rises with every share needed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 255 }), fc.integer({ min: 0, max: 255 }), (k, m) => {
        expect(table.log10Loss(m + 1, k)).toBeLessThanOrEqual(table.log10Loss(m, k) + 1e-9);
        expect(table.log10Loss(m, k + 1)).toBeGreaterThanOrEqual(table.log10Loss(m, k) - 1e-9);
        expect(table.log10Loss(m, k)).toBeLessThanOrEqual(0);
      }),
    );
  });

  it('stays finite at the ends of its range', () => {
    for (const ratio of [0, 1, 0.5]) expect(Number.isFinite(new SurvivalTable(ratio).log10Loss(256, 1))).toBe(true);
  });
});
