import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import { type Grade, grades } from '#mesh/grade.ts';
import { defaultPolicy } from '#mesh/policy.ts';
import { fileOf, peerOf, registrationOf } from '#mesh/testing/share-events.ts';
import { newPeer, type PeerLife } from '#peers/liveness/peer-liveness.ts';
import type { PeerFacts } from '#peers/liveness/peer-register.ts';
import type { Store } from '#store/client.ts';
import * as queries from '#store/queries.ts';
import * as tables from '#store/tables.ts';
import { startTestStore, type TestStore } from '#store/test-store.ts';
import { createStoreWriter, type StoreWriter } from '#store/writer.ts';
import type { AlertChange } from '../alerts/alert-board.ts';
import { figuresOf } from '../files/partition/published-health.ts';
import { healthOf } from '../files/share-map/health.ts';
import type { PlacementRow } from '../files/share-map/kept-rows.ts';
import { type ShareMapChanges, unknownRegistration } from '../files/share-map/share-map.ts';
import { emptyTotals } from '../files/share-map/totals.ts';
import type { HealthRow, SweepRecord } from '../ports.ts';
import { always } from '../testing/always.ts';
import { MemoryStore } from '../testing/memory-store.ts';
import { eventually, peers, TestMesh } from '../testing/mesh.ts';
import { changesOf, storedRows } from '../testing/stored-rows.ts';
import { ClickHouseAnalyzerStore } from './clickhouse-store.ts';

/** Rows of histories live for some days only. */
const atMs = Math.floor(systemClock.nowMs() / 1000) * 1000 - 60_000;
const rules = {
  suspectAfterHeartbeats: 2.5,
  defaultHeartbeatMs: 1000,
  graceMs: 1000,
  graceMaxMs: 2000,
  departAfterMs: 1e9,
  memoryHalfLifeMs: 1e6,
};

const nothing: ShareMapChanges = { placements: [], files: [], applied: [] };

const placement = (file: number, shareNumber: number, peer: number, state: PlacementRow['state'], generation = 1) => ({
  storageIndex: fileOf(file),
  shareNumber,
  peer: peerOf(peer),
  state,
  generation,
});

const byKey = (rows: Iterable<PlacementRow>): readonly string[] =>
  [...rows].map((row) => `${row.storageIndex} ${row.shareNumber} ${row.peer} ${row.state} ${row.generation}`).sort();

describe('the analyzer on ClickHouse', () => {
  let server: TestStore;
  let database: Store;
  let writer: StoreWriter;
  let store: ClickHouseAnalyzerStore;
  let databases = 0;

  beforeAll(async () => {
    server = await startTestStore();
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    database = await server.openDatabase(`analyzer_${++databases}`);
    writer = createStoreWriter({ store: database, clock: systemClock, random: Math.random });
    store = storeNamed('one');
  });
  const storeNamed = (analyzer: string) =>
    new ClickHouseAnalyzerStore({ store: database, writer, clock: systemClock, analyzer });

  describe('a partition', () => {
    it('comes back as it was saved: placements, files, orders, and how far they reach', async () => {
      const placements = [
        placement(1, 0, 1, 'stored', 7),
        placement(1, 1, 2, 'corrupt'),
        placement(2, 255, 1, 'stored'),
      ];
      const files = [
        { ...registrationOf(1, { tag: 'gold', sizeBytes: 2 ** 40 }), deleted: false, registeredAtMs: atMs },
        { ...registrationOf(2, { origin: 'derived', k: 25, n: 256 }), deleted: false, registeredAtMs: 0 },
      ];
      const applied = [
        { peer: peerOf(1), incarnation: 3, sequence: 2 ** 40, generation: 7, openGeneration: 8, owesInventory: false },
        { peer: peerOf(2), incarnation: 1, sequence: 1, generation: 7, openGeneration: 8, owesInventory: true },
        {
          peer: peerOf(3),
          incarnation: 1,
          sequence: 9,
          generation: 0,
          openGeneration: 0,
          owesInventory: false,
          speaksForOwners: true as const,
        },
      ];
      await store.savePartitions([
        { partition: 3, version: 41, changes: changesOf({ placements, files, applied }) },
        { partition: 4, version: 9, changes: changesOf({ ...nothing, applied }) },
      ]);
      await store.flush();
      const loaded = await storedRows(store, 3);
      expect(byKey(loaded.placements)).toEqual(byKey(placements));
      expect([...loaded.files].sort((a, b) => a.manifest.k - b.manifest.k)).toEqual(files);
      expect(new Map(loaded.applied.map((order) => [order.peer, order]))).toEqual(
        new Map(applied.map((order) => [order.peer, order])),
      );
      expect(loaded.version).toBe(41);
      expect(await storedRows(store, 5)).toMatchObject({ version: 0, placements: [], files: [], applied: [] });
    });

    it('is what the newest offset said of each share, whatever order rows came in', async () => {
      const save = async (version: number, ...placements: readonly PlacementRow[]): Promise<void> => {
        await store.savePartitions([{ partition: 0, version, changes: changesOf({ ...nothing, placements }) }]);
      };
      await save(10, placement(1, 0, 1, 'stored'), placement(1, 1, 1, 'stored'), placement(1, 2, 1, 'lost'));
      await save(30, placement(1, 0, 1, 'lost'), placement(1, 2, 1, 'corrupt'));
      await save(20, placement(1, 0, 1, 'corrupt'), placement(1, 1, 1, 'stored', 2));
      await store.flush();
      const { placements } = await storedRows(store, 0);
      expect(byKey(placements)).toEqual(byKey([placement(1, 1, 1, 'stored', 2), placement(1, 2, 1, 'corrupt')]));
    });

    it('remembers deleted files, those that were never registered too, until their owner registers them again', async () => {
      const file = (number: number, deleted: boolean) => ({ ...registrationOf(number), deleted, registeredAtMs: atMs });
      const unknown = { ...unknownRegistration(fileOf(9)), deleted: true, registeredAtMs: 0 };
      const save = (version: number, ...files: ShareMapChanges['files']) =>
        store.savePartitions([{ partition: 0, version, changes: changesOf({ ...nothing, files }) }]);
      await save(1, file(1, false), file(2, false));
      await save(2, file(1, true), file(2, true), unknown);
      await save(3, file(2, false));
      await store.flush();
      const { files } = await storedRows(store, 0);
      const byIndex = new Map([...files].map((row) => [row.manifest.storageIndex, row]));
      expect(byIndex).toEqual(
        new Map([
          [fileOf(1), file(1, true)],
          [fileOf(2), file(2, false)],
          [fileOf(9), unknown],
        ]),
      );
    });
  });

  const lifeOf = (more: Partial<PeerLife> = {}): PeerLife => ({ ...newPeer(rules, 5.5), ...more });

  it('gives lives back as they were, nulls and all, with the marks that they reach up to', async () => {
    const vitals = {
      cpuUsedRatio: 0.25,
      memoryUsedBytes: 1,
      diskUsedBytes: 2 ** 50,
      diskCapacityBytes: 3,
      networkReceivedBytes: 4,
      networkSentBytes: 5,
      sharesHeld: 6,
      shareBytesHeld: 7,
      sharesVerified: 8,
      spooledBatches: 9,
      spoolDroppedInventories: 10,
      processMemoryBytes: 11,
    };
    const lives = new Map([
      [peerOf(1), lifeOf()],
      [peerOf(2), lifeOf({ vitals, lastHeardMs: 12.25, domains: { zone: 'ä"' }, heardOffset: 77 })],
    ]);
    const marks = [
      { nextOffset: 100, watermarkMs: atMs, elapsedMs: 5000 },
      { nextOffset: 7, watermarkMs: atMs + 1, elapsedMs: 6000 },
    ];
    await store.saveLiveness({ marks, lives });
    await store.flush();
    expect(await store.loadLiveness()).toEqual({ marks, lives });

    const later = [marks[0], { nextOffset: 8, watermarkMs: atMs + 2, elapsedMs: 6001 }] as typeof marks;
    const changed = new Map([[peerOf(1), lifeOf({ state: 'up' })]]);
    await store.saveLiveness({ marks: later, lives: changed });
    await store.flush();
    expect(await store.loadLiveness()).toEqual({ marks: later, lives: new Map([...lives, ...changed]) });
  });

  it('finds nothing in an empty database', async () => {
    expect(await store.loadLiveness()).toEqual({ marks: [], lives: new Map() });
    expect(await store.loadOpenAlerts()).toEqual([]);
    expect(store.waitingSinceMs()).toBeNull();
  });

  const healthRow = (file: number, grade: Grade, more: Partial<HealthRow> = {}): HealthRow => {
    const health = healthOf(registrationOf(file), defaultPolicy({ k: 2, n: 6 }), [], () => false);
    return {
      partition: 0,
      generation: 1,
      health: { ...health, grade, toleranceDomains: { zone: 2 } },
      atMs,
      previousGrade: null,
      gradeSinceMs: atMs,
      cause: 'because',
      log10Loss: -1.5,
      ...more,
    };
  };

  it('keeps the newest health of each file, history only of changes, and nothing of files that are gone', async () => {
    await store.saveHealth([healthRow(1, 'healthy'), healthRow(2, 'healthy'), healthRow(3, 'lost')], always);
    await store.saveHealth(
      [
        healthRow(1, 'at-risk', { atMs: atMs + 5, previousGrade: 'healthy', gradeSinceMs: atMs + 5 }),
        healthRow(2, 'healthy', { atMs: atMs + 5, previousGrade: 'healthy' }),
      ],
      always,
    );
    await store.saveGone([{ partition: 0, generation: 1, storageIndex: fileOf(3), atMs: atMs + 6 }], always);
    await store.flush();
    const rows = await queries.fileHealthOf(database, [fileOf(1), fileOf(2), fileOf(3)]);
    expect(
      new Map(rows.map(({ storageIndex, grade, gradeSince, at }) => [storageIndex, [grade, gradeSince, at]])),
    ).toEqual(
      new Map([
        [fileOf(1), ['at-risk', atMs + 5, atMs + 5]],
        [fileOf(2), ['healthy', atMs, atMs + 5]],
      ]),
    );
    expect(rows[0]).toMatchObject({
      k: 2,
      n: 6,
      margin: -2,
      toleranceDomains: { zone: 2 },
      log10Loss: -1.5,
      cause: 'because',
    });
    const stored = await storedRows(store, 0);
    const { figures } = { figures: figuresOf(healthRow(1, 'at-risk').health) };
    expect(stored.health).toEqual(
      new Map([
        [fileOf(1), { grade: 'at-risk', sinceMs: atMs + 5, figures }],
        [fileOf(2), { grade: 'healthy', sinceMs: atMs, figures }],
      ]),
    );
    // Nobody has said what these files are: to an analyzer that takes the partition over they are to be forgotten.
    expect(new Set(stored.strays)).toEqual(new Set([fileOf(1), fileOf(2)]));
    const changes = await queries.gradeChangesIn(database, { fromMs: atMs - 1, toMs: atMs + 100 });
    expect(
      changes.filter(({ storageIndex }) => storageIndex === fileOf(1)).map((row) => [row.fromGrade, row.toGrade]),
    ).toEqual([
      ['healthy', 'at-risk'],
      [null, 'healthy'],
    ]);
    expect(changes).toHaveLength(4);
  });

  it('keeps sweeps with a row for every grade, and one for each margin that has files', async () => {
    const byMargin = new Map([['2-of-6', new Map([[-1, { files: 2, bytes: 20 }]])]]);
    const byPolicy = new Map([['2-of-6', new Map([['lost' as Grade, { files: 2, bytes: 20 }]])]]);
    await store.saveSweeps([{ totals: { ...emptyTotals(), byMargin, byPolicy }, atMs: atMs + 0.4 }]);
    await store.flush();
    const grades = await database.select(
      tables.gradeHistory.columns,
      `SELECT ${tables.gradeHistory.columnNames.join(', ')} FROM ${database.qualified('grade_history')} ORDER BY grade`,
    );
    expect(grades.map(({ analyzer, grade, files, at }) => [analyzer, grade, files, at])).toEqual(
      ['lost', 'critical', 'at-risk', 'degraded', 'healthy'].map((grade) => [
        'mesh',
        grade,
        grade === 'lost' ? 2 : 0,
        atMs,
      ]),
    );
    const margins = await database.select(
      tables.marginHistory.columns,
      `SELECT ${tables.marginHistory.columnNames.join(', ')} FROM ${database.qualified('margin_history')}`,
    );
    expect(margins).toEqual([{ at: atMs, analyzer: 'mesh', policy: '2-of-6', margin: -1, files: 2, bytes: 20 }]);
  });

  it('knows the last sweep, and that there was none', async () => {
    expect(await store.loadLastSweep()).toBeNull();
    const sweepOf = (files: number, at: number): SweepRecord => {
      const count = { files, bytes: 10 * files };
      const byMargin = new Map([['2-of-6', new Map([[files, count]])]]);
      const byPolicy = new Map([['2-of-6', new Map([['lost' as Grade, count]])]]);
      return { totals: { ...emptyTotals(), byMargin, byPolicy }, atMs: at };
    };
    await store.saveSweeps([sweepOf(1, atMs), sweepOf(2, atMs + 1000)]);
    await store.flush();
    const none = { files: 0, bytes: 0 };
    expect(await store.loadLastSweep()).toEqual({
      byPolicy: new Map([
        ['2-of-6', new Map(grades.map((grade) => [grade, grade === 'lost' ? { files: 2, bytes: 20 } : none]))],
      ]),
      byMargin: new Map([['2-of-6', new Map([[2, { files: 2, bytes: 20 }]])]]),
      atMs: atMs + 1000,
    });
  });

  it('shows peers as they are now, with their vitals now and then, and how their states changed', async () => {
    const vitals = {
      cpuUsedRatio: 0.5,
      memoryUsedBytes: 1,
      diskUsedBytes: 1,
      diskCapacityBytes: 1,
      networkReceivedBytes: 1,
      networkSentBytes: 1,
      sharesHeld: 4,
      shareBytesHeld: 44,
      sharesVerified: 1,
      spooledBatches: 1,
      spoolDroppedInventories: 1,
      processMemoryBytes: 1,
    };
    const facts = (peer: number, more: Partial<PeerFacts> = {}): PeerFacts => ({
      peer: peerOf(peer),
      life: lifeOf({ host: 'h', port: 65_535, agentVersion: '1', vitals }),
      name: `p${peer}`,
      domains: { zone: 'a' },
      state: 'up',
      revoked: false,
      capacityBytes: 9,
      inventoryRequest: 0,
      outdatedAtMs: 0,
      outdatedEvents: 0,
      silenceMs: 500,
      inStateMs: 1000,
      graceMs: 60_000.4,
      flapScore: 0.5,
      unreachableMs: null,
      claims: { held: 0, failed: 0 },
      doubtedMs: null,
      ...more,
    });
    await store.savePeers([facts(1), facts(2, { silenceMs: null, life: lifeOf() })], atMs);
    await store.savePeers([facts(1, { state: 'suspect' })], atMs + 100);
    await store.saveStateChanges(
      [
        { peer: peerOf(1), from: 'up', to: 'suspect', silenceMs: 3000, shares: 4 },
        { peer: peerOf(2), from: 'down', to: 'up', silenceMs: 0, shares: 0 },
      ],
      atMs,
    );
    await store.flush();
    const rows = await queries.allPeers(database);
    expect(
      rows.map(({ name, state, stateSince, lastHeardAt, shares }) => [name, state, stateSince, lastHeardAt, shares]),
    ).toEqual([
      ['p1', 'suspect', atMs - 900, atMs - 400, 4],
      ['p2', 'up', atMs - 1000, 0, 0],
    ]);
    const kept = await queries.peerVitalsIn(database, peerOf(1), { fromMs: atMs - 1, toMs: atMs + 1000 });
    expect(kept.map(({ at, shareBytes }) => [at, shareBytes])).toEqual([[atMs, 44]]);
    const history = await queries.peerStatesIn(database, { fromMs: atMs - 1, toMs: atMs + 1 });
    expect(new Map(history.map(({ peerId, reason }) => [peerId, reason]))).toEqual(
      new Map([
        [peerOf(1), 'silent for 3 s'],
        [peerOf(2), 'heard'],
      ]),
    );
  });

  it('gives the open alerts of the mesh back, whoever told them', async () => {
    const change = (id: number, state: AlertChange['state'], at: number, summary = 'words'): AlertChange => ({
      id: `00000000-0000-4000-8000-00000000000${id}`,
      alert: {
        key: `key-${id}`,
        severity: id === 1 ? 'page' : 'warning',
        summary,
        next: 'do',
        files: id,
        bytes: 1000 * id,
        details: { down: 3 },
      },
      state,
      atMs: at,
      sinceMs: atMs,
    });
    await store.saveAlerts([change(1, 'firing', atMs), change(2, 'firing', atMs)]);
    await store.saveAlerts([change(1, 'changed', atMs + 10, 'new words'), change(2, 'resolved', atMs + 10)]);
    await storeNamed('two').saveAlerts([change(3, 'firing', atMs)]);
    await store.flush();
    const { id, alert, sinceMs } = change(1, 'changed', atMs, 'new words');
    const other = change(3, 'firing', atMs);
    const opened = await store.loadOpenAlerts();
    expect(new Map(opened.map((open) => [open.id, open]))).toEqual(
      new Map([
        [id, { id, alert, sinceMs }],
        [other.id, { id: other.id, alert: other.alert, sinceMs }],
      ]),
    );
    expect((await queries.openAlerts(database)).map(({ severity }) => severity)).toEqual(['page', 'warning']);
  });

  it('carries a whole analyzer: what it found is in the database, and a second one goes on from there', async () => {
    const mesh = await TestMesh.open();
    try {
      await mesh.announce();
      await mesh.put([1, 2, 3]);
      await mesh.lose(2, [0, 1, 2]);
      await mesh.says({ peer: 200, deleted: [3] });
      await mesh.pass(2000, peers);
      const first = await mesh.start(store);
      await mesh.seenBy(first);
      await eventually(async () => expect([...(await mesh.atRisk()).keys()]).toEqual([fileOf(2)]));
      await mesh.committed();
      const health = () => queries.fileHealthOf(database, [1, 2, 3].map(fileOf));
      await eventually(async () => {
        const rows = await health();
        expect(new Map(rows.map(({ storageIndex, grade }) => [storageIndex, grade]))).toEqual(
          new Map([
            [fileOf(1), 'healthy'],
            [fileOf(2), 'at-risk'],
          ]),
        );
      });
      const before = [1, 2, 3].map((file) => first.analyzer.file(fileOf(file))?.health);
      await first.analyzer.stop();
      await mesh.committed();

      const second = await mesh.start(store);
      await mesh.tick(peers);
      await mesh.seenBy(second);
      expect([1, 2, 3].map((file) => second.analyzer.file(fileOf(file))?.health)).toEqual(before);
      expect(second.analyzer.unanswered(fileOf(3))).toBe('deleted');
      expect(second.analyzer.health().peers.map(({ state }) => state)).toEqual(peers.map(() => 'up'));
      await mesh.lose(1, [0, 1, 2, 3, 4]);
      await eventually(async () =>
        expect((await health()).find(({ storageIndex }) => storageIndex === fileOf(1))?.grade).toBe('lost'),
      );
      await second.analyzer.stop();
    } finally {
      await mesh.close();
    }
  });

  it('is what the store in memory of other tests is like', async () => {
    const memory = new MemoryStore(() => atMs);
    const changes: ShareMapChanges = {
      placements: [placement(1, 0, 1, 'stored'), placement(1, 1, 1, 'lost')],
      files: [{ ...registrationOf(1), deleted: false, registeredAtMs: atMs }],
      applied: [
        { peer: peerOf(1), incarnation: 1, sequence: 2, generation: 3, openGeneration: 0, owesInventory: true },
      ],
    };
    for (const each of [store, memory]) {
      await each.savePartitions([{ partition: 0, version: 5, changes: changesOf(changes) }]);
      await each.saveHealth([healthRow(1, 'lost')], always);
      await each.flush();
    }
    expect(await storedRows(memory, 0)).toEqual(await storedRows(store, 0));
  });
});
