import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import type { Store } from '../client.ts';
import * as tables from '../tables.ts';
import { file, health, indexOf, peerOf } from '../test-rows.ts';
import { startTestStore, type TestStore } from '../test-store.ts';
import { createStoreWriter } from '../writer.ts';
import { sampleShares } from './samples.ts';

let testStore: TestStore;
let store: Store;
beforeAll(async () => {
  testStore = await startTestStore();
  store = await testStore.openDatabase('samples');
  const writer = createStoreWriter({ store, clock: systemClock, random: Math.random });
  const placed = (name: string, shareNumber: number, state: tables.PlacementRow['state'] = 'stored') => ({
    partition: 1,
    storageIndex: indexOf(name),
    shareNumber,
    peerId: peerOf(`holder ${shareNumber}`),
    state,
    generation: 1,
    incarnation: 1,
    sequence: 1,
    version: 1,
  });
  const names = Array.from({ length: 20 }, (_, i) => `file ${i}`);
  await writer.enqueue(
    tables.files,
    names.map((name) => file(name)),
  );
  await writer.enqueue(tables.fileHealth, [health('file 3', 'critical', 2)]);
  await writer.enqueue(
    tables.placements,
    names.flatMap((name) => [placed(name, 0), placed(name, 1), placed(name, 2, 'corrupt')]),
  );
  await writer.enqueue(tables.placements, [placed('unknown', 0)]);
  await writer.flush();
});
afterAll(async () => {
  await testStore.close();
});

test('shares are drawn with what is needed to check them, of those that count only, and files at risk among them', async () => {
  const seen = new Set<string>();
  let risky = 0;
  for (let draw = 0; draw < 12; draw++) {
    const shares = await sampleShares(store, { partitions: [1], limit: 8 });
    expect(shares.length).toBeLessThanOrEqual(8);
    for (const share of shares) {
      seen.add(share.storageIndex);
      expect([0, 1]).toContain(share.shareNumber);
      expect(share).toMatchObject({
        partition: 1,
        k: 25,
        n: 100,
        tag: 'a',
        peerId: peerOf(`holder ${share.shareNumber}`),
      });
      expect(share.uebHash).toHaveLength(32);
    }
    if (shares.some((share) => share.storageIndex === indexOf('file 3'))) risky++;
  }
  expect(risky).toBe(12);
  expect(seen.size).toBeGreaterThan(3);
  expect(seen.has(indexOf('unknown'))).toBe(false);
  expect(await sampleShares(store, { partitions: [], limit: 8 })).toEqual([]);
});
