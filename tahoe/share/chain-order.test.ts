import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type ChainOrderRule, chainOrder, chainSiblings, detectChainOrderRule } from './chain-order.ts';

/** SHA-256 over the orders of every share of every file with up to 256 shares, written as Python prints lists. */
function digestOfAllOrders(rule: ChainOrderRule): string {
  const hash = createHash('sha256');
  for (let n = 1; n <= 256; n++) {
    for (let share = 0; share < n; share++) hash.update(`[${chainOrder(n, share, rule).join(', ')}]`);
  }
  return hash.digest('hex');
}

describe('order of the entries of a share hash chain', () => {
  test('is that of sets in real Python 3 and Python 2.7 interpreters, for all n up to 256', () => {
    expect(digestOfAllOrders('python3')).toMatch(/^f24da8722f5756aa/);
    expect(digestOfAllOrders('python2')).toMatch(/^5b4ae95ff2e07f63/);
  });

  test('examples of the share format', () => {
    expect(chainOrder(10, 3, 'python3')).toEqual([2, 4, 7, 17, 18]);
    expect(chainOrder(10, 3, 'python2')).toEqual([17, 2, 4, 18, 7]);
    expect(chainOrder(100, 55, 'python3')).toEqual([2, 3, 9, 43, 181, 22, 182, 89]);
    expect(chainOrder(100, 55, 'python2')).toEqual([2, 3, 182, 9, 43, 181, 22, 89]);
    expect(chainOrder(1, 0, 'python3')).toEqual([0]);
  });

  test('siblings run from the leaf to below the root', () => {
    expect(chainSiblings(10, 3)).toEqual([17, 7, 4, 2]);
    expect(chainSiblings(1, 0)).toEqual([]);
  });
});

describe('rule behind surviving chains', () => {
  const chains = (n: number, shares: number[], rule: ChainOrderRule) =>
    shares.map((shareNumber) => ({ shareNumber, order: chainOrder(n, shareNumber, rule) }));

  test('is the one that reproduces them', () => {
    expect(detectChainOrderRule(100, chains(100, [1, 55, 99], 'python2'))).toBe('python2');
    expect(detectChainOrderRule(100, chains(100, [1, 55, 99], 'python3'))).toBe('python3');
  });

  test('is that of the majority where a grid was repaired by another Tahoe-LAFS', () => {
    const mixed = [...chains(100, [55, 56, 57], 'python2'), ...chains(100, [58], 'python3')];
    expect(detectChainOrderRule(100, mixed)).toBe('python2');
  });

  test('is Python 3 where nothing tells', () => {
    expect(detectChainOrderRule(10, [])).toBe('python3');
    expect(detectChainOrderRule(10, [{ shareNumber: 3, order: [18, 17, 7, 4, 2] }])).toBe('python3');
  });
});
