import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FileGroup, makePlan, type PlanInput, planDrift, planSchema, spread } from './plan.ts';

const group = fc
  .record({
    k: fc.constantFrom(1, 3, 25),
    more: fc.nat(75),
    available: fc.nat(100),
    restore: fc.nat(40),
    unplaceable: fc.nat(100),
    files: fc.integer({ min: 1, max: 1000 }),
    bytes: fc.integer({ min: 1, max: 1_000_000 }),
  })
  .map(({ k, more, available, restore, unplaceable, files, bytes }): FileGroup => {
    const n = k + more;
    const there = Math.min(available, n);
    const missing = Math.min(restore, n - there);
    return {
      k,
      n,
      available: there,
      margin: there - k,
      restore: missing,
      unplaceable,
      files,
      shareBytes: files * bytes,
    };
  });

const peer = fc.record({ free: fc.nat(1_000_000_000), held: fc.nat(1_000_000), isWritable: fc.boolean() });

function inputOf(
  groups: readonly FileGroup[],
  peers: readonly { free: number; held: number; isWritable: boolean }[],
): PlanInput {
  const named = peers.map((one, i) => ({ ...one, peerId: `p${i}`, name: `peer ${i}` }));
  return {
    atMs: 1,
    groups,
    held: named.map(({ peerId, held }) => ({ peerId, bytesRead: held, bytesSpared: 0 })),
    peers: named.map(({ peerId, name, free, isWritable }, i) => {
      return { peerId, name, domains: { zone: `z${i % 3}` }, freeBytes: free, isWritable };
    }),
    bytesToEachTarget: 1000,
    onto: null,
    isVerify: false,
    keepsMargin: false,
    isCopy: false,
    speed: { slowBytesPerSecond: 1e6, fastBytesPerSecond: 5e6, basis: 'test' },
    prices: { currency: 'EUR', readPerGB: 1, writePerGB: 2, keepPerGBMonth: 3 },
    log10Loss: (shares, k) => Math.min(0, -(shares - k)),
  };
}

describe('a plan', () => {
  test('adds up, whatever the files and the peers are', () => {
    fc.assert(
      fc.property(fc.array(group, { maxLength: 30 }), fc.array(peer, { maxLength: 30 }), (groups, peers) => {
        const plan = planSchema.parse(makePlan(inputOf(groups, peers)));
        const count = (margins: readonly (readonly [number, number])[]) =>
          margins.reduce((sum, [, files]) => sum + files, 0);
        expect(count(plan.marginsBefore)).toBe(plan.files);
        expect(count(plan.marginsAfter)).toBe(plan.files);
        expect(plan.filesToRepair).toBeLessThanOrEqual(plan.files);
        expect(plan.sharesToWrite).toBeLessThanOrEqual(groups.reduce((sum, one) => sum + one.restore * one.files, 0));
        for (const one of plan.peers) expect(one.bytesWritten).toBeLessThanOrEqual(one.freeBytes);
        const written = plan.peers.reduce((sum, one) => sum + one.bytesWritten, 0);
        expect(written).toBeLessThanOrEqual(plan.bytesWritten + plan.peers.length);
        for (const kind of ['bytesRead', 'bytesWritten'] as const) {
          const domains = plan.domains.reduce((sum, one) => sum + one[kind], 0);
          expect(domains).toBe(plan.peers.reduce((sum, one) => sum + one[kind], 0));
        }
        if (plan.duration !== null) expect(plan.duration.leastMs).toBeLessThanOrEqual(plan.duration.mostMs);
        expect(plan.ninesGained).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test('that copies reads what it writes, and leaves margins as they are', () => {
    fc.assert(
      fc.property(fc.array(group, { maxLength: 30 }), (groups) => {
        const plan = makePlan({ ...inputOf(groups, []), isCopy: true, keepsMargin: true });
        expect(Math.abs(plan.bytesRead - plan.bytesWritten)).toBeLessThanOrEqual(1);
        expect(Math.abs(plan.sharesToRead - plan.sharesToWrite)).toBeLessThanOrEqual(1);
        expect(plan.marginsAfter).toEqual(plan.marginsBefore);
      }),
    );
  });

  test('says what stays at risk, and why', () => {
    const base = { k: 3, n: 10, margin: 0, files: 5, shareBytes: 500 };
    const plan = makePlan(
      inputOf(
        [
          { ...base, available: 2, restore: 8, unplaceable: 0 },
          { ...base, available: 3, restore: 7, unplaceable: 10 },
        ],
        [{ free: 1e9, held: 1, isWritable: true }],
      ),
    );
    expect(plan.stillAtRisk).toEqual([
      { reason: expect.stringContaining('fewer than k'), files: 5 },
      { reason: expect.stringContaining('too few peers'), files: 5 },
    ]);
    expect(plan.sharesToWrite).toBe(25);
  });

  test('fills no peer beyond its room, and gives to others what it cannot take', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ freeBytes: fc.nat(1000), weight: fc.nat(10) }), { maxLength: 20 }),
        fc.nat(10_000),
        (targets, bytes) => {
          const named = targets.map((target, i) => ({ ...target, peerId: `p${i}` }));
          const result = spread(named, bytes);
          const sum = [...result.values()].reduce((all, one) => all + one.bytes, 0);
          const room = named.reduce((all, { freeBytes, weight }) => all + (weight > 0 ? freeBytes : 0), 0);
          expect(sum).toBeCloseTo(Math.min(bytes, room), 6);
          for (const target of named)
            expect(result.get(target.peerId)?.bytes ?? 0).toBeLessThanOrEqual(target.freeBytes);
        },
      ),
    );
  });

  test('drifts by its largest change', () => {
    const plan = makePlan(
      inputOf([{ k: 3, n: 10, available: 5, margin: 2, restore: 5, unplaceable: 0, files: 10, shareBytes: 1000 }], []),
    );
    expect(planDrift(plan, plan)).toBe(0);
    expect(planDrift(plan, { ...plan, files: 12 })).toBeCloseTo(0.2);
  });
});
