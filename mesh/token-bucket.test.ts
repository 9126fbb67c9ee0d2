import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ManualClock } from './testing/manual-clock.ts';
import { TokenBucket, TokenBuckets } from './token-bucket.ts';

describe('what is granted or refused', () => {
  test('never grant more than the burst and the rate together, and grant after the time that they name', () => {
    const step = fc.record({ waitMs: fc.nat(2000), amount: fc.integer({ min: 1, max: 10 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const clock = new ManualClock();
        const limits = new TokenBuckets({ perSecond: 5, burst: 10 }, clock, 4);
        let granted = 0;
        let elapsedMs = 0;
        for (const { waitMs, amount } of steps) {
          clock.advanceSync(waitMs);
          elapsedMs += waitMs;
          const refusedMs = limits.of('a').tryTake(amount);
          if (refusedMs > 0) {
            clock.advanceSync(refusedMs);
            elapsedMs += refusedMs;
            expect(limits.of('a').tryTake(amount)).toBe(0);
          }
          granted += amount;
          expect(granted).toBeLessThanOrEqual(10 + (elapsedMs / 1000) * 5 + 1e-6);
        }
      }),
    );
  });

  test('one caller takes nothing from another, and the silent ones are forgotten first', () => {
    const limits = new TokenBuckets({ perSecond: 1, burst: 1 }, new ManualClock(), 2);
    expect(limits.of('a').tryTake(1)).toBe(0);
    expect(limits.of('b').tryTake(1)).toBe(0);
    expect(limits.of('a').tryTake(1)).toBeGreaterThan(0);
    expect(limits.of('c').tryTake(1)).toBe(0);
    expect(limits.of('a').tryTake(1)).toBeGreaterThan(0);
    expect(limits.of('b').tryTake(1)).toBe(0);
  });
});

describe('what waits its turn', () => {
  test('a bucket lets a second of bytes through at once and then the rate', async () => {
    const clock = new ManualClock();
    const bucket = new TokenBucket({ perSecond: 1000, burst: 1000 }, clock);
    const { signal } = new AbortController();
    await bucket.pay(1000, signal);
    let paidAtMs = -1;
    const beganMs = clock.monotonicMs();
    void bucket.pay(2500, signal).then(() => {
      paidAtMs = clock.monotonicMs() - beganMs;
    });
    await clock.advance(2400);
    expect(paidAtMs).toBe(-1);
    await clock.advance(200);
    expect(paidAtMs).toBe(2500);
  });

  test('is served in the order in which it came, and what comes later delays nobody before it', async () => {
    const clock = new ManualClock();
    const bucket = new TokenBucket({ perSecond: 100, burst: 25 }, clock);
    const paidAtMs: number[] = [];
    const beganMs = clock.monotonicMs();
    for (let i = 0; i < 3; i++) void bucket.pay(100).then(() => paidAtMs.push(clock.monotonicMs() - beganMs));
    await clock.advance(3000);
    expect(paidAtMs).toEqual([750, 1750, 2750]);
  });

  test('goes by a rate that is set meanwhile, and at once where the limit is lifted', async () => {
    const clock = new ManualClock();
    const bucket = new TokenBucket({ perSecond: 1, burst: 1 }, clock);
    let paid = false;
    void bucket.pay(1001).then(() => {
      paid = true;
    });
    await clock.advance(1000);
    bucket.setRate({ perSecond: 500, burst: 500 });
    await clock.advance(4000);
    expect(paid).toBe(true);
    void bucket.pay(1_000_000);
    bucket.setRate({ perSecond: 0, burst: 0 });
    await bucket.pay(1_000_000);
    expect(bucket.tryTake(1_000_000)).toBe(0);
  });

  test('ends with the reason of its signal, and leaves no timer', async () => {
    const clock = new ManualClock();
    const bucket = new TokenBucket({ perSecond: 1, burst: 1 }, clock);
    const stop = new AbortController();
    const waiting = bucket.pay(100, stop.signal);
    stop.abort(new Error('stopping'));
    await expect(waiting).rejects.toThrow('stopping');
    expect(clock.pendingDelaysMs).toEqual([]);
  });
});
