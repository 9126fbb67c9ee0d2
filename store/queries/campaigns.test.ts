import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FileFacts, matchesSelection, type Selection, selectionSchema } from '#mesh/campaigns/definition.ts';
import { sampleDefinition } from '#mesh/campaigns/testing/samples.ts';
import { systemClock } from '#mesh/clock.ts';
import { type Grade, grades } from '#mesh/grade.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import * as campaignTables from '../campaign-tables.ts';
import type { Store } from '../client.ts';
import * as tables from '../tables.ts';
import { baseMs, file, health, indexOf, peerOf } from '../test-rows.ts';
import { startTestStore, type TestStore } from '../test-store.ts';
import { createStoreWriter } from '../writer.ts';
import { campaignSums, campaignWork, plannedGroups, plannedPeers } from './campaigns.ts';
import { filesToProve } from './proof-sample.ts';

const dayMs = 86_400_000;
const nowMs = baseMs + 1000;
const names = Array.from({ length: 40 }, (_, i) => `f${i}`);
const peerNames = ['a', 'b', 'c', 'd'];
const campaign = '0f82f493-055e-4007-bbb6-fe1338f52f46';

/** What is in the store, as the predicate sees it. */
const facts: readonly FileFacts[] = names.map((name, i) => ({
  storageIndex: indexOf(name),
  policy: i % 3 === 0 ? 'archive' : '25-of-100',
  tag: ['', 'photos', "it's"][i % 3] as string,
  grade: grades[i % grades.length] as Grade,
  margin: i - 5,
  log10Loss: i % 7 === 0 ? null : -i / 2,
  holders: peerNames.slice(0, i % 5).map((peer, at) => ({ peerId: peerOf(peer), domains: { zone: `z${at % 2}` } })),
  verifiedAtMs: i % 4 === 0 ? nowMs - i * dayMs : null,
  provenAtMs: i % 3 === 0 ? nowMs - i * dayMs : null,
}));

let testStore: TestStore;
let store: Store;

beforeAll(async () => {
  testStore = await startTestStore();
  store = await testStore.openDatabase('selected');
  const writer = createStoreWriter({ store, clock: systemClock, random: Math.random });
  await writer.enqueue(
    tables.peers,
    peerNames.map((name, at) => ({
      peerId: peerOf(name),
      name,
      state: 'up' as const,
      stateSince: baseMs,
      domains: { zone: `z${at % 2}` },
      capacityBytes: 1,
      usedBytes: 0,
      shares: 1,
      agentVersion: '',
      host: '',
      port: 1,
      lastHeardAt: baseMs,
      incarnation: 1,
      flapScore: 0,
      graceMs: 1,
      version: 1,
    })),
  );
  for (const [i, name] of names.entries()) {
    const one = facts[i] as FileFacts;
    const { grade, margin, policy, log10Loss } = one;
    await writer.enqueue(tables.files, [file(name, { tag: one.tag })]);
    await writer.enqueue(tables.fileHealth, [health(name, grade, margin, { policy, log10Loss })]);
    await writer.enqueue(
      tables.placements,
      one.holders.map(({ peerId }, shareNumber) => ({
        partition: 1,
        storageIndex: indexOf(name),
        shareNumber,
        peerId: peerId as ReturnType<typeof peerOf>,
        state: 'stored' as const,
        generation: 1,
        incarnation: 1,
        sequence: 1,
        version: 1,
      })),
    );
    if (one.verifiedAtMs !== null)
      await writer.enqueue(campaignTables.campaignFiles, [outcome(name, one.verifiedAtMs)]);
    if (one.provenAtMs !== null) {
      await writer.enqueue(tables.proofs, [
        {
          id: crypto.randomUUID(),
          storageIndex: indexOf(name),
          at: one.provenAtMs,
          reason: 'test',
          shares: [],
          sources: [],
          outcome: 'proven',
          durationMs: 1,
          bytesRead: 1,
          sizeBytes: 1,
          errorCode: '',
          errorMessage: '',
          traceId: '',
        },
      ]);
    }
  }
  await writer.close();
});
afterAll(async () => {
  await testStore.close();
});

function outcome(name: string, at: number): campaignTables.CampaignFileRow {
  return {
    campaign: '11111111-1111-4111-8111-111111111111',
    partition: 1,
    storageIndex: indexOf(name),
    outcome: 'verified',
    errorCode: '',
    pass: 1,
    policy: '',
    marginBefore: 0,
    marginAfter: 0,
    sharesWritten: 0,
    bytesRead: 5,
    bytesWritten: 0,
    durationMs: 0,
    at,
  };
}

async function selected(
  selection: Selection,
  after: StorageIndex | null = null,
  limit = 1000,
): Promise<StorageIndex[]> {
  const definition = sampleDefinition({ selection });
  const work = await campaignWork(store, { campaign, definition, partition: 1, pass: 1, after, nowMs, limit });
  return work.map(({ storageIndex }) => storageIndex);
}

const some = <T>(values: readonly T[]) => fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 3 });
const selections = fc
  .record(
    {
      grades: some(grades),
      marginFrom: fc.integer({ min: -10, max: 20 }),
      marginTo: fc.integer({ min: 0, max: 40 }),
      policies: some(['archive', '25-of-100', "o'reilly"]),
      tags: some(['', 'photos', "it's"]),
      peers: some(peerNames.map((name) => peerOf(name) as string)),
      domains: some(['z0', 'z1', 'z2']).map((values) => values.map((value) => ({ kind: 'zone', value }))),
      ninesBelow: fc.nat(20),
      unverifiedForMs: fc.nat(40).map((days) => days * dayMs + 1),
      unprovenForMs: fc.nat(40).map((days) => days * dayMs + 1),
      files: fc.uniqueArray(fc.constantFrom(...names.map((name) => indexOf(name))), { minLength: 1, maxLength: 30 }),
    },
    { requiredKeys: [] },
  )
  .map((value) => selectionSchema.parse(value));

describe('a selection', () => {
  test('finds in the store what it is as a predicate, page by page too', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(selections, async (selection) => {
        const wanted = facts.filter((one) => matchesSelection(selection, one, nowMs)).map((one) => one.storageIndex);
        const found = await selected(selection);
        expect([...found].sort()).toEqual([...wanted].sort());
        const paged: StorageIndex[] = [];
        for (;;) {
          const page = await selected(selection, paged.at(-1) ?? null, 7);
          if (page.length === 0) break;
          paged.push(...page);
        }
        expect(paged).toEqual(found);
      }),
      { numRuns: 60 },
    );
  });

  test('of ten thousand files is one statement', async () => {
    const many = Array.from({ length: 9_999 }, (_, i) => indexOf(`unknown ${i}`));
    expect(await selected({ files: [...many, indexOf('f1')] })).toEqual([indexOf('f1')]);
  });
});

describe('a plan', () => {
  test('counts files by what each is to get, and what each peer holds of those', async () => {
    const definition = sampleDefinition({ upTo: 40, selection: { marginFrom: 0 } });
    const targets = [
      { policy: '25-of-100', k: 25, n: 100, upTo: 40, maxSharesPerDomain: 50 },
      { policy: 'archive', k: 25, n: 100, upTo: 40, maxSharesPerDomain: 50 },
    ];
    const context = { definition, nowMs, targets, uncounted: [] };
    const { groups } = await plannedGroups(store, context, 100);
    const files = facts.filter(({ margin }) => margin >= 0);
    expect(groups.reduce((sum, group) => sum + group.files, 0)).toBe(files.length);
    const restore = files.reduce((sum, { margin }) => sum + Math.max(0, 40 - (25 + margin)), 0);
    expect(groups.reduce((sum, group) => sum + group.restore * group.files, 0)).toBe(restore);
    const held = await plannedPeers(store, context, 100);
    const holders = new Set(
      files.filter(({ margin }) => margin < 15).flatMap((one) => one.holders.map(({ peerId }) => peerId)),
    );
    expect(new Set(held.map(({ peerId }) => peerId as string))).toEqual(holders);
  });

  test('of a drain counts the share numbers that nobody else holds, of a rebalance those beyond what a domain may hold', async () => {
    const targets = [
      { policy: '25-of-100', k: 25, n: 100, upTo: 93, maxSharesPerDomain: 1 },
      { policy: 'archive', k: 25, n: 100, upTo: 93, maxSharesPerDomain: 1 },
    ];
    const drain = sampleDefinition({ kind: 'drain', leave: [peerOf('a'), peerOf('b')] });
    const moves = async (definition: typeof drain): Promise<number> => {
      const { groups } = await plannedGroups(store, { definition, nowMs, targets, uncounted: [] }, 100);
      return groups.reduce((sum, group) => sum + group.restore * group.files, 0);
    };
    const held = (peers: readonly string[]) =>
      facts.reduce((sum, one) => sum + one.holders.filter(({ peerId }) => peers.includes(peerId)).length, 0);
    expect(await moves(drain)).toBe(held([peerOf('a'), peerOf('b')]));
    const spread = sampleDefinition({ kind: 'rebalance', domainKind: 'zone' });
    const crowded = facts.reduce((sum, { holders }) => {
      const counts = ['z0', 'z1'].map((zone) => holders.filter(({ domains }) => domains['zone'] === zone).length);
      return sum + counts.reduce((all, count) => all + Math.max(0, count - 1), 0);
    }, 0);
    expect(await moves(spread)).toBe(crowded);
  });
});

test('what was dealt with is not found again, and counts once however often it was tried', async () => {
  const own = await testStore.openDatabase('dealt');
  const writer = createStoreWriter({ store: own, clock: systemClock, random: Math.random });
  await writer.enqueue(
    tables.fileHealth,
    ['x', 'y', 'z'].map((name) => health(name, 'healthy', 5)),
  );
  const row = (name: string, result: campaignTables.CampaignFileRow['outcome'], pass: number, at: number) => {
    return { ...outcome(name, at), campaign, outcome: result, pass };
  };
  await writer.enqueue(campaignTables.campaignFiles, [row('x', 'restored', 1, baseMs), row('y', 'failed', 1, baseMs)]);
  await writer.flush();
  const definition = sampleDefinition();
  const query = { campaign, definition, partition: 1, after: null, nowMs, limit: 10 };
  const found = async (pass: number) =>
    (await campaignWork(own, { ...query, pass })).map(({ storageIndex }) => storageIndex);
  expect(await found(1)).toEqual([indexOf('z')]);
  expect(await found(2)).toEqual([indexOf('y')]);
  await writer.enqueue(campaignTables.campaignFiles, [row('y', 'restored', 2, baseMs + 1)]);
  await writer.close();
  expect(await found(3)).toEqual([]);
  expect((await campaignSums(own, campaign, 1)).outcomes).toEqual([{ outcome: 'restored', errorCode: '', files: 2 }]);
});

test('files to prove are drawn from those that can be recovered, none twice', async () => {
  const drawn = await filesToProve(store, 10);
  expect(drawn).toHaveLength(10);
  expect(new Set(drawn.map(({ storageIndex }) => storageIndex)).size).toBe(10);
  expect(drawn.every(({ margin }) => margin >= 0)).toBe(true);
});
