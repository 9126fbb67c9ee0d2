import { expect, test } from 'vitest';
import { peerOf } from '#mesh/testing/share-events.ts';
import { PeerOrder } from './peer-order.ts';

const peers = (names: readonly string[]) => names.map((name, peer) => ({ peer: peerOf(peer), name }));

test('peers are ordered by name, numbers in names as numbers, and sorted again only when a name has changed', () => {
  const order = new PeerOrder();
  const names = (of: readonly string[]): string[] => order.sort(peers(of)).map(({ name }) => name);
  expect(names(['b-10', 'b-9', 'a'])).toEqual(['a', 'b-9', 'b-10']);
  expect(names(['b-10', 'b-9', 'a'])).toEqual(['a', 'b-9', 'b-10']);
  expect(order.sorted).toBe(1);
  expect(names(['b-10', 'b-11', 'a'])).toEqual(['a', 'b-10', 'b-11']);
  expect(names(['b-10', 'b-11', 'a', 'A'])).toEqual(['a', 'A', 'b-10', 'b-11']);
  expect(order.sorted).toBe(3);
});
