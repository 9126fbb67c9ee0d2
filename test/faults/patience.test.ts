import { expect, it } from 'vitest';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { Patience } from './patience.ts';

it('waits in proportion to what the machine gave, and anew with each change', () => {
  const clock = new ManualClock();
  const patience = new Patience(() => clock.monotonicMs());
  const first = patience.begin();
  clock.advanceSync(30_000);
  expect(first.isOver(['a'])).toBe(false);
  expect(first.agreed()).toBe(30_000);
  expect(patience.standstillMs).toBe(140_000);
  const second = patience.begin();
  expect(second.isOver(['a', 'b'])).toBe(false);
  clock.advanceSync(140_000);
  expect(second.isOver(['b'])).toBe(false);
  clock.advanceSync(140_000);
  expect(second.isOver(['b'])).toBe(false);
  clock.advanceSync(1);
  expect(second.isOver(['b'])).toBe(true);
});

it('does not take differences that come and go for ever for progress', () => {
  const clock = new ManualClock();
  const patience = new Patience(() => clock.monotonicMs());
  patience.begin().agreed();
  const wait = patience.begin();
  let looks = 0;
  while (!wait.isOver([String(looks)])) {
    clock.advanceSync(1000);
    looks++;
  }
  expect(looks).toBe(161);
});
