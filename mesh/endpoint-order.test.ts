import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from './clock.ts';
import { EndpointOrder } from './endpoint-order.ts';
import { ManualClock } from './testing/manual-clock.ts';

const databaseRests = { firstMs: 1000, longestMs: 30_000 };
const collectorRests = { firstMs: 1000, longestMs: 60_000 };

describe('for callers that ask all', () => {
  test('the preferred endpoint is asked first, the next while it rests, and the preferred one again after that', () => {
    const clock = new ManualClock();
    const order = new EndpointOrder(3, clock, databaseRests);
    expect(order.order()).toEqual([0, 1, 2]);
    order.failed(0);
    expect(order.order()).toEqual([1, 2, 0]);
    order.answered(1);
    expect(order).toMatchObject({ last: 1, switches: 1 });
    clock.advanceSync(999);
    expect(order.order()[0]).toBe(1);
    clock.advanceSync(1);
    expect(order.order()).toEqual([0, 1, 2]);
    order.answered(0);
    expect(order).toMatchObject({ last: 0, switches: 2 });
  });

  test('one that keeps failing rests longer each time, up to half a minute, and from the beginning after an answer', () => {
    const clock = new ManualClock();
    const order = new EndpointOrder(2, clock, databaseRests);
    const restOf = (): number => {
      order.failed(0);
      let rested = 0;
      while (order.order()[0] !== 0) {
        clock.advanceSync(500);
        rested += 500;
      }
      return rested;
    };
    expect(Array.from({ length: 8 }, restOf)).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    order.answered(0);
    expect(restOf()).toBe(1000);
  });

  test('whatever happens, every endpoint is asked once in a round', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.tuple(fc.constantFrom('failed', 'answered', 'move'), fc.nat(4)), { maxLength: 60 }),
        (count, events) => {
          const clock = new ManualClock();
          const order = new EndpointOrder(count, clock, databaseRests);
          for (const [event, value] of events) {
            if (event === 'move') clock.advanceSync(value * 700);
            else order[event](value % count);
            expect([...order.order()].sort()).toEqual(Array.from({ length: count }, (_, index) => index));
          }
        },
      ),
    );
  });
});

describe('for callers that spare the resting', () => {
  test('the first that does not rest is asked first, and the others after it in their order', () => {
    const clock = new ManualClock();
    const order = new EndpointOrder(3, clock, collectorRests, () => 0);
    expect(order.rested()).toEqual([0, 1, 2]);
    order.failed(0, 0);
    expect(order.rested()).toEqual([1, 2]);
    clock.advanceSync(500);
    expect(order.rested()).toEqual([0, 1, 2]);
  });

  test('rests grow with each failure up to a minute, never end before what the collector asked for, and an answer ends them', () => {
    const clock = new ManualClock();
    const order = new EndpointOrder(2, clock, collectorRests, () => 1);
    const rests: number[] = [];
    for (let i = 0; i < 8; i++) {
      order.failed(0, 0);
      let restMs = 0;
      for (; order.rested()[0] !== 0; restMs += 100) clock.advanceSync(100);
      rests.push(restMs);
    }
    expect(rests).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    order.answered(0);
    order.failed(0, 5000);
    clock.advanceSync(4999);
    expect(order.rested()).toEqual([1]);
    clock.advanceSync(1);
    expect(order.rested()).toEqual([0, 1]);
  });

  test('whatever fails, there is always someone to ask, in the order of the list, and nobody twice', () => {
    const step = fc.record({ index: fc.nat(3), ok: fc.boolean(), waitMs: fc.nat(5000), atLeastMs: fc.nat(20_000) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.nat(), (steps, seed) => {
        const clock = new ManualClock();
        const order = new EndpointOrder(4, clock, collectorRests, seededRandom(seed));
        for (const { index, ok, waitMs, atLeastMs } of steps) {
          if (ok) order.answered(index);
          else order.failed(index, atLeastMs);
          const asked = order.rested();
          expect(asked.length).toBeGreaterThan(0);
          expect([...asked].sort((a, b) => a - b)).toEqual(asked);
          expect(new Set(asked).size).toBe(asked.length);
          if (ok) expect(asked).toContain(index);
          clock.advanceSync(waitMs);
        }
      }),
    );
  });
});
