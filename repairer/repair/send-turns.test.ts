import { expect, it } from 'vitest';
import { sendTurns } from './send-turns.ts';

it('callers get their turns in order, and other work in between', async () => {
  const turn = sendTurns();
  const seen: string[] = [];
  const others = async (): Promise<void> => {
    for (let i = 0; i < 3; i++) {
      seen.push('other');
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const [first, second, third] = [turn(200_000), turn(200_000), turn(200_000)];
  await Promise.all([
    first.then(() => seen.push('first')),
    second.then(() => seen.push('second')),
    third.then(() => seen.push('third')),
    others(),
  ]);
  expect(seen.filter((each) => each !== 'other')).toEqual(['first', 'second', 'third']);
  expect(seen.slice(seen.indexOf('first'), seen.indexOf('third'))).toContain('other');
});

it('small ones share a turn', async () => {
  const turn = sendTurns();
  const turns = Array.from({ length: 60 }, () => turn(10_000));
  expect(new Set(turns).size).toBe(3);
  await Promise.all(turns);
});
