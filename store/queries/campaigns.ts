/** What campaigns are planned from, what they work through, and what came of them. */
import { type CampaignDefinition, effectiveSelection } from '#mesh/campaigns/definition.ts';
import type { FileGroup, HeldByPeer } from '#mesh/campaigns/plan.ts';
import { type OutcomeCount } from '#mesh/campaigns/progress.ts';
import { type StorageIndex, storageIndexToBytes } from '#mesh/storage-index.ts';
import { type CampaignFileRow, campaignFiles } from '../campaign-tables.ts';
import type { Store } from '../client.ts';
import { float64, int16, label, repeatedPeerId, timestamp, uint16, uint64 } from '../row-binary/columns.ts';
import { type FileHealthRow, fileHealth } from '../tables.ts';
import { longStatement, quoted, type RestoreContext, selectedSql, selectionSql } from './selection-sql.ts';
import { amongIndexes } from './share-map.ts';

const settings = longStatement;

/** The codings under which files are selected, each with the policy that says what they shall have. */
export function selectedPolicies(
  store: Store,
  definition: CampaignDefinition,
  nowMs: number,
): Promise<{ policy: string; k: number; n: number }[]> {
  const where = selectionSql(store, effectiveSelection(definition), nowMs).join(' AND ');
  const sql = `SELECT DISTINCT policy, k, n FROM ${store.qualified('file_health')} FINAL WHERE ${where} LIMIT 1000`;
  return store.select({ policy: label, k: uint16, n: uint16 }, sql, { settings });
}

export interface PlannedGroups {
  readonly groups: readonly FileGroup[];
  readonly bytesToEachTarget: number;
}

/** @param targets peers that may take shares. */
export async function plannedGroups(store: Store, context: RestoreContext, targets: number): Promise<PlannedGroups> {
  const room = `greatest(0, ${Math.trunc(targets)} - toInt64(distinct_peers))`;
  const crowded =
    context.definition.kind === 'replace' ? 'toUInt64(0)' : `toUInt64(sum(greatest(0, restore - ${room})))`;
  const rows = await store.select(
    {
      k: uint16,
      n: uint16,
      available: uint16,
      margin: int16,
      restore: uint64,
      unplaceable: uint64,
      files: uint64,
      shareBytes: uint64,
      toEach: float64,
    },
    `SELECT k, n, available, margin, toUInt64(restore), ${crowded}, count(), sum(share_bytes),\n` +
      `  sumIf(restore * share_bytes / greatest(1, ${room}), available >= k)\n` +
      `FROM (${selectedSql(store, context)}) GROUP BY k, n, available, margin, restore ORDER BY margin, restore LIMIT 200000`,
    { settings },
  );
  const bytesToEachTarget = rows.reduce((sum, { toEach }) => sum + toEach, 0);
  return { groups: rows.map(({ toEach: _toEach, ...group }) => group), bytesToEachTarget };
}

/** What each peer holds of the files that get shares, or, of a verification, of all that are selected. */
export async function plannedPeers(
  store: Store,
  context: RestoreContext,
  targets: number,
): Promise<readonly HeldByPeer[]> {
  const isVerify = context.definition.kind === 'verify';
  const room = `greatest(1, ${Math.trunc(targets)} - toInt64(distinct_peers))`;
  const reads = isVerify ? 'sum(share_bytes)' : 'sum(k * share_bytes / greatest(1, available))';
  const rows = await store.select(
    { peerId: repeatedPeerId, bytesRead: float64, bytesSpared: float64 },
    `SELECT peer_id, toFloat64(${reads}), sum(restore * share_bytes / ${room}) FROM (\n` +
      `  SELECT DISTINCT partition, storage_index, peer_id FROM ${store.qualified('placements')} FINAL WHERE state = 'stored'\n` +
      `) AS placed GLOBAL INNER JOIN (SELECT * FROM (${selectedSql(store, context)}) WHERE ${isVerify ? 'true' : 'restore > 0 AND available >= k'}) AS chosen\n` +
      'USING (partition, storage_index) GROUP BY peer_id LIMIT 100000',
    { settings },
  );
  return rows;
}

export interface MeasuredSpeed {
  readonly repairs: number;
  /** Bytes a second of one repair: of ten the slowest and the fastest are left out. */
  readonly slowBytesPerSecond: number;
  readonly fastBytesPerSecond: number;
}

/** Of repairs that moved something since then. */
export async function repairSpeed(store: Store, sinceMs: number): Promise<MeasuredSpeed> {
  const [row] = await store.select(
    { repairs: uint64, slow: float64, fast: float64 },
    'SELECT count(), quantile(0.1)(speed), quantile(0.9)(speed) FROM (\n' +
      `  SELECT (bytes_read + bytes_written) * 1000. / greatest(1, duration_ms) AS speed FROM ${store.qualified('repairs')}\n` +
      "  WHERE started_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') AND outcome IN ('repaired', 'partial') AND bytes_written > 0)",
    { parameters: { since: Math.round(sinceMs) } },
  );
  const finite = (value: number | undefined): number => (Number.isFinite(value) ? (value as number) : 0);
  return {
    repairs: row?.repairs ?? 0,
    slowBytesPerSecond: finite(row?.slow),
    fastBytesPerSecond: finite(row?.fast),
  };
}

const workColumns = {
  storageIndex: fileHealth.columns.storageIndex,
  policy: fileHealth.columns.policy,
  grade: fileHealth.columns.grade,
  available: fileHealth.columns.available,
  retained: fileHealth.columns.retained,
  counted: fileHealth.columns.counted,
  margin: fileHealth.columns.margin,
} as const;
export type CampaignWork = Pick<FileHealthRow, keyof typeof workColumns>;

export interface WorkQuery {
  readonly campaign: string;
  readonly definition: CampaignDefinition;
  readonly partition: number;
  /** From 1: the first takes what is selected, later ones what failed before. */
  readonly pass: number;
  /** Files beyond this one, in the order of their bytes; null from the beginning. */
  readonly after: StorageIndex | null;
  readonly nowMs: number;
  readonly limit: number;
}

/** The next files of a partition that a campaign has not dealt with, in the order of their storage indexes. */
export function campaignWork(store: Store, query: WorkQuery): Promise<CampaignWork[]> {
  const { campaign, definition, partition, pass, after, nowMs, limit } = query;
  const beyond =
    after === null
      ? ''
      : ` AND storage_index > toFixedString(unhex('${Buffer.from(storageIndexToBytes(after)).toString('hex')}'), 16)`;
  const dealtWith = (where: string): string =>
    `(SELECT partition, storage_index FROM ${store.qualified('campaign_files')} FINAL WHERE campaign = ${uuidSql(campaign)} AND partition = ${partition}${beyond}${where})`;
  const conditions =
    pass === 1
      ? [
          ...selectionSql(store, effectiveSelection(definition), nowMs, partition),
          `(partition, storage_index) GLOBAL NOT IN ${dealtWith('')}`,
        ]
      : [
          'NOT deleted',
          `partition = ${partition}`,
          `(partition, storage_index) GLOBAL IN ${dealtWith(` AND outcome IN ('failed', 'partial') AND pass < ${pass}`)}`,
        ];
  const sql =
    `SELECT storage_index, policy, grade, available, retained, counted, margin FROM ${store.qualified('file_health')} FINAL\n` +
    `WHERE ${conditions.join(' AND ')}${beyond} ORDER BY storage_index LIMIT ${limit}`;
  return store.select(workColumns, sql, { settings });
}

/** What was noted of these files before. */
export function campaignFilesOf(
  store: Store,
  campaign: string,
  partition: number,
  indexes: readonly StorageIndex[],
): Promise<CampaignFileRow[]> {
  if (indexes.length === 0) return Promise.resolve([]);
  const sql =
    `SELECT ${campaignFiles.columnNames.join(', ')} FROM ${store.qualified('campaign_files')} FINAL\n` +
    `WHERE campaign = ${uuidSql(campaign)} AND partition = ${partition} AND ${amongIndexes(indexes)}`;
  return store.select(campaignFiles.columns, sql);
}

export interface CampaignSums {
  readonly outcomes: readonly OutcomeCount[];
  readonly sharesWritten: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

/** What came of a campaign's files, each counted once however often it was tried. */
export async function campaignSums(store: Store, campaign: string, partition?: number): Promise<CampaignSums> {
  const own = partition === undefined ? '' : ` AND partition = ${Math.trunc(partition)}`;
  const rows = await store.select(
    {
      outcome: campaignFiles.columns.outcome,
      errorCode: label,
      files: uint64,
      sharesWritten: uint64,
      bytesRead: uint64,
      bytesWritten: uint64,
    },
    'SELECT outcome, error_code, count(), sum(shares_written), sum(bytes_read), sum(bytes_written)\n' +
      `FROM ${store.qualified('campaign_files')} FINAL WHERE campaign = ${uuidSql(campaign)}${own} GROUP BY outcome, error_code`,
  );
  const sum = (of: (row: (typeof rows)[number]) => number): number => rows.reduce((all, row) => all + of(row), 0);
  return {
    outcomes: rows.map(({ outcome, errorCode, files }) => ({ outcome, errorCode, files })),
    sharesWritten: sum((row) => row.sharesWritten),
    bytesRead: sum((row) => row.bytesRead),
    bytesWritten: sum((row) => row.bytesWritten),
  };
}

export interface CampaignHistory {
  readonly marginsBefore: readonly (readonly [number, number])[];
  readonly marginsAfter: readonly (readonly [number, number])[];
  /** Figures of equal spans of time; those in which nothing ended are left out. */
  readonly throughput: readonly { readonly atMs: number; readonly files: number; readonly bytes: number }[];
}

/** @param spanMs length of one span of the throughput. */
export async function campaignHistory(store: Store, campaign: string, spanMs: number): Promise<CampaignHistory> {
  const from = `FROM ${store.qualified('campaign_files')} FINAL WHERE campaign = ${uuidSql(campaign)}`;
  const margins = (column: string): Promise<{ margin: number; files: number }[]> =>
    store.select(
      { margin: int16, files: uint64 },
      `SELECT ${column}, count() ${from} AND outcome != 'gone' GROUP BY ${column} ORDER BY ${column}`,
    );
  const span = Math.max(1000, Math.trunc(spanMs));
  const [before, after, throughput] = await Promise.all([
    margins('margin_before'),
    margins('margin_after'),
    store.select(
      { atMs: timestamp, files: uint64, bytes: uint64 },
      `SELECT toDateTime64(toStartOfInterval(at, INTERVAL ${span} MILLISECOND), 3, 'UTC') AS span, count(), sum(bytes_read + bytes_written) ${from} GROUP BY span ORDER BY span LIMIT 10000`,
    ),
  ]);
  const pair = ({ margin, files }: { margin: number; files: number }): [number, number] => [margin, files];
  return { marginsBefore: before.map(pair), marginsAfter: after.map(pair), throughput };
}

function uuidSql(id: string): string {
  return `toUUID(${quoted(id)})`;
}
