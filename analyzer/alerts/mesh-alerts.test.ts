import { beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import { loadConfig } from '#mesh/config/load.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { silentLogger } from '#mesh/logger.ts';
import { emptyTotals } from '../files/share-map/totals.ts';
import type { WholeMesh } from '../mesh/mesh-view.ts';
import { meshWriterPartition } from '../mesh/mesh-writer.ts';
import { MemoryStore } from '../testing/memory-store.ts';
import { AlertBoard, type AlertChange, type OpenAlert } from './alert-board.ts';
import { MeshAlerts } from './mesh-alerts.ts';

const staleAfterMs = 1000;
const { config } = loadConfig({ flags: { 'analyzer.staleAfterMs': staleAfterMs } });
const calm: WholeMesh = {
  totals: emptyTotals(),
  unknownPartitions: 0,
  staleReasons: [],
  refusedEvents: 0,
  truncatedRecords: 0,
  owedInventories: 0,
};
const atRisk: WholeMesh = {
  ...calm,
  totals: { ...emptyTotals(), byGrade: new Map([...emptyTotals().byGrade, ['at-risk', { files: 3, bytes: 9 }]]) },
};
const open: OpenAlert = {
  id: 'from-before',
  sinceMs: 5,
  alert: { key: 'files-at-risk', severity: 'warning', summary: 'before', next: '', files: 3, bytes: 9, details: {} },
};

describe('alerts of the mesh', () => {
  let owned: Map<number, unknown>;
  let loaded: PromiseWithResolvers<readonly OpenAlert[]>;
  let changes: AlertChange[];
  let complaints: string[];
  let board: AlertBoard;
  let alerts: MeshAlerts;

  beforeEach(() => {
    owned = new Map([[meshWriterPartition, null]]);
    loaded = Promise.withResolvers();
    changes = [];
    complaints = [];
    let ids = 0;
    board = new AlertBoard(() => `id-${++ids}`);
    const store = Object.assign(new MemoryStore(() => 0), { loadOpenAlerts: () => loaded.promise });
    alerts = new MeshAlerts({
      analyzer: { store, config, logger: silentLogger, clock: systemClock },
      board,
      history: { addAlertChanges: (more) => void changes.push(...more) },
      owned,
      complain: (_error, message) => void complaints.push(message),
    });
  });

  const update = (mesh: WholeMesh, now: number, isWhole = true): void =>
    alerts.update({ mesh, isWhole, unwatchedFiles: 0, peers: [], now, atMs: 70_000 + now });
  const written = () => changes.map(({ id, state, alert }) => [id, state, alert.key]);

  it('wait for those that are open, and go on with them', async () => {
    update(atRisk, 0);
    expect(written()).toEqual([]);
    loaded.resolve([open]);
    await loaded.promise;
    update(calm, 100);
    expect(written()).toEqual([['from-before', 'resolved', 'files-at-risk']]);
  });

  it('do not wait for long for a database that does not answer', async () => {
    update(atRisk, 0);
    update(atRisk, staleAfterMs);
    expect(written()).toEqual([]);
    update(atRisk, staleAfterMs + 1);
    expect(written()).toEqual([['id-1', 'firing', 'files-at-risk']]);
    // It comes too late to count.
    loaded.resolve([open]);
    await loaded.promise;
    update(atRisk, staleAfterMs + 100);
    expect(board.open().map(({ id }) => id)).toEqual(['id-1']);
  });

  it('begin without those that cannot be read', async () => {
    update(atRisk, 0);
    loaded.reject(new MeshwardError('store-unavailable', 'away', { next: 'wait' }));
    await loaded.promise.catch(() => undefined);
    await Promise.resolve();
    update(atRisk, 100);
    expect(written()).toEqual([['id-1', 'firing', 'files-at-risk']]);
    expect(complaints).toEqual(['open alerts cannot be read: some may be announced twice']);
  });

  it('are known and not written where another analyzer writes', () => {
    owned.clear();
    update(atRisk, 0);
    expect(board.open().map(({ alert }) => alert.key)).toEqual(['files-at-risk']);
    expect(written()).toEqual([]);
  });

  it('of files neither begin nor end while partitions are missing', async () => {
    loaded.resolve([open]);
    update(calm, 0, false);
    await loaded.promise;
    update({ ...calm, staleReasons: [{ kind: 'no-tick' }] }, 100, false);
    expect(written()).toEqual([['id-1', 'firing', 'health-stale']]);
  });
});
