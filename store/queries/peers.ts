/** Peers now, and how their states changed. */
import type { PeerId } from '#mesh/peer-id.ts';
import type { Store } from '../client.ts';
import {
  type LivenessMarkRow,
  livenessMarks,
  type PeerLifeRow,
  type PeerRow,
  type PeerStateRow,
  peerLives,
  peerStateHistory,
  peers,
} from '../tables.ts';
import type { Span } from './level.ts';
import { isPeer } from './vitals.ts';

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

const withinSpan = 'at >= fromUnixTimestamp64Milli({from:Int64}) AND at < fromUnixTimestamp64Milli({to:Int64})';

function spanOf(span: Span): { from: number; to: number } {
  return { from: Math.floor(span.fromMs), to: Math.ceil(span.toMs) };
}
