import { expect, it } from 'vitest';
import { MeshwardError } from '#mesh/errors.ts';
import { Ownership } from './ownership.ts';

const error = (code: 'log-fenced' | 'log-unavailable' | 'log-forbidden', retryable = false): MeshwardError =>
  new MeshwardError(code, 'no', { next: 'wait', retryable });

function ownershipOf(committedOffset: number | null, answers: (MeshwardError | 'yes')[]) {
  const clock = { atMs: 1000, monotonicMs: () => clock.atMs };
  const asked: number[] = [];
  const assigned = { topic: 't', partition: 3, generation: 7, committedOffset: null };
  const owned = { assigned, committedOffset };
  const ownership = new Ownership(owned, clock, {
    commit(_partition, nextOffset) {
      asked.push(nextOffset);
      const answer = answers.shift() ?? 'yes';
      return answer === 'yes' ? Promise.resolve() : Promise.reject(answer);
    },
  });
  return { ownership, clock, asked };
}

it('is asked by committing again what is committed, and believed for a moment only', async () => {
  const { ownership, clock, asked } = ownershipOf(12, ['yes', error('log-fenced'), 'yes', error('log-fenced')]);
  expect(ownership.isFresh).toBe(false);
  expect(await ownership.holds()).toBe(true);
  clock.atMs += 1999;
  expect([await ownership.holds(), ownership.isFresh]).toEqual([true, true]);
  expect(asked).toEqual([12]);
  clock.atMs += 1;
  expect(ownership.isFresh).toBe(false);
  expect(await ownership.holds()).toBe(false);
  expect(asked).toEqual([12, 12]);
  expect(await ownership.ask()).toBe(true);
  expect(await ownership.ask()).toBe(false);
  expect(ownership.isFresh).toBe(false);
});

it('holds while the log does not answer, since nobody else can take the partition then, and before the first commit', async () => {
  expect(await ownershipOf(12, [error('log-unavailable', true)]).ownership.holds()).toBe(true);
  const { ownership, asked } = ownershipOf(null, []);
  expect(await ownership.holds()).toBe(true);
  expect(asked).toEqual([]);
});

it('fails with what the log refuses for good', async () => {
  await expect(ownershipOf(12, [error('log-forbidden')]).ownership.holds()).rejects.toMatchObject({
    code: 'log-forbidden',
  });
});
