import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { confirm, type Terminal } from './confirm.ts';

function terminal(answer: string, isTTY = true): Terminal {
  const input = Object.assign(new PassThrough(), { isTTY });
  input.end(`${answer}\n`);
  return { input, output: Object.assign(new PassThrough(), { isTTY }) } as unknown as Terminal;
}

describe('a change', () => {
  test('is made where the answer is yes, and only then', async () => {
    for (const answer of ['y', 'Y', 'yes ']) expect(await confirm('Now?', false, terminal(answer))).toBe(true);
    for (const answer of ['', 'n', 'yellow']) expect(await confirm('Now?', false, terminal(answer))).toBe(false);
  });

  test('is not asked for with --yes, and refused where nobody can be asked', async () => {
    expect(await confirm('Now?', true, terminal('n', false))).toBe(true);
    await expect(confirm('Now?', false, terminal('y', false))).rejects.toMatchObject({ code: 'bad-input' });
  });
});
