import { expect, test } from 'vitest';
import { type StorageIndex, storageIndexFromBytes } from '#mesh/storage-index.ts';
import { UnsavedHealth } from './unsaved-health.ts';

const fileOf = (number: number): StorageIndex => storageIndexFromBytes(new Uint8Array(16).fill(number));

test('files that stood still go first, or alone', () => {
  const steady = new Set([fileOf(2), fileOf(4)]);
  const unsaved = new UnsavedHealth((file) => steady.has(file));
  for (const number of [1, 2, 3, 4]) unsaved.set(fileOf(number), number);
  expect([...unsaved.keys('all')]).toEqual([2, 4, 1, 3].map(fileOf));
  expect([unsaved.size, unsaved.urgent]).toEqual([4, 2]);
  expect([...unsaved.keys('urgent')]).toEqual([2, 4].map(fileOf));
  unsaved.delete(fileOf(2));
  unsaved.delete(fileOf(4));
  expect([...unsaved.keys('all')]).toEqual([fileOf(1), fileOf(3)]);
  expect(unsaved.urgent).toBe(0);
});

test('a file that was arriving when it was told of, and stands still when it is told of again, goes first then', () => {
  const steady = new Set<StorageIndex>();
  const unsaved = new UnsavedHealth((file) => steady.has(file));
  unsaved.set(fileOf(1), 10);
  steady.add(fileOf(1));
  expect(unsaved.urgent).toBe(0);
  unsaved.set(fileOf(1), 11);
  expect([unsaved.size, unsaved.urgent, unsaved.get(fileOf(1))]).toEqual([1, 1, 11]);
});

test('a file that goes first keeps its turn: what is told of it meanwhile does not put it back', () => {
  const steady = new Set([fileOf(1)]);
  const unsaved = new UnsavedHealth((file) => steady.has(file));
  unsaved.set(fileOf(1), 10);
  steady.clear();
  unsaved.set(fileOf(1), 11);
  expect([unsaved.size, unsaved.urgent, unsaved.get(fileOf(1))]).toEqual([1, 1, 11]);
});

test('a deleted file has no figures, and one that does not wait has nothing', () => {
  const unsaved = new UnsavedHealth((file) => file === fileOf(1));
  unsaved.set(fileOf(1), null);
  unsaved.set(fileOf(2), null);
  expect([1, 2, 3].map((number) => unsaved.get(fileOf(number)))).toEqual([null, null, undefined]);
  unsaved.delete(fileOf(2));
  expect([unsaved.size, unsaved.get(fileOf(2))]).toEqual([1, undefined]);
});
