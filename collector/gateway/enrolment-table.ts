/** Who may speak, as the enrolments topic says up to a known offset. A pure fold over the log: every gateway comes to the same table. */
import { fromBinary } from '@bufbuild/protobuf';
import type { LogRecord } from '#log/port.ts';
import {
  type EnrolledOperator,
  type EnrolledPeer,
  EnrolmentSchema,
  type EnrolmentToken,
} from '#mesh/generated/events_pb.js';
import { type PeerId, peerIdFromBytes } from '#mesh/peer-id.ts';
import { baseOffsetHeader, parseEnrolmentKey } from './enrolment-records.ts';

export interface PeerEntry {
  readonly peer: EnrolledPeer;
  readonly offset: number;
  /** What stood there before: a change made from something else than that has crossed another change. */
  readonly before: { readonly peer: EnrolledPeer; readonly offset: number } | null;
}

export interface TokenClaim {
  readonly peerId: PeerId;
  readonly nonce: string;
  readonly offset: number;
}

export class EnrolmentTable {
  readonly #peers = new Map<PeerId, PeerEntry>();
  readonly #operators = new Map<PeerId, EnrolledOperator>();
  readonly #tokens = new Map<string, EnrolmentToken>();
  /** In the order of the log: the first one has the token. */
  readonly #claims = new Map<string, readonly TokenClaim[]>();
  #nextOffset = 0;
  #unreadable = 0;
  #revoked = 0;

  /** The first offset that has not been applied. */
  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** Records that could not be read and were passed over. */
  get unreadable(): number {
    return this.#unreadable;
  }

  get counts(): { readonly enrolled: number; readonly revoked: number } {
    return { enrolled: this.#peers.size - this.#revoked, revoked: this.#revoked };
  }

  peer(id: PeerId): PeerEntry | undefined {
    return this.#peers.get(id);
  }

  *peers(): Iterable<EnrolledPeer> {
    for (const entry of this.#peers.values()) yield entry.peer;
  }

  operator(id: PeerId): EnrolledOperator | undefined {
    return this.#operators.get(id);
  }

  *operators(): Iterable<{ readonly operatorId: PeerId; readonly name: string; readonly revoked: boolean }> {
    for (const [operatorId, { name, revoked }] of this.#operators) yield { operatorId, name, revoked };
  }

  token(hash: string): EnrolmentToken | undefined {
    return this.#tokens.get(hash);
  }

  get tokenCount(): number {
    return this.#tokens.size;
  }

  tokens(): Iterable<EnrolmentToken> {
    return this.#tokens.values();
  }

  claims(hash: string): readonly TokenClaim[] {
    return this.#claims.get(hash) ?? [];
  }

  /** Everything below this offset that the log still holds has been applied; what is missing was compacted away. */
  caughtUpTo(nextOffset: number): void {
    this.#nextOffset = Math.max(this.#nextOffset, nextOffset);
  }

  apply(record: LogRecord): void {
    if (record.offset < this.#nextOffset) return;
    this.#nextOffset = record.offset + 1;
    const key = record.key === null ? null : parseEnrolmentKey(record.key);
    const value = readValue(record.value);
    if (key === null || value === 'unreadable') {
      this.#unreadable += 1;
      return;
    }
    switch (key.kind) {
      case 'peer':
        this.#applyPeer(key.peerId, value?.case === 'peer' ? value.value : null, record);
        break;
      case 'operator':
        if (value?.case === 'operator') this.#operators.set(key.operatorId, value.value);
        else this.#operators.delete(key.operatorId);
        break;
      case 'token':
        if (value?.case === 'token') this.#tokens.set(key.tokenHash, value.value);
        else this.#tokens.delete(key.tokenHash);
        break;
      case 'claim':
        this.#applyClaim(key.tokenHash, key.nonce, value?.case === 'token' ? value.value : null, record.offset);
        break;
    }
  }

  #applyPeer(id: PeerId, said: EnrolledPeer | null, record: LogRecord): void {
    const current = this.#peers.get(id);
    if (current?.peer.revoked === true) this.#revoked -= 1;
    if (said === null) {
      this.#peers.delete(id);
      return;
    }
    const base = Number(record.headers[baseOffsetHeader] ?? Number.POSITIVE_INFINITY);
    // Whoever wrote this had not seen the record that stands here. It will notice and write anew; until then the one thing
    // that must not be undone by accident is a revocation.
    const crossed = current !== undefined && base < current.offset;
    const revoked = said.revoked || (crossed && current.peer.revoked);
    const peer =
      revoked === said.revoked ? said : { ...said, revoked, revokedReason: (current as PeerEntry).peer.revokedReason };
    const before = current === undefined ? null : { peer: current.peer, offset: current.offset };
    this.#peers.set(id, { peer, offset: record.offset, before });
    if (revoked) this.#revoked += 1;
  }

  #applyClaim(hash: string, nonce: string, said: EnrolmentToken | null, offset: number): void {
    const others = this.claims(hash).filter((claim) => claim.nonce !== nonce);
    if (said === null || said.usedByPeerId.length !== 32) {
      if (others.length === 0) this.#claims.delete(hash);
      else this.#claims.set(hash, others);
      return;
    }
    this.#claims.set(hash, [...others, { peerId: peerIdFromBytes(said.usedByPeerId), nonce, offset }]);
  }
}

function readValue(bytes: Uint8Array | null) {
  if (bytes === null) return null;
  try {
    const { body } = fromBinary(EnrolmentSchema, bytes);
    return body.case === undefined ? 'unreadable' : body;
  } catch {
    return 'unreadable';
  }
}
