/**
 * How much of a large mesh's tables each read selects, by EXPLAIN: what makes the reads fast is their use of the primary key,
 * and that is the same on a busy machine. `npm run bench -- history` measures time, on hundreds of millions of placements.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectStore, type Store } from '../client.ts';
import { uint64 } from '../row-binary/columns.ts';
import { startTestStore, type TestStore } from '../test-store.ts';
import { filesOf, fillMeshHistory, historyPartitions } from '../testing/mesh-history.ts';
import { type Read, readsOf, type Selected, selectedBy } from '../testing/reads.ts';

const placements = 1_200_000;
const nowMs = Date.now();

let testStore: TestStore;
let store: Store;
let reads: ReadonlyMap<string, Read>;

beforeAll(async () => {
  testStore = await startTestStore();
  await testStore.openDatabase('large');
  const { url, username, password } = testStore.server;
  store = connectStore({ urls: [url], username, password, database: 'large', partitionCount: historyPartitions });
  await fillMeshHistory(store, {
    placements,
    peers: 500,
    peersWithVitals: 60,
    days: { raw: 0.25, minute: 1, hour: 20, day: 60 },
    nowMs,
  });
  // Parts as they are when merges have had their time.
  for (const table of ['placements', 'files', 'file_health', 'grade_changes', 'margin_history', 'peer_vitals'])
    await store.command(`OPTIMIZE TABLE large.${table} FINAL`);
  reads = new Map((await readsOf(store, nowMs)).map((read) => [read.name, read]));
}, 300_000);
afterAll(async () => {
  await store.close();
  await testStore.close();
});

const selected = (name: string): Promise<Selected> => selectedBy(store, reads.get(name) as Read);

describe('the primary key leaves of more than a million rows', () => {
  test.each([
    ['placements of a file', 2, 100],
    ['health of a file', 2, 20],
    ['manifest of a file', 2, 20],
    ['heartbeats of a peer, an hour', 2, 14],
    ['changes of grade, a day', 2, 2],
  ])('for %s at most %i granules (of %i and more)', async (name, most, ofAtLeast) => {
    const { granules, ofGranules } = await selected(name);
    expect(granules).toBeGreaterThan(0);
    expect(granules).toBeLessThanOrEqual(most);
    expect(ofGranules).toBeGreaterThanOrEqual(ofAtLeast);
  });

  test.each([
    ['margins, an hour', 0.6],
    ['exposure of zones, a day', 0.5],
    ['exposure now', 0.5],
    ['vitals of a peer, a week', 0.5],
  ])('for %s only the pieces of time or the keys that it asks for', async (name, part) => {
    const { granules, ofGranules } = await selected(name);
    expect(ofGranules).toBeGreaterThan(4);
    expect(granules).toBeLessThanOrEqual(Math.ceil(ofGranules * part));
  });
});

test('every read of the API runs on it, and those of things that are there find them', async () => {
  for (const [name, read] of reads) {
    const answer = await read.run(store);
    const rows = 'points' in answer ? answer.points : answer;
    if (!/page 100|proofs of/.test(name)) expect([name, rows.length > 0]).toEqual([name, true]);
  }
});

test('the list of files at risk holds those whose health says so, and few others', async () => {
  const countOf = async (what: string): Promise<number> => {
    const [found] = await store.select({ count: uint64 }, `SELECT count() FROM large.${what}`);
    return found?.count ?? 0;
  };
  const atRisk = "FINAL WHERE grade <= 'at-risk'";
  const listed = await countOf(`files_at_risk ${atRisk}`);
  expect(listed).toBeGreaterThan(100);
  expect(listed).toBe(await countOf(`file_health ${atRisk}`));
  expect(await countOf('files_at_risk')).toBeLessThan((await countOf('files')) * 0.05);
});

test('it is as large as it says', async () => {
  const [found] = await store.select(
    { placements: uint64, files: uint64 },
    'SELECT countIf(version = 1), uniqExact(storage_index) FROM large.placements',
  );
  // Merges have replaced the placements that were lost later.
  expect(found?.placements).toBeGreaterThan(placements * 0.98);
  expect(found?.files).toBe(filesOf(placements).reduce((sum, count) => sum + count, 0));
});
