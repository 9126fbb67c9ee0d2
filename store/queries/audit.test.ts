import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import * as campaignTables from '../campaign-tables.ts';
import { type Store } from '../client.ts';
import {
  allCampaigns,
  allPeers,
  livenessMarksOf,
  openAlerts,
  peerLivesOf,
  peerStatesIn,
  peerVitalsIn,
  recentAlerts,
  recentProofs,
  recentRepairs,
} from '../queries.ts';
import { text, uint64 } from '../row-binary/columns.ts';
import * as tables from '../tables.ts';
import { baseMs, health, indexOf, peer, peerOf, repair } from '../test-rows.ts';
import { startTestStore, type TestStore } from '../test-store.ts';
import { createStoreWriter, type StoreWriter } from '../writer.ts';
import { disputedProofs } from './disputed-proofs.ts';

let testStore: TestStore;
let store: Store;
let writer: StoreWriter;

beforeAll(async () => {
  testStore = await startTestStore();
  store = await testStore.openDatabase('whole');
  writer = createStoreWriter({ store, clock: systemClock, random: Math.random });
});
afterAll(async () => {
  await testStore.close();
});

describe('peers', () => {
  test('come back as they are now, with how they got there and the figures of their hosts', async () => {
    await writer.enqueue(tables.peers, [peer('b'), peer('a')]);
    await writer.flush();
    await writer.enqueue(tables.peers, [peer('b', { state: 'down', version: 2, domains: {} })]);
    const change: tables.PeerStateRow = {
      at: baseMs,
      peerId: peerOf('b'),
      fromState: 'suspect',
      toState: 'down',
      reason: 'silent',
      shares: 7,
    };
    await writer.enqueue(tables.peerStateHistory, [
      change,
      { ...change, at: baseMs - 1, fromState: null, toState: 'up' },
      { ...change, peerId: peerOf('a') },
    ]);
    const vitals: tables.PeerVitalsRow = {
      at: baseMs,
      peerId: peerOf('b'),
      cpuUsedRatio: 0.25,
      memoryUsedBytes: 1,
      diskUsedBytes: 2,
      diskCapacityBytes: 3,
      networkReceivedBytes: 4,
      networkSentBytes: 5,
      shares: 6,
      shareBytes: 7,
      sharesVerified: 8,
      spooledBatches: 9,
      spoolDroppedInventories: 0,
      processMemoryBytes: 10,
    };
    await writer.enqueue(tables.peerVitals, [vitals, { ...vitals, at: baseMs + 1, cpuUsedRatio: 0.75 }]);
    await writer.flush();
    expect(await allPeers(store)).toEqual([peer('a'), peer('b', { state: 'down', version: 2, domains: {} })]);
    const span = { fromMs: baseMs - 10, toMs: baseMs + 10 };
    expect((await peerStatesIn(store, { ...span, peer: peerOf('b') })).map((row) => row.toState)).toEqual([
      'down',
      'up',
    ]);
    expect(await peerStatesIn(store, span)).toHaveLength(3);
    expect((await peerVitalsIn(store, peerOf('b'), span)).map((row) => row.cpuUsedRatio)).toEqual([0.25, 0.75]);
    const [hour] = await store.select(
      { heartbeats: uint64, name: text },
      `SELECT sum(heartbeats), any(peer_id_text) FROM ${store.qualified('peer_vitals_hour')} WHERE cpu_used_ratio_max = 0.75`,
    );
    expect(hour).toEqual({ heartbeats: 2, name: peerOf('b') });
  });
});

describe('liveness', () => {
  test('lives and marks are their newest versions', async () => {
    const life = { peerId: peerOf('a'), life: '{"heard":1}', version: 1 };
    const mark = { partition: 1, nextOffset: 5, watermarkMs: baseMs, elapsedMs: 10, version: 5 };
    await writer.enqueue(tables.peerLives, [life]);
    await writer.enqueue(tables.livenessMarks, [mark, { ...mark, partition: 0 }]);
    await writer.flush();
    await writer.enqueue(tables.peerLives, [{ ...life, life: '{"heard":2}', version: 2 }]);
    await writer.enqueue(tables.livenessMarks, [{ ...mark, nextOffset: 9, version: 9 }]);
    await writer.flush();
    expect(await peerLivesOf(store)).toEqual([{ ...life, life: '{"heard":2}', version: 2 }]);
    expect(await livenessMarksOf(store)).toEqual([
      { ...mark, partition: 0 },
      { ...mark, nextOffset: 9, version: 9 },
    ]);
  });
});

describe('the audit', () => {
  test('repairs come back as they were written, newest first, by file, campaign and outcome; written again they are one', async () => {
    const rows = [
      repair('r1'),
      repair('r2', { startedAt: baseMs + 1, campaign: 'spring', outcome: 'repaired' }),
      repair('r1', { startedAt: baseMs + 2 }),
    ];
    await writer.enqueue(tables.repairs, rows);
    await writer.flush();
    await writer.enqueue(tables.repairs, [rows[0] as tables.RepairRow]);
    await writer.flush();
    expect(await recentRepairs(store)).toEqual(rows.toReversed());
    expect(await recentRepairs(store, { storageIndex: indexOf('r1'), beforeMs: baseMs + 2 })).toEqual([rows[0]]);
    expect(await recentRepairs(store, { campaign: 'spring' })).toEqual([rows[1]]);
    expect(await recentRepairs(store, { outcome: 'repaired', limit: 1 })).toEqual([rows[1]]);
  });

  test('proofs come back as they were written', async () => {
    const proof: tables.ProofRow = {
      id: randomUUID(),
      storageIndex: indexOf('p1'),
      at: baseMs,
      reason: 'scheduled',
      shares: [1, 2],
      sources: [peerOf('a')],
      outcome: 'proven',
      durationMs: 12,
      bytesRead: 13,
      sizeBytes: 14,
      errorCode: '',
      errorMessage: '',
      traceId: '',
    };
    await writer.enqueue(tables.proofs, [
      proof,
      { ...proof, id: randomUUID(), at: baseMs + 1, storageIndex: indexOf('p2') },
    ]);
    await writer.flush();
    expect(await recentProofs(store)).toHaveLength(2);
    expect(await recentProofs(store, { storageIndex: indexOf('p1') })).toEqual([proof]);
    expect(await recentProofs(store, { beforeMs: baseMs + 1 })).toEqual([proof]);
  });

  test('that failed of files with a margin are disputed, until one recovers the file or the grade has changed since', async () => {
    const own = await testStore.openDatabase('disputed');
    const ownWriter = createStoreWriter({ store: own, clock: systemClock, random: Math.random });
    const proofOf = (name: string, change: Partial<tables.ProofRow> = {}): tables.ProofRow => ({
      id: randomUUID(),
      storageIndex: indexOf(name),
      at: baseMs,
      reason: 'calendar nights',
      shares: [],
      sources: [],
      outcome: 'failed',
      durationMs: 1,
      bytesRead: 1,
      sizeBytes: 1,
      errorCode: 'share-corrupt',
      errorMessage: '',
      traceId: '',
      ...change,
    });
    const before = { gradeSince: baseMs - 1, sizeBytes: 10 };
    await ownWriter.enqueue(tables.fileHealth, [
      health('disputed', 'degraded', 3, before),
      health('since', 'degraded', 3, { ...before, gradeSince: baseMs + 1 }),
      health('lost', 'lost', -1, before),
      health('again', 'degraded', 3, before),
      health('deleted', 'degraded', 3, { ...before, deleted: true }),
      health('called-off', 'degraded', 3, before),
    ]);
    await ownWriter.enqueue(tables.proofs, [
      ...['disputed', 'since', 'lost', 'again', 'deleted'].map((name) => proofOf(name)),
      proofOf('again', { at: baseMs + 5, outcome: 'proven' }),
      proofOf('disputed', { at: baseMs + 5, outcome: 'cancelled' }),
      proofOf('called-off', { outcome: 'cancelled' }),
    ]);
    await ownWriter.flush();
    expect(await disputedProofs(own, baseMs - 1000)).toEqual({ files: 1, bytes: 10, examples: [indexOf('disputed')] });
    expect(await disputedProofs(own, baseMs + 1000)).toEqual({ files: 0, bytes: 0, examples: [] });
    await ownWriter.close();
  });

  test('an alert is open until its newest row says that it is resolved', async () => {
    const alert: tables.AlertRow = {
      id: randomUUID(),
      at: baseMs,
      kind: 'files-lost',
      severity: 'critical',
      state: 'firing',
      summary: 's',
      details: '{"zone":"z"}',
      files: 3,
    };
    const other: tables.AlertRow = { ...alert, id: randomUUID(), severity: 'warning' };
    await writer.enqueue(tables.alerts, [alert, other]);
    await writer.flush();
    expect(await openAlerts(store)).toEqual([alert, other]);
    await writer.enqueue(tables.alerts, [{ ...alert, at: baseMs + 1, state: 'resolved' }]);
    await writer.flush();
    expect(await openAlerts(store)).toEqual([other]);
    expect(await recentAlerts(store)).toHaveLength(3);
  });

  test('a campaign is its newest version', async () => {
    const campaign: campaignTables.CampaignRow = {
      id: randomUUID(),
      name: 'spring',
      state: 'planned',
      createdAt: baseMs,
      updatedAt: baseMs,
      createdBy: 'op',
      selection: '{}',
      plan: '{}',
      progress: '{}',
      version: 1,
    };
    await writer.enqueue(campaignTables.campaigns, [campaign]);
    await writer.flush();
    await writer.enqueue(campaignTables.campaigns, [{ ...campaign, state: 'running', version: 2 }]);
    await writer.flush();
    expect(await allCampaigns(store)).toEqual([{ ...campaign, state: 'running', version: 2 }]);
  });
});
