/** The figures of a peer's host over time: every heartbeat, or steps from the level that fits. */
import { type PeerId, peerIdToBytes } from '#mesh/peer-id.ts';
import type { Store } from '../client.ts';
import { bucketStart, float32, float64, type RowOf, uint64 } from '../row-binary/columns.ts';
import { vitalsSeries } from '../series.ts';
import { type PeerVitalsRow, peerVitals } from '../tables.ts';
import type { History, HistoryQuery } from './history.ts';
import { chooseLevel, type Span } from './level.ts';
import { figureSql, spanCondition, spanParameters, stepSql, tableOf } from './series-sql.ts';

/** In order of time; the newest `limit` of the span. */
export async function peerVitalsIn(store: Store, peer: PeerId, span: Span, limit = 5000): Promise<PeerVitalsRow[]> {
  const sql =
    `SELECT ${peerVitals.columnNames.join(', ')} FROM ${store.qualified('peer_vitals')} AS source ` +
    `WHERE ${isPeer(peer)} AND ${spanCondition(vitalsSeries, 'raw')} ORDER BY at DESC LIMIT {limit:UInt32}`;
  const parameters = { from: Math.floor(span.fromMs), to: Math.ceil(span.toMs), limit };
  const rows = await store.select(peerVitals.columns, sql, { parameters });
  return rows.toReversed();
}

const vitalsColumns = {
  /** Start of the step. */
  at: bucketStart,
  heartbeats: uint64,
  cpuUsedRatioLeast: float32,
  cpuUsedRatioMean: float64,
  cpuUsedRatioMost: float32,
  memoryUsedBytesMean: float64,
  memoryUsedBytesMost: uint64,
  diskUsedBytesLast: uint64,
  diskCapacityBytesLast: uint64,
  /** Since the agent's start: a smaller figure than the one before means that it started again. */
  networkReceivedBytesLast: uint64,
  networkSentBytesLast: uint64,
  sharesLeast: uint64,
  sharesMost: uint64,
  sharesLast: uint64,
  spooledBatchesMost: uint64,
};

export type VitalsPoint = RowOf<typeof vitalsColumns>;

export async function peerVitalsHistoryIn(
  store: Store,
  peer: PeerId,
  query: HistoryQuery,
): Promise<History<VitalsPoint>> {
  const choice = chooseLevel(query, query.nowMs, query.maxPoints ?? 500, store.retention);
  const { least, most, mean, last, rows } = figureSql(vitalsSeries, choice.level);
  const expressions = [
    rows,
    least('cpu_used_ratio'),
    mean('cpu_used_ratio'),
    most('cpu_used_ratio'),
    mean('memory_used_bytes'),
    most('memory_used_bytes'),
    last('disk_used_bytes'),
    last('disk_capacity_bytes'),
    last('network_received_bytes'),
    last('network_sent_bytes'),
    least('shares'),
    most('shares'),
    last('shares'),
    most('spooled_batches'),
  ];
  const points = await store.select(
    vitalsColumns,
    `SELECT ${stepSql(choice)} AS step, ${expressions.join(', ')}\n` +
      `FROM ${tableOf(store, vitalsSeries, choice.level)} AS source WHERE ${isPeer(peer)} AND ${spanCondition(vitalsSeries, choice.level)}\n` +
      'GROUP BY step ORDER BY step',
    { parameters: spanParameters(choice) },
  );
  return { stepMs: choice.stepMs, points };
}

export function isPeer(peer: PeerId): string {
  return `peer_id = toFixedString(unhex('${Buffer.from(peerIdToBytes(peer)).toString('hex')}'), 32)`;
}
