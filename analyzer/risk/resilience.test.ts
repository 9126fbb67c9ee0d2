import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ShareGroup } from '#store/queries/resilience.ts';
import { resilienceOf } from './resilience.ts';

const group = (fields: Partial<ShareGroup>): ShareGroup => ({
  k: 2,
  n: 6,
  available: 6,
  tolerancePeers: 5,
  files: 10,
  bytes: 1000,
  ...fields,
});
const asIs = { peers: 10, domains: new Map<string, number>(), lostPeers: 0, repairedTo: null };

describe('resilience', () => {
  it('begins with what is lost now and ends with everything', () => {
    const { points, files, at } = resilienceOf(
      [group({}), group({ available: 1, tolerancePeers: 0, files: 3 })],
      [],
      asIs,
    );
    expect(files).toBe(13);
    expect(points[0]).toEqual({ lost: 0, expectedFiles: 3, worstFiles: 3 });
    expect(points.at(-1)).toEqual({ lost: 10, expectedFiles: 13, worstFiles: 13 });
    expect(at).toEqual({ lost: 0, expectedFiles: 3, worstFiles: 3, expectedBytes: 1000 });
  });

  it('equals a sum done by hand: two of six shares needed, half of the peers lost', () => {
    const { at } = resilienceOf([group({ files: 64 })], [], { ...asIs, lostPeers: 5 });
    // Fewer than two of six fair coins: (1 + 6) / 64.
    expect(at.expectedFiles).toBeCloseTo(7, 9);
    expect(at.worstFiles).toBe(64);
  });

  it('knows how many peers may go, whichever they are', () => {
    expect(resilienceOf([group({}), group({ tolerancePeers: 3 })], [], asIs).anyPeers).toBe(2);
    expect(resilienceOf([group({ available: 1, tolerancePeers: 0 })], [], asIs).anyPeers).toBe(0);
  });

  it('supposes repair for files that can be repaired, and for no others', () => {
    const thin = group({ available: 3, tolerancePeers: 2 });
    const gone = group({ available: 1, tolerancePeers: 0, files: 1 });
    const question = { ...asIs, lostPeers: 3 };
    expect(resilienceOf([thin, gone], [], question).at.worstFiles).toBe(11);
    expect(resilienceOf([thin, gone], [], { ...question, repairedTo: 1 }).at.worstFiles).toBe(1);
  });

  it('counts by domain the files that the worst so many would take', () => {
    const byDomain = [
      { kind: 'zone', tolerance: 1, files: 4 },
      { kind: 'zone', tolerance: 3, files: 6 },
      { kind: 'rack', tolerance: 1, files: 99 },
    ];
    const { domains } = resilienceOf([group({})], byDomain, { ...asIs, domains: new Map([['zone', 3]]) });
    expect(domains).toEqual([
      {
        kind: 'zone',
        domains: 3,
        worst: [
          { lost: 0, files: 0 },
          { lost: 1, files: 4 },
          { lost: 2, files: 4 },
          { lost: 3, files: 10 },
        ],
      },
    ]);
  });

  it('never falls with more losses, and the worst is never better than what is expected where tolerance is exact', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 0, max: 70 }),
        fc.integer({ min: 100, max: 5000 }),
        (k, above, peers) => {
          const available = k + above;
          const files = [group({ k, n: k + 70, available, tolerancePeers: above + 1 })];
          const { points } = resilienceOf(files, [], { ...asIs, peers });
          expect(points.length).toBeLessThanOrEqual(62);
          for (const [i, point] of points.entries()) {
            const before = points[i - 1];
            if (before === undefined) continue;
            expect(point.expectedFiles).toBeGreaterThanOrEqual(before.expectedFiles - 1e-9);
            expect(point.worstFiles).toBeGreaterThanOrEqual(before.worstFiles);
          }
        },
      ),
    );
  });
});
