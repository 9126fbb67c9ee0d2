import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { happinessOf } from './happiness.ts';

/** The largest matching by trying everything: each share goes to one of its holders, or to none. */
function byBruteForce(holders: readonly (readonly string[])[], taken: ReadonlySet<string> = new Set()): number {
  const [first, ...rest] = holders;
  if (first === undefined) return 0;
  const without = byBruteForce(rest, taken);
  return Math.max(
    without,
    ...first.filter((peer) => !taken.has(peer)).map((peer) => 1 + byBruteForce(rest, new Set([...taken, peer]))),
  );
}

describe('happiness', () => {
  it('is the largest matching of peers to shares', () => {
    const peer = fc.constantFrom('a', 'b', 'c', 'd', 'e');
    fc.assert(
      fc.property(fc.array(fc.uniqueArray(peer, { maxLength: 4 }), { maxLength: 6 }), (holders) => {
        expect(happinessOf(new Map(holders.map((peers, share) => [share, peers])))).toBe(byBruteForce(holders));
      }),
    );
  });

  it('counts two shares on one peer once', () => {
    expect(
      happinessOf(
        new Map([
          [0, ['a']],
          [1, ['a']],
        ]),
      ),
    ).toBe(1);
  });
});
