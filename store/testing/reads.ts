/** Every read of queries/ as the API, the page and the command line ask it, and how much of the tables each one selects. */
import { type PeerId, peerIdFromBytes } from '#mesh/peer-id.ts';
import { type StorageIndex, storageIndexFromBytes } from '#mesh/storage-index.ts';
import type { QueryOptions, Store } from '../client.ts';
import * as queries from '../queries.ts';
import { type Columns, peerId, storageIndex, text } from '../row-binary/columns.ts';

export interface Read {
  readonly name: string;
  readonly run: (store: Store) => Promise<readonly unknown[] | { readonly points: readonly unknown[] }>;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** Files and peers that are there, so that lookups find something. */
export async function readsOf(store: Store, nowMs: number): Promise<readonly Read[]> {
  const indexes = await someIndexes(store);
  const peer = await somePeer(store);
  const one = indexes[0] as StorageIndex;
  const since = (days: number) => ({ fromMs: nowMs - days * dayMs, toMs: nowMs, nowMs, maxPoints: 400 });
  return [
    { name: 'repairs, newest 100', run: (at) => queries.recentRepairs(at) },
    { name: 'repairs of a file', run: (at) => queries.recentRepairs(at, { storageIndex: one }) },
    {
      name: 'repairs of a campaign, a page',
      run: (at) => queries.recentRepairs(at, { campaign: 'spring', beforeMs: nowMs - 90 * dayMs }),
    },
    { name: 'proofs, newest 100', run: (at) => queries.recentProofs(at) },
    { name: 'proofs of a file', run: (at) => queries.recentProofs(at, { storageIndex: one }) },
    { name: 'margins, an hour', run: (at) => queries.marginHistoryIn(at, since(1 / 24)) },
    { name: 'margins, a day', run: (at) => queries.marginHistoryIn(at, since(1)) },
    { name: 'margins, a week', run: (at) => queries.marginHistoryIn(at, since(7)) },
    { name: 'margins, 90 days', run: (at) => queries.marginHistoryIn(at, since(90)) },
    { name: 'margins, 3 years', run: (at) => queries.marginHistoryIn(at, since(1100)) },
    { name: 'grades, a day', run: (at) => queries.gradeHistoryIn(at, since(1)) },
    { name: 'exposure of zones, a day', run: (at) => queries.exposureHistoryIn(at, { ...since(1), kind: 'zone' }) },
    {
      name: 'exposure of a rack, a week',
      run: (at) => queries.exposureHistoryIn(at, { ...since(7), kind: 'rack', domain: '40' }),
    },
    { name: 'exposure now', run: (at) => queries.newestExposure(at, nowMs - 600_000) },
    { name: 'files at risk, first 100', run: (at) => queries.filesAtRisk(at) },
    { name: 'files at risk, page 100', run: (at) => queries.filesAtRisk(at, { offset: 9900 }) },
    { name: 'files of every grade and policy', run: (at) => queries.gradeCounts(at, nowMs - 600_000) },
    { name: 'health of a file', run: (at) => queries.fileHealthOf(at, [one]) },
    { name: 'health of 100 files', run: (at) => queries.fileHealthOf(at, indexes.slice(0, 100)) },
    { name: 'manifest of a file', run: (at) => queries.filesByIndex(at, [one]) },
    { name: 'manifests of 100 files', run: (at) => queries.filesByIndex(at, indexes.slice(0, 100)) },
    { name: 'placements of a file', run: (at) => queries.placementsOfFile(at, one) },
    { name: 'files that begin with 6 letters', run: (at) => queries.indexesWithPrefix(at, one.slice(0, 6)) },
    { name: 'changes of grade, a day', run: (at) => queries.gradeChangesIn(at, since(1)) },
    {
      name: 'changes of grade of a file, 400 days',
      run: (at) => queries.gradeChangesIn(at, { ...since(400), storageIndex: one }),
    },
    { name: 'all peers', run: (at) => queries.allPeers(at) },
    { name: 'changes of peers, a day', run: (at) => queries.peerStatesIn(at, since(1)) },
    { name: 'changes of a peer, 2 years', run: (at) => queries.peerStatesIn(at, { ...since(700), peer }) },
    { name: 'heartbeats of a peer, an hour', run: (at) => queries.peerVitalsIn(at, peer, since(1 / 24)) },
    { name: 'vitals of a peer, a week', run: (at) => queries.peerVitalsHistoryIn(at, peer, since(7)) },
    { name: 'open alerts', run: (at) => queries.openAlerts(at) },
    { name: 'alerts, newest 200', run: (at) => queries.recentAlerts(at) },
  ];
}

async function someIndexes(store: Store): Promise<StorageIndex[]> {
  const rows = await store.select(
    { storageIndex },
    `SELECT storage_index FROM ${store.qualified('files')} LIMIT 1 BY partition LIMIT ${queries.maxIndexesPerQuery}`,
  );
  const more = await store.select(
    { storageIndex },
    `SELECT storage_index FROM ${store.qualified('repairs')} ORDER BY id LIMIT ${queries.maxIndexesPerQuery}`,
  );
  const found = [...new Set([...more, ...rows].map((row) => row.storageIndex))].slice(0, queries.maxIndexesPerQuery);
  return found.length > 0 ? found : [storageIndexFromBytes(new Uint8Array(16))];
}

async function somePeer(store: Store): Promise<PeerId> {
  const [row] = await store.select(
    { peerId },
    `SELECT toFixedString(peer_id, 32) FROM ${store.qualified('peer_vitals')} LIMIT 1`,
  );
  return row?.peerId ?? peerIdFromBytes(new Uint8Array(32));
}

export interface Selected {
  /** Granules (8192 rows or so) that the indexes leave to be read, of those in the tables. */
  readonly granules: number;
  readonly ofGranules: number;
  readonly parts: number;
  readonly ofParts: number;
}

/** What EXPLAIN says of every statement that the read sends. */
export async function selectedBy(store: Store, read: Read): Promise<Selected> {
  const statements: { sql: string; options: QueryOptions }[] = [];
  await read.run(recording(store, (sql, options) => statements.push({ sql, options })));
  const sum = { granules: 0, ofGranules: 0, parts: 0, ofParts: 0 };
  for (const { sql, options } of statements) {
    const lines = await store.select({ line: text }, `SELECT explain FROM (EXPLAIN indexes = 1 ${sql})`, options);
    for (const table of tablesIn(lines.map(({ line }) => line))) {
      for (const key of ['granules', 'ofGranules', 'parts', 'ofParts'] as const) sum[key] += table[key];
    }
  }
  return sum;
}

/** Of each read of a table, what its last index leaves of what its first one began with. */
function* tablesIn(lines: readonly string[]): Generator<Selected, void> {
  let current: Selected | null = null;
  for (const line of lines) {
    if (line.includes('ReadFrom')) {
      if (current !== null) yield current;
      current = line.includes('MergeTree') ? { granules: 0, ofGranules: 0, parts: 0, ofParts: 0 } : null;
    }
    if (current === null) continue;
    const [, word, selected, total] = /(Granules|Parts): (\d+)\/(\d+)/.exec(line) ?? [];
    if (word === 'Granules')
      current = { ...current, granules: Number(selected), ofGranules: Math.max(current.ofGranules, Number(total)) };
    if (word === 'Parts')
      current = { ...current, parts: Number(selected), ofParts: Math.max(current.ofParts, Number(total)) };
  }
  if (current !== null) yield current;
}

function recording(store: Store, note: (sql: string, options: QueryOptions) => void): Store {
  return {
    database: store.database,
    retention: store.retention,
    partitionCount: store.partitionCount,
    qualified: (table) => store.qualified(table),
    command: (sql, options) => store.command(sql, options),
    insert: (table, body, options) => store.insert(table, body, options),
    select: <C extends Columns>(columns: C, sql: string, options: QueryOptions = {}) => {
      note(sql, options);
      return store.select(columns, sql, options);
    },
    selectBatches: (columns, sql, options = {}) => {
      note(sql, options);
      return store.selectBatches(columns, sql, options);
    },
    bytes: (sql, format, options = {}) => {
      note(sql, options);
      return store.bytes(sql, format, options);
    },
    ping: () => store.ping(),
    stats: () => store.stats(),
    close: () => store.close(),
  };
}
