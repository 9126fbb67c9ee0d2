/** Peers now, how their states changed, and the figures of their hosts. */
import { type PeerId, peerIdToBytes } from '#mesh/peer-id.ts';
import type { Store } from '../client.ts';
import {
  type LivenessMarkRow,
  livenessMarks,
  type PeerLifeRow,
  type PeerRow,
  type PeerStateRow,
  type PeerVitalsRow,
  peerLives,
  peerStateHistory,
  peers,
  peerVitals,
} from '../tables.ts';
import type { Span } from './grain.ts';

export function allPeers(store: Store): Promise<PeerRow[]> {
  const sql = `SELECT ${peers.columnNames.join(', ')} FROM ${store.qualified('peers')} FINAL ORDER BY name, peer_id`;
  return store.select(peers.columns, sql);
}

/** What the analyzer stored of each peer's life. */
export function peerLivesOf(store: Store): Promise<PeerLifeRow[]> {
  return store.select(
    peerLives.columns,
    `SELECT ${peerLives.columnNames.join(', ')} FROM ${store.qualified('peer_lives')} FINAL`,
  );
}

/** How far peer-events are in the lives, in the order of partitions. */
export function livenessMarksOf(store: Store): Promise<LivenessMarkRow[]> {
  const sql = `SELECT ${livenessMarks.columnNames.join(', ')} FROM ${store.qualified('liveness_marks')} FINAL ORDER BY partition`;
  return store.select(livenessMarks.columns, sql);
}

export interface PeerStatesQuery extends Span {
  readonly peer?: PeerId;
  /** @default 1000 */
  readonly limit?: number;
}

/** Newest first. */
export function peerStatesIn(store: Store, query: PeerStatesQuery): Promise<PeerStateRow[]> {
  const sql =
    `SELECT ${peerStateHistory.columnNames.join(', ')} FROM ${store.qualified('peer_states')} WHERE ${withinSpan}` +
    (query.peer === undefined ? '' : ` AND ${isPeer(query.peer)}`) +
    ' ORDER BY at DESC, peer_id LIMIT {limit:UInt32}';
  return store.select(peerStateHistory.columns, sql, { parameters: { ...spanOf(query), limit: query.limit ?? 1000 } });
}

/** In order of time; the newest `limit` of the span. */
export async function peerVitalsIn(store: Store, peer: PeerId, span: Span, limit = 5000): Promise<PeerVitalsRow[]> {
  const sql =
    `SELECT ${peerVitals.columnNames.join(', ')} FROM ${store.qualified('peer_vitals')} ` +
    `WHERE ${isPeer(peer)} AND ${withinSpan} ORDER BY at DESC LIMIT {limit:UInt32}`;
  const rows = await store.select(peerVitals.columns, sql, { parameters: { ...spanOf(span), limit } });
  return rows.toReversed();
}

const withinSpan = 'at >= fromUnixTimestamp64Milli({from:Int64}) AND at < fromUnixTimestamp64Milli({to:Int64})';

function spanOf(span: Span): { from: number; to: number } {
  return { from: Math.floor(span.fromMs), to: Math.ceil(span.toMs) };
}

function isPeer(peer: PeerId): string {
  return `peer_id = toFixedString(unhex('${Buffer.from(peerIdToBytes(peer)).toString('hex')}'), 32)`;
}
