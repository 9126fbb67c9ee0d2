/** Guards: who may use a route, decided before a byte of the body is read. */
import type { FastifyRequest } from 'fastify';
import { MeshwardError } from '#mesh/errors.ts';
import type { EnrolledPeer } from '#mesh/generated/events_pb.js';
import type { PeerId } from '#mesh/peer-id.ts';
import type { TokenBuckets } from '#mesh/token-bucket.ts';
import { Refusal } from './answers.ts';
import { identityOf } from './identity.ts';
import type { GatewayService } from './service.ts';

/** @throws MeshwardError `peer-unknown` where the caller showed no key. */
export function requireKey(request: FastifyRequest): PeerId {
  const identity = identityOf(request);
  if (identity !== null) return identity;
  throw new MeshwardError('peer-unknown', 'the caller showed no certificate', {
    next: "Connect with the peer's own key and certificate (mutual TLS).",
  });
}

/** As `requirePeer`, for the first look at a caller: one that is unknown here may have been enrolled elsewhere a moment ago. */
export async function admitPeer(service: GatewayService, request: FastifyRequest): Promise<PeerId> {
  const id = requireKey(request);
  if (service.enrolments.table.peer(id) === undefined) await service.enrolments.catchUp();
  requirePeer(service, request);
  service.connections.known(request.raw.socket);
  return id;
}

/** As `requireOperator`, for the first look at a caller. */
export async function admitOperator(service: GatewayService, request: FastifyRequest): Promise<PeerId> {
  const id = identityOf(request);
  if (id !== null && service.enrolments.table.operator(id) === undefined) await service.enrolments.catchUp();
  const operator = requireOperator(service, request);
  service.connections.known(request.raw.socket);
  return operator;
}

/** @throws MeshwardError `peer-unknown`, `peer-revoked`. */
export function requirePeer(
  service: GatewayService,
  request: FastifyRequest,
): { readonly id: PeerId; readonly peer: EnrolledPeer } {
  const id = requireKey(request);
  const peer = service.enrolments.table.peer(id)?.peer;
  if (peer === undefined) {
    throw new MeshwardError('peer-unknown', `the key ${id} is not enrolled`, {
      next: 'Ask an operator for a token (`meshward token`) and enrol with it.',
    });
  }
  if (peer.revoked) {
    throw new MeshwardError('peer-revoked', `the peer ${id} was revoked by an operator`, {
      next: 'Ask an operator to restore it (`meshward peer restore`).',
    });
  }
  return { id, peer };
}

/** @throws MeshwardError `operator-unknown`. */
export function requireOperator(service: GatewayService, request: FastifyRequest): PeerId {
  const id = identityOf(request);
  const operator = id === null ? undefined : service.enrolments.table.operator(id);
  if (id !== null && operator !== undefined && !operator.revoked) return id;
  throw new MeshwardError('operator-unknown', 'this is for operators, and the caller is not enrolled as one', {
    next: "Use the operator's key that `meshward up` made, or have this key enrolled as an operator.",
  });
}

/** @throws Refusal `peer-limit` with the time to wait. */
export function withinRate(rates: TokenBuckets, key: string, amount: number, what: string): void {
  const waitMs = rates.of(key).tryTake(amount);
  if (waitMs === 0) return;
  throw new Refusal(429, 'peer-limit', `more ${what} a second than one caller may send`, {
    next: 'Send the same again after the time that Retry-After names.',
    retryAfterMs: waitMs,
  });
}
