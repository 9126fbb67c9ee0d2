import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { freeAtOnce, SpentChunks } from './free-at-once.ts';

it('memory that is done with is gone at once, whichever part of it was looked at', () => {
  const whole = new Uint8Array(100);
  const part = whole.subarray(12, 90);
  freeAtOnce(part);
  expect([whole.length, part.length]).toEqual([0, 0]);
  freeAtOnce(part); // a second time is no fault
});

it('chunks are whole until the turn of the event loop is over, and parts of shared memory always', async () => {
  const spent = new SpentChunks();
  const chunk = new Uint8Array(16_384).fill(7);
  const shared = new Uint8Array(8192).fill(8);
  const small = shared.subarray(100, 200);
  spent.add(chunk.subarray(0, 16_000));
  spent.add(chunk.subarray(0, 16_000)); // a parser hands out one chunk in more than one part
  spent.add(small);
  expect(chunk[0]).toBe(7);
  await setImmediate();
  expect(chunk).toHaveLength(0);
  expect(small[0]).toBe(8);
});
