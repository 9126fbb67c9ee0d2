/**
 * The records of the compacted topic `enrolments` (one partition), which is all that collectors share.
 *
 *   key                                   value           meaning
 *   peer id (32 bytes)                    EnrolledPeer    who may post; what its settings are
 *   "operator:" + id (9 + 32 bytes)       EnrolledOperator
 *   "token:" + hash (6 + 32 bytes)        EnrolmentToken  a token was made
 *   "token:" + hash + nonce (6 + 32 + 16) EnrolmentToken  a claim: `used_by_peer_id` wants to use it
 *
 * A token is used by the claim that stands first in the log. Each claim has a key of its own, so that compaction, which
 * keeps the newest record of a key, can never put a later claim in the place of the first.
 */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import type { AppendRecord } from '#log/port.ts';
import { type EnrolledPeer, EnrolmentSchema, type EnrolmentToken } from '#mesh/generated/events_pb.js';
import { type PeerId, peerIdBytes, peerIdFromBytes, peerIdToBytes } from '#mesh/peer-id.ts';

export type EnrolmentKey =
  | { readonly kind: 'peer'; readonly peerId: PeerId }
  | { readonly kind: 'operator'; readonly operatorId: PeerId }
  | { readonly kind: 'token'; readonly tokenHash: string }
  | { readonly kind: 'claim'; readonly tokenHash: string; readonly nonce: string };

const tokenPrefix = new TextEncoder().encode('token:');
const operatorPrefix = new TextEncoder().encode('operator:');
const hashBytes = 32;
export const nonceBytes = 16;

/** Names the offset of the peer's record that a change was made from, so that changes which crossed are noticed. */
export const baseOffsetHeader = 'meshward-base-offset';

/** What a key names, or null where it is of no known kind. */
export function parseEnrolmentKey(key: Uint8Array): EnrolmentKey | null {
  if (key.length === peerIdBytes) return { kind: 'peer', peerId: peerIdFromBytes(key) };
  if (startsWith(key, operatorPrefix) && key.length === operatorPrefix.length + peerIdBytes) {
    return { kind: 'operator', operatorId: peerIdFromBytes(key.subarray(operatorPrefix.length)) };
  }
  if (!startsWith(key, tokenPrefix)) return null;
  const tokenHash = Buffer.from(key.subarray(tokenPrefix.length, tokenPrefix.length + hashBytes)).toString('hex');
  const nonce = Buffer.from(key.subarray(tokenPrefix.length + hashBytes)).toString('hex');
  if (key.length === tokenPrefix.length + hashBytes) return { kind: 'token', tokenHash };
  if (key.length === tokenPrefix.length + hashBytes + nonceBytes) return { kind: 'claim', tokenHash, nonce };
  return null;
}

export function peerRecord(peer: EnrolledPeer, baseOffset: number): AppendRecord {
  return {
    ...record(peer.peerId, { body: { case: 'peer', value: peer } }),
    headers: { [baseOffsetHeader]: String(baseOffset) },
  };
}

export function operatorRecord(operatorId: PeerId, name: string, revoked: boolean): AppendRecord {
  const id = peerIdToBytes(operatorId);
  return record(Buffer.concat([operatorPrefix, id]), {
    body: { case: 'operator', value: { operatorId: id, name, revoked } },
  });
}

export function tokenRecord(token: EnrolmentToken): AppendRecord {
  return record(tokenKey(token.tokenSha256), { body: { case: 'token', value: token } });
}

export function claimRecord(token: EnrolmentToken, peer: PeerId, nonce: Uint8Array): AppendRecord {
  return record(tokenKey(token.tokenSha256, nonce), {
    body: { case: 'token', value: { ...token, usedByPeerId: peerIdToBytes(peer) } },
  });
}

/** A tombstone for a token (no nonce) or for one claim of it. */
export function tokenTombstone(tokenSha256: Uint8Array, nonce?: Uint8Array): AppendRecord {
  return { partition: 0, key: tokenKey(tokenSha256, nonce), value: null };
}

function tokenKey(hash: Uint8Array, nonce: Uint8Array = new Uint8Array()): Uint8Array {
  return Buffer.concat([tokenPrefix, hash, nonce]);
}

function record(key: Uint8Array, value: MessageInitShape<typeof EnrolmentSchema>): AppendRecord {
  return { partition: 0, key: new Uint8Array(key), value: toBinary(EnrolmentSchema, create(EnrolmentSchema, value)) };
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return bytes.length >= prefix.length && Buffer.compare(bytes.subarray(0, prefix.length), prefix) === 0;
}
