/** Histories out of ClickHouse, as the API answers them. */
import type { Clock } from '#mesh/clock.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { Store } from '#store/client.ts';
import { openAlerts, recentAlerts, recentProofs, recentRepairs } from '#store/queries/audit.ts';
import { countLeaving, type LeavingCounts } from '#store/queries/drain.ts';
import { type Exposure, newestExposure } from '#store/queries/health.ts';
import { marginHistoryIn } from '#store/queries/history.ts';
import { domainGroups, shareGroups } from '#store/queries/resilience.ts';
import { kindOf } from '../alerts/alert.ts';
import type { OpenAlert } from '../alerts/alert-board.ts';
import type { StoredAlerts } from '../api/alert-answers.ts';
import type { AlertChangeAnswer } from '../api/alert-schemas.ts';
import type { FileGroups, HistoryQueries, MarginMoment } from '../api/history.ts';
import type { ProofAnswer, RepairAnswer } from '../api/schemas.ts';
import { alertOfRow } from './stored-alerts.ts';

/** Exposure is told every few sweeps; an analyzer that has told none for so long has handed its files to others. */
const exposureAgeMs = 15 * 60_000;
const mostExposed = 5000;

export class StoreHistory implements HistoryQueries, StoredAlerts {
  readonly #store: Store;
  readonly #clock: Clock;

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  async open(): Promise<readonly OpenAlert[]> {
    return (await openAlerts(this.#store)).map(alertOfRow);
  }

  async history(limit: number): Promise<readonly AlertChangeAnswer[]> {
    const rows = await recentAlerts(this.#store, limit);
    return rows.map((row) => {
      const { id, alert, sinceMs } = alertOfRow(row);
      const { key, severity, summary, files } = alert;
      return { id, key, alert: kindOf(key).name, severity, state: row.state, summary, files, sinceMs, atMs: row.at };
    });
  }

  async repairs(limit: number): Promise<readonly RepairAnswer[]> {
    const rows = await recentRepairs(this.#store, { limit });
    return rows.map((row) => ({
      id: row.id,
      storageIndex: row.storageIndex,
      outcome: row.outcome,
      errorCode: row.errorCode,
      startedAtMs: row.startedAt,
      endedAtMs: row.endedAt,
      k: row.k,
      n: row.n,
      availableBefore: row.availableBefore,
      availableAfter: row.availableAfter,
      sharesPlaced: row.writtenShares.length,
      bytesRead: row.bytesRead,
      bytesWritten: row.bytesWritten,
      cause: row.cause,
      traceId: row.traceId,
    }));
  }

  async proofs(limit: number, storageIndex: StorageIndex | null): Promise<readonly ProofAnswer[]> {
    const rows = await recentProofs(this.#store, { limit, ...(storageIndex === null ? {} : { storageIndex }) });
    return rows.map((row) => ({
      id: row.id,
      storageIndex: row.storageIndex,
      outcome: row.outcome,
      errorCode: row.errorCode,
      atMs: row.at,
      shares: row.shares.length,
      bytes: row.bytesRead,
      durationMs: row.durationMs,
    }));
  }

  leaving(peer: PeerId): Promise<LeavingCounts> {
    return countLeaving(this.#store, { peers: [peer] });
  }

  exposure(): Promise<readonly Exposure[]> {
    return newestExposure(this.#store, this.#clock.nowMs() - exposureAgeMs, mostExposed);
  }

  async fileGroups(): Promise<FileGroups> {
    const [shares, domains] = await Promise.all([shareGroups(this.#store), domainGroups(this.#store)]);
    return { shares, domains };
  }

  async marginHistory(sinceMs: number): Promise<readonly MarginMoment[]> {
    const nowMs = this.#clock.nowMs();
    const { points } = await marginHistoryIn(this.#store, { fromMs: sinceMs, toMs: nowMs, nowMs, maxPoints: 400 });
    const moments = new Map<number, Map<number, number>>();
    for (const { at, key, files } of points) {
      let moment = moments.get(at);
      if (moment === undefined) moments.set(at, (moment = new Map()));
      moment.set(key, (moment.get(key) ?? 0) + files);
    }
    return [...moments].map(([atMs, files]) => ({ atMs, files: [...files].sort(([a], [b]) => a - b) }));
  }
}
