import { expect, test } from 'vitest';
import { defaultPolicy } from '#mesh/policy.ts';
import { choosePolicy, codingFor } from './put-coding.ts';

const chosen = (peers: number) => choosePolicy([], '', undefined, peers, undefined);

test('where enough peers take shares a file is stored 25-of-100, and nothing is said', () => {
  for (const peers of [50, 100, 1000]) expect(chosen(peers)).toMatchObject({ policy: { k: 25, n: 100 }, note: '' });
});

test('where they do not, a coding is chosen that fits them, and it is said', () => {
  expect(chosen(10).policy).toMatchObject({ k: 3, n: 10 });
  expect(chosen(10).note).toContain('10 peers take shares, too few for 25-of-100: files are stored 3-of-10');
  expect(chosen(1).note).toContain('1-of-1, and are lost with any of them');
  for (let peers = 1; peers < 120; peers++) {
    const { k, n } = codingFor(peers);
    // A new file is healthy, as long as each peer takes its share.
    expect(Math.min(peers, n)).toBeGreaterThanOrEqual(defaultPolicy({ k, n }).repairUpTo);
  }
});

test('a coding that was asked for and cannot be had is refused with one that can', () => {
  const ask = (fewest?: number) => choosePolicy([], '', { k: 25, n: 100 }, 10, fewest);
  expect(ask).toThrowError(expect.objectContaining({ code: 'repair-no-target' }) as Error);
  try {
    ask();
  } catch (error) {
    expect((error as { next: string }).next).toContain('--coding 3-of-10');
  }
  expect(() => choosePolicy([], '', { k: 3, n: 10 }, 5, 7)).toThrow(/needs 7 at the least/);
  expect(choosePolicy([], '', { k: 3, n: 10 }, 5, undefined).policy).toMatchObject({ k: 3, n: 10 });
});
