import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type StorageIndex, storageIndexFromBytes, storageIndexToBytes } from '#mesh/storage-index.ts';
import { rangeOfPrefix } from './health.ts';

const indexes = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => storageIndexFromBytes(bytes));
const hexOf = (index: StorageIndex): string => Buffer.from(storageIndexToBytes(index)).toString('hex');

test('an index is in the range of a prefix exactly when it begins with it', () => {
  fc.assert(
    fc.property(indexes, indexes, fc.integer({ min: 0, max: 26 }), (one, other, length) => {
      const prefix = one.slice(0, length);
      const range = rangeOfPrefix(prefix);
      for (const index of [one, other]) {
        const isWithin = range !== null && hexOf(index) >= range.first && hexOf(index) <= range.last;
        expect(isWithin).toBe(index.startsWith(prefix));
      }
    }),
  );
});

test.each(['A', '1', 'a b', 'a'.repeat(27), `${'a'.repeat(25)}b`])('nothing can begin with "%s"', (prefix) => {
  expect(rangeOfPrefix(prefix)).toBeNull();
});
