import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import type { Store } from '../client.ts';
import { countLeaving, leavingShares } from '../queries.ts';
import * as tables from '../tables.ts';
import { file, indexOf, peer, peerOf } from '../test-rows.ts';
import { startTestStore, type TestStore } from '../test-store.ts';
import { createStoreWriter } from '../writer.ts';

let testStore: TestStore;
let store: Store;

/** Peer `a` drains, `b` stays, `c` is down, `d` drains too. */
beforeAll(async () => {
  testStore = await startTestStore();
  store = await testStore.openDatabase('drain');
  const writer = createStoreWriter({ store, clock: systemClock, random: Math.random });
  const placed = (name: string, shareNumber: number, holder: string, change: Partial<tables.PlacementRow> = {}) => ({
    partition: 1,
    storageIndex: indexOf(name),
    shareNumber,
    peerId: peerOf(holder),
    state: 'stored' as const,
    generation: 1,
    incarnation: 1,
    sequence: 1,
    version: 1,
    ...change,
  });
  await writer.enqueue(tables.peers, [
    peer('a', { state: 'draining' }),
    peer('b'),
    peer('c', { state: 'down' }),
    peer('d', { state: 'draining' }),
  ]);
  await writer.enqueue(tables.files, [file('one'), file('two', { partition: 2 }), file('gone', { deleted: true })]);
  await writer.enqueue(tables.placements, [
    placed('one', 0, 'a'),
    // Elsewhere too, on a peer that counts.
    placed('one', 1, 'a'),
    placed('one', 1, 'b'),
    // Elsewhere, where it does not count: on a peer that is down, that drains as well, or corrupt.
    placed('one', 2, 'a'),
    placed('one', 2, 'c'),
    placed('one', 3, 'a'),
    placed('one', 3, 'd'),
    placed('one', 4, 'a'),
    placed('one', 4, 'b', { state: 'corrupt' }),
    // Not on it, or not sound, or not any more.
    placed('one', 5, 'b'),
    placed('one', 6, 'a', { state: 'corrupt' }),
    placed('one', 7, 'a'),
    placed('one', 7, 'a', { state: 'lost', version: 2 }),
    placed('two', 0, 'a', { partition: 2 }),
    placed('unknown', 9, 'a'),
    placed('gone', 9, 'a'),
  ]);
  await writer.flush();
});
afterAll(async () => {
  await testStore.close();
});

describe('what leaves with a peer', () => {
  test('is every share number of which no sound copy is on another peer that counts', async () => {
    const shares = await leavingShares(store, { peers: [peerOf('a')], limit: 100 });
    const of = (name: string): number[] =>
      shares.filter((share) => share.storageIndex === indexOf(name)).map((share) => share.shareNumber);
    expect(of('one')).toEqual([0, 2, 3, 4]);
    expect(of('two')).toEqual([0]);
    expect(await countLeaving(store, { peers: [peerOf('a')] })).toEqual({
      shares: 7,
      sharesWithoutManifest: 2,
      files: 4,
    });
  });

  test('is told for some partitions, for several peers at once, and within a bound', async () => {
    const query = { peers: [peerOf('a'), peerOf('d')], partitions: [2] };
    expect(await leavingShares(store, { ...query, limit: 9 })).toEqual([
      { partition: 2, storageIndex: indexOf('two'), shareNumber: 0 },
    ]);
    expect(await countLeaving(store, query)).toEqual({ shares: 1, sharesWithoutManifest: 0, files: 1 });
    expect(await leavingShares(store, { peers: [peerOf('a')], limit: 2 })).toHaveLength(2);
    // Of `b`: share 5, and share 1, whose other copy is on a peer that drains as well.
    expect(await countLeaving(store, { peers: [peerOf('b')] })).toMatchObject({ shares: 2 });
  });
});
