import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import type { Store } from '../client.ts';
import * as tables from '../tables.ts';
import { health } from '../test-rows.ts';
import { startTestStore, type TestStore } from '../test-store.ts';
import { createStoreWriter } from '../writer.ts';
import { domainGroups, shareGroups } from './resilience.ts';

let testStore: TestStore;
let store: Store;

beforeAll(async () => {
  testStore = await startTestStore();
  store = await testStore.openDatabase('alike');
});
afterAll(() => testStore.close());

test('files that are alike are one group, by their newest health, and deleted ones are in none', async () => {
  const writer = createStoreWriter({ store, clock: systemClock, random: Math.random });
  await writer.enqueue(tables.fileHealth, [
    health('r1', 'healthy', 75),
    health('r2', 'healthy', 75),
    health('r3', 'healthy', 75, { toleranceDomains: { zone: 4 } }),
    health('r4', 'lost', -3),
  ]);
  await writer.flush();
  await writer.enqueue(tables.fileHealth, [
    health('r2', 'at-risk', 5, { version: 2 }),
    health('r4', 'lost', -3, { version: 2, deleted: true }),
  ]);
  await writer.close();
  const alike = { k: 25, n: 100 };
  expect((await shareGroups(store)).sort((a, b) => a.available - b.available)).toEqual([
    { ...alike, available: 30, tolerancePeers: 5, files: 1, bytes: 1000 },
    { ...alike, available: 100, tolerancePeers: 75, files: 2, bytes: 2000 },
  ]);
  expect(await domainGroups(store)).toEqual([
    { kind: 'rack', tolerance: 3, files: 2 },
    { kind: 'zone', tolerance: 1, files: 2 },
    { kind: 'zone', tolerance: 4, files: 1 },
  ]);
});
