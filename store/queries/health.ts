/** The health of files now, and what the mesh as a whole looks like now. */
import { compareGrades, type Grade, grades } from '#mesh/grade.ts';
import { type StorageIndex, storageIndexBytes } from '#mesh/storage-index.ts';
import type { Store } from '../client.ts';
import { choice, label, storageIndex, timestamp, uint64, uint64Sum } from '../row-binary/columns.ts';
import { type FileHealthRow, fileHealth, type GradeChangeRow, gradeChanges } from '../tables.ts';
import { amongIndexes, onlyFiles } from './share-map.ts';

const healthColumns = fileHealth.columnNames.join(', ');

export function fileHealthOf(store: Store, indexes: readonly StorageIndex[]): Promise<FileHealthRow[]> {
  if (indexes.length === 0) return Promise.resolve([]);
  const sql = `SELECT ${healthColumns} FROM ${store.qualified('file_health')} FINAL ${onlyFiles(store, indexes)}`;
  return store.select(fileHealth.columns, sql);
}

/** The newest grade of every file of a partition, and since when: what an analyzer compares with when it takes the partition over. */
export function gradesOfPartition(
  store: Store,
  partition: number,
): Promise<Pick<FileHealthRow, 'storageIndex' | 'grade' | 'gradeSince'>[]> {
  return store.select(
    { storageIndex, grade: choice(grades), gradeSince: timestamp },
    `SELECT storage_index, grade, grade_since FROM ${store.qualified('file_health')} FINAL WHERE partition = {partition:UInt16}`,
    { parameters: { partition } },
  );
}

export interface FilesAtRiskQuery {
  /** This grade and all worse ones. @default at-risk */
  readonly worstUpTo?: Grade;
  readonly policy?: string;
  /** @default 100 */
  readonly limit?: number;
  readonly offset?: number;
}

/** The worst first: by grade, margin, probability of loss. Which files they are is found in the list of them; only theirs are read whole. */
export function filesAtRisk(store: Store, query: FilesAtRiskQuery = {}): Promise<FileHealthRow[]> {
  const { table, where } = worstFiles(store, query.worstUpTo ?? 'at-risk');
  const such = where + (query.policy === undefined ? '' : ' AND policy = {policy:String}');
  const sql =
    `SELECT ${healthColumns} FROM ${store.qualified('file_health')} FINAL PREWHERE (partition, storage_index) GLOBAL IN (\n` +
    `  SELECT partition, storage_index FROM ${table} FINAL ${such}\n` +
    `  ${worstFirst} LIMIT {limit:UInt32} OFFSET {offset:UInt32}\n) ${such} ${worstFirst}`;
  const parameters = {
    limit: query.limit ?? 100,
    offset: query.offset ?? 0,
    ...(query.policy === undefined ? {} : { policy: query.policy }),
  };
  return store.select(fileHealth.columns, sql, { parameters });
}

/** Where files of this grade and worse ones are found: those at risk have a list of their own, of others the health of all is gone through. */
export function worstFiles(store: Store, worstUpTo: Grade): { readonly table: string; readonly where: string } {
  const worst = grades.slice(0, grades.indexOf(worstUpTo) + 1).map((grade) => `'${grade}'`);
  const table = compareGrades(worstUpTo, 'at-risk') > 0 ? 'file_health' : 'files_at_risk';
  return { table: store.qualified(table), where: `WHERE grade IN (${worst.join(', ')})` };
}

export const worstFirst = 'ORDER BY grade, margin, log10_loss DESC NULLS LAST, storage_index';

export interface GradeCount {
  readonly policy: string;
  readonly grade: Grade;
  readonly files: number;
  readonly bytes: number;
}

/**
 * Files and bytes by policy and grade, as the newest sweep of each analyzer that has swept since `sinceMs` counted them;
 * grades with no file are left out.
 */
export function gradeCounts(store: Store, sinceMs: number): Promise<GradeCount[]> {
  return store.select(
    { policy: label, grade: choice(grades), files: uint64, bytes: uint64Sum },
    'SELECT policy, grade, sum(newest_files) AS all_files, sum(newest_bytes) AS all_bytes FROM (\n' +
      '  SELECT policy, grade, argMax(files, at) AS newest_files, argMax(bytes, at) AS newest_bytes,\n' +
      '    max(at) AS key_at, max(key_at) OVER (PARTITION BY analyzer) AS newest_at\n' +
      `  FROM ${store.qualified('grade_history')} WHERE ${sinceRaw} GROUP BY analyzer, policy, grade\n` +
      ') WHERE key_at = newest_at AND newest_files > 0 GROUP BY policy, grade ORDER BY policy, grade',
    { parameters: { since: Math.round(sinceMs) } },
  );
}

export interface GradeChangesQuery {
  readonly storageIndex?: StorageIndex;
  readonly fromMs: number;
  readonly toMs: number;
  /** @default 1000 */
  readonly limit?: number;
}

/** Newest first. */
export function gradeChangesIn(store: Store, query: GradeChangesQuery): Promise<GradeChangeRow[]> {
  const sql =
    `SELECT ${gradeChanges.columnNames.join(', ')} FROM ${store.qualified('grade_changes')}\n` +
    'WHERE at >= fromUnixTimestamp64Milli({from:Int64}) AND at < fromUnixTimestamp64Milli({to:Int64})' +
    (query.storageIndex === undefined ? '' : ` AND ${amongIndexes([query.storageIndex])}`) +
    '\nORDER BY at DESC, storage_index LIMIT {limit:UInt32}';
  return store.select(gradeChanges.columns, sql, {
    parameters: { from: query.fromMs, to: query.toMs, limit: query.limit ?? 1000 },
  });
}

/** Raw rows of a series not older than `since`, in its pieces of time too. */
const since = "fromUnixTimestamp64Milli({since:Int64}, 'UTC')";
const sinceRaw = `at >= ${since} AND toStartOfHour(at) >= toStartOfHour(${since})`;

export interface Exposure {
  readonly kind: string;
  readonly domain: string;
  readonly at: number;
  readonly filesBelowK: number;
  readonly filesBelowRepair: number;
}

/** The newest exposure of each domain, over all analyzers that reported since `sinceMs`; the worst first. */
export function newestExposure(store: Store, sinceMs: number, limit = 1000): Promise<Exposure[]> {
  return store.select(
    { kind: label, domain: label, at: timestamp, filesBelowK: uint64, filesBelowRepair: uint64 },
    'SELECT kind, domain, max(newest_at) AS newest, sum(below_k) AS files_k, sum(below_repair) AS files_repair FROM (\n' +
      '  SELECT kind, domain, analyzer, max(at) AS newest_at, argMax(files_below_k, at) AS below_k, argMax(files_below_repair, at) AS below_repair\n' +
      `  FROM ${store.qualified('domain_exposure')} WHERE ${sinceRaw} GROUP BY kind, domain, analyzer\n` +
      ') GROUP BY kind, domain ORDER BY files_k DESC, files_repair DESC, kind, domain LIMIT {limit:UInt32}',
    { parameters: { since: Math.round(sinceMs), limit } },
  );
}

/** Storage indexes that begin as written, for completion on a command line. */
export async function indexesWithPrefix(store: Store, prefix: string, limit = 20): Promise<StorageIndex[]> {
  const range = rangeOfPrefix(prefix);
  if (range === null) return [];
  const rows = await store.select(
    { storageIndex },
    `SELECT storage_index FROM ${store.qualified('files')} FINAL WHERE storage_index >= ${literal(range.first)} AND storage_index <= ${literal(range.last)} ` +
      'ORDER BY storage_index LIMIT {limit:UInt32}',
    { parameters: { limit } },
  );
  return rows.map((row) => row.storageIndex);
}

const digits = 'abcdefghijklmnopqrstuvwxyz234567';
const indexBits = 8 * storageIndexBytes;

/** The storage indexes between which all lie that begin so, as hexadecimal digits; null where none can. */
export function rangeOfPrefix(prefix: string): { readonly first: string; readonly last: string } | null {
  let value = 0n;
  for (const character of prefix) {
    const digit = digits.indexOf(character);
    if (digit < 0) return null;
    value = value * 32n + BigInt(digit);
  }
  const missing = indexBits - 5 * prefix.length;
  // The last of 26 digits holds bits beyond the index, which are zero.
  if (missing < -2 || (missing < 0 && value % 2n ** BigInt(-missing) !== 0n)) return null;
  const first = missing >= 0 ? value << BigInt(missing) : value >> BigInt(-missing);
  const last = missing >= 0 ? first + (1n << BigInt(missing)) - 1n : first;
  const hex = (bits: bigint): string => bits.toString(16).padStart(2 * storageIndexBytes, '0');
  return { first: hex(first), last: hex(last) };
}

function literal(hex: string): string {
  return `toFixedString(unhex('${hex}'), ${storageIndexBytes})`;
}
