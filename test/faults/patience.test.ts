import { expect, it } from 'vitest';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { Patience } from './patience.ts';

it('waits in proportion to what the machine gave, and anew as long as differences become fewer', () => {
  const clock = new ManualClock();
  const patience = new Patience(() => clock.monotonicMs());
  const first = patience.begin();
  clock.advanceSync(30_000);
  expect(first.isOver(1)).toBe(false);
  expect(first.agreed()).toBe(30_000);
  expect(patience.standstillMs).toBe(140_000);
  const second = patience.begin();
  expect(second.isOver(2)).toBe(false);
  clock.advanceSync(140_000);
  expect(second.isOver(1)).toBe(false);
  clock.advanceSync(100_000);
  // Others than before, and more of them: no progress.
  expect(second.isOver(7)).toBe(false);
  clock.advanceSync(40_000);
  expect(second.isOver(1)).toBe(false);
  clock.advanceSync(1);
  expect(second.isOver(1)).toBe(true);
});

it('knows a machine that was measured before', () => {
  expect(new Patience(() => 0, 5000).standstillMs).toBe(40_000);
  expect(new Patience(() => 0).standstillMs).toBe(600_000);
});
