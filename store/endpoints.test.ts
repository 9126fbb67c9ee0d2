import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Clock } from '#mesh/clock.ts';
import { EndpointOrder } from './endpoints.ts';

function standing(): { clock: Clock; move: (ms: number) => void } {
  let nowMs = 0;
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs, after: () => () => undefined };
  return {
    clock,
    move(ms) {
      nowMs += ms;
    },
  };
}

test('the preferred endpoint is asked first, the next while it rests, and the preferred one again after that', () => {
  const { clock, move } = standing();
  const order = new EndpointOrder(3, clock);
  expect(order.order()).toEqual([0, 1, 2]);
  order.failed(0);
  expect(order.order()).toEqual([1, 2, 0]);
  order.answered(1);
  expect(order).toMatchObject({ last: 1, switches: 1 });
  move(999);
  expect(order.order()[0]).toBe(1);
  move(1);
  expect(order.order()).toEqual([0, 1, 2]);
  order.answered(0);
  expect(order).toMatchObject({ last: 0, switches: 2 });
});

test('one that keeps failing rests longer each time, up to half a minute, and from the beginning after an answer', () => {
  const { clock, move } = standing();
  const order = new EndpointOrder(2, clock);
  const restOf = (): number => {
    order.failed(0);
    let rested = 0;
    while (order.order()[0] !== 0) {
      move(500);
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
        const { clock, move } = standing();
        const order = new EndpointOrder(count, clock);
        for (const [event, value] of events) {
          if (event === 'move') move(value * 700);
          else order[event](value % count);
          expect([...order.order()].sort()).toEqual(Array.from({ length: count }, (_, index) => index));
        }
      },
    ),
  );
});
