/** What was done and said: repairs, proofs, alerts, campaigns. */
import type { StorageIndex } from '#mesh/storage-index.ts';
import { type CampaignRow, campaigns } from '../campaign-tables.ts';
import type { Store } from '../client.ts';
import type { Table } from '../row-binary/table.ts';
import {
  type AlertRow,
  alerts,
  type ProofRow,
  proofs,
  type RepairRow,
  type repairOutcomes,
  repairs,
} from '../tables.ts';
import { amongIndexes } from './share-map.ts';

export interface RepairsQuery {
  readonly storageIndex?: StorageIndex;
  readonly campaign?: string;
  readonly outcome?: (typeof repairOutcomes)[number];
  /** Started before, milliseconds since the epoch: the next page begins at the last one's `startedAt`. */
  readonly beforeMs?: number;
  /** @default 100 */
  readonly limit?: number;
}

/** Newest first. */
export function recentRepairs(store: Store, query: RepairsQuery = {}): Promise<RepairRow[]> {
  const conditions = [
    ...(query.storageIndex === undefined ? [] : [amongIndexes([query.storageIndex])]),
    ...(query.campaign === undefined ? [] : ['campaign = {campaign:String}']),
    ...(query.outcome === undefined ? [] : ['outcome = {outcome:String}']),
    ...(query.beforeMs === undefined ? [] : ['started_at < fromUnixTimestamp64Milli({before:Int64})']),
  ];
  const parameters = {
    limit: query.limit ?? 100,
    ...(query.campaign === undefined ? {} : { campaign: query.campaign }),
    ...(query.outcome === undefined ? {} : { outcome: query.outcome }),
    ...(query.beforeMs === undefined ? {} : { before: Math.round(query.beforeMs) }),
  };
  return store.select(repairs.columns, newestSql(store, repairs, 'started_at', conditions), { parameters });
}

/**
 * Which rows they are is found in the key, and only theirs are read whole: a row holds a hundred peers. A row is written when
 * its work ended, and again only as it was: rows of one key need no merging, the first of them does.
 */
function newestSql(store: Store, table: Table, time: string, conditions: readonly string[]): string {
  const from = `FROM ${store.qualified(table.name)}`;
  const order = `ORDER BY ${time} DESC, id DESC LIMIT 1 BY ${time}, id`;
  return (
    `SELECT ${table.columnNames.join(', ')} ${from} WHERE (${time}, id) GLOBAL IN (\n` +
    `  SELECT ${time}, id ${from}${where(conditions)} ${order} LIMIT {limit:UInt32}\n` +
    `) ${order}`
  );
}

export interface ProofsQuery {
  readonly storageIndex?: StorageIndex;
  readonly beforeMs?: number;
  /** @default 100 */
  readonly limit?: number;
}

/** Newest first. */
export function recentProofs(store: Store, query: ProofsQuery = {}): Promise<ProofRow[]> {
  const conditions = [
    ...(query.storageIndex === undefined ? [] : [amongIndexes([query.storageIndex])]),
    ...(query.beforeMs === undefined ? [] : ['at < fromUnixTimestamp64Milli({before:Int64})']),
  ];
  const parameters = {
    limit: query.limit ?? 100,
    ...(query.beforeMs === undefined ? {} : { before: Math.round(query.beforeMs) }),
  };
  return store.select(proofs.columns, newestSql(store, proofs, 'at', conditions), { parameters });
}

/** Alerts whose newest row says `firing`: the most severe first, then the oldest. */
export function openAlerts(store: Store, limit = 200): Promise<AlertRow[]> {
  const columns = alerts.columnNames.join(', ');
  const sql =
    `SELECT ${columns} FROM (SELECT ${columns} FROM ${store.qualified('alerts')} FINAL ORDER BY at DESC, state DESC LIMIT 1 BY id)\n` +
    "WHERE state = 'firing' ORDER BY severity DESC, at, id LIMIT {limit:UInt32}";
  return store.select(alerts.columns, sql, { parameters: { limit } });
}

/** Every change of an alert, newest first. */
export function recentAlerts(store: Store, limit = 200): Promise<AlertRow[]> {
  const sql = `SELECT ${alerts.columnNames.join(', ')} FROM ${store.qualified('alerts')} FINAL ORDER BY at DESC, state DESC, id LIMIT {limit:UInt32}`;
  return store.select(alerts.columns, sql, { parameters: { limit } });
}

/** Newest first. */
export function allCampaigns(store: Store, limit = 1000): Promise<CampaignRow[]> {
  const sql = `SELECT ${campaigns.columnNames.join(', ')} FROM ${store.qualified('campaigns')} FINAL ORDER BY created_at DESC, id LIMIT {limit:UInt32}`;
  return store.select(campaigns.columns, sql, { parameters: { limit } });
}

function where(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
}
