import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { seededRandom } from '#mesh/clock.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { AddressOrder } from './address-order.ts';

test('the first that does not rest is asked first, and the others after it in their order', () => {
  const clock = new ManualClock();
  const order = new AddressOrder(3, clock, () => 0);
  expect(order.toAsk()).toEqual([0, 1, 2]);
  order.failed(0, 0);
  expect(order.toAsk()).toEqual([1, 2]);
  clock.advanceSync(500);
  expect(order.toAsk()).toEqual([0, 1, 2]);
});

test('rests grow with each failure up to a minute, never end before what the collector asked for, and an answer ends them', () => {
  const clock = new ManualClock();
  const order = new AddressOrder(2, clock, () => 1);
  const rests: number[] = [];
  for (let i = 0; i < 8; i++) {
    order.failed(0, 0);
    let restMs = 0;
    for (; order.toAsk()[0] !== 0; restMs += 100) clock.advanceSync(100);
    rests.push(restMs);
  }
  expect(rests).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  order.answered(0);
  order.failed(0, 5000);
  clock.advanceSync(4999);
  expect(order.toAsk()).toEqual([1]);
  clock.advanceSync(1);
  expect(order.toAsk()).toEqual([0, 1]);
});

test('whatever fails, there is always someone to ask, in the order of the list, and nobody twice', () => {
  const step = fc.record({ index: fc.nat(3), ok: fc.boolean(), waitMs: fc.nat(5000), atLeastMs: fc.nat(20_000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(), (steps, seed) => {
      const clock = new ManualClock();
      const order = new AddressOrder(4, clock, seededRandom(seed));
      for (const { index, ok, waitMs, atLeastMs } of steps) {
        if (ok) order.answered(index);
        else order.failed(index, atLeastMs);
        const asked = order.toAsk();
        expect(asked.length).toBeGreaterThan(0);
        expect([...asked].sort((a, b) => a - b)).toEqual(asked);
        expect(new Set(asked).size).toBe(asked.length);
        if (ok) expect(asked).toContain(index);
        clock.advanceSync(waitMs);
      }
    }),
  );
});
