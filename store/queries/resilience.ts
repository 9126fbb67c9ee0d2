/** Files that are alike in what their loss hangs on: how many shares they have, and how much they tolerate. */
import type { Store } from '../client.ts';
import { label, uint16, uint64, uint64Sum } from '../row-binary/columns.ts';

export interface ShareGroup {
  readonly k: number;
  readonly n: number;
  readonly available: number;
  /** The fewest peers whose loss leaves fewer than k. */
  readonly tolerancePeers: number;
  readonly files: number;
  readonly bytes: number;
}

export interface DomainGroup {
  /** Kind of failure domain. */
  readonly kind: string;
  /** The fewest domains of this kind whose loss leaves fewer than k. */
  readonly tolerance: number;
  readonly files: number;
}

/** Every file is looked at: this is for a question now and then, and never takes the server for itself. */
const bounds = { max_execution_time: 20, max_threads: 2 };
const mostGroups = 100_000;

export function shareGroups(store: Store): Promise<ShareGroup[]> {
  return store.select(
    { k: uint16, n: uint16, available: uint16, tolerancePeers: uint16, files: uint64, bytes: uint64Sum },
    'SELECT k, n, available, tolerance_peers, count() AS files, sum(size_bytes) AS bytes\n' +
      `FROM ${store.qualified('file_health')} FINAL GROUP BY k, n, available, tolerance_peers LIMIT {limit:UInt32}`,
    { parameters: { limit: mostGroups }, settings: bounds },
  );
}

export function domainGroups(store: Store): Promise<DomainGroup[]> {
  return store.select(
    { kind: label, tolerance: uint16, files: uint64 },
    'SELECT toLowCardinality(kind) AS kind, tolerance, count() AS files\n' +
      `FROM ${store.qualified('file_health')} FINAL ARRAY JOIN mapKeys(tolerance_domains) AS kind, mapValues(tolerance_domains) AS tolerance\n` +
      'GROUP BY kind, tolerance ORDER BY kind, tolerance LIMIT {limit:UInt32}',
    { parameters: { limit: mostGroups }, settings: bounds },
  );
}
