/** One-time tokens: made by an operator, used by the first peer whose claim stands in the log. */
import { createHash, randomBytes } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import type { EventLog } from '#log/port.ts';
import type { Clock } from '#mesh/clock.ts';
import { configSchema } from '#mesh/config/schema.ts';
import { MeshwardError } from '#mesh/errors.ts';
import {
  type EnrolledPeer,
  EnrolledPeerSchema,
  type EnrolmentToken,
  EnrolmentTokenSchema,
  type PeerSettings,
  PeerSettingsSchema,
} from '#mesh/generated/events_pb.js';
import { type PeerId, peerIdFromBytes, peerIdToBytes } from '#mesh/peer-id.ts';
import type { Topics } from '#mesh/topics.ts';
import { type Nurl, parseNurl } from '#tahoe/identity/nurl.ts';
import { claimRecord, nonceBytes, operatorRecord, tokenRecord, tokenTombstone } from './enrolment-records.ts';
import type { Enrolments } from './enrolments.ts';

export interface TokenRequest {
  /** Failure domains that the token binds its peer to, over what the peer says. */
  readonly domains?: Readonly<Record<string, string>>;
  readonly lifetimeMs: number;
  /** A replaced machine takes over this peer's settings and domains. */
  readonly replacesPeerId?: PeerId | undefined;
}

export interface CreatedToken {
  /** A secret, and told this once: the log holds its hash only. */
  readonly token: string;
  readonly expiresAtMs: number;
}

export interface EnrolRequest {
  readonly token: string;
  readonly name: string;
  readonly domains: Readonly<Record<string, string>>;
  /** Holds the swissnum: a secret. */
  readonly nurl: string;
  readonly capacityBytes: number;
}

/** How long a token is remembered after it has expired, so that its peer may repeat its enrolment. */
const keepExpiredMs = 7 * 24 * 3_600_000;

/** Makes a token and writes its hash into the log. Needs no gateway: for who has the log (`meshward up`). */
export async function createToken(
  log: Pick<EventLog, 'append'>,
  topics: Topics,
  clock: Clock,
  request: TokenRequest,
): Promise<CreatedToken> {
  const token = `mwt_${randomBytes(32).toString('base64url')}`;
  const nowMs = clock.nowMs();
  const expiresAtMs = nowMs + request.lifetimeMs;
  const message = create(EnrolmentTokenSchema, {
    tokenSha256: hashOf(token),
    domains: { ...request.domains },
    createdAtMs: BigInt(nowMs),
    expiresAtMs: BigInt(expiresAtMs),
    replacesPeerId: request.replacesPeerId === undefined ? new Uint8Array() : peerIdToBytes(request.replacesPeerId),
  });
  await log.append(topics.enrolments.name, [tokenRecord(message)]);
  return { token, expiresAtMs };
}

/** Enrols an operator, or takes back a revocation. Needs no gateway: this is how the first operator comes to be. */
export async function enrolOperator(
  log: Pick<EventLog, 'append'>,
  topics: Topics,
  operatorId: PeerId,
  name: string,
): Promise<void> {
  await log.append(topics.enrolments.name, [operatorRecord(operatorId, name, false)]);
}

/** From now on this operator is refused by every gateway. */
export async function revokeOperator(
  log: Pick<EventLog, 'append'>,
  topics: Topics,
  operatorId: PeerId,
  name: string,
): Promise<void> {
  await log.append(topics.enrolments.name, [operatorRecord(operatorId, name, true)]);
}

/**
 * Enrols the caller. The same peer may repeat this with the same token: nothing changes but what it says of itself.
 * @throws MeshwardError `token-invalid` (one message for every reason), `peer-impersonation`, `peer-revoked`, `bad-input`.
 */
export async function enrolPeer(
  enrolments: Enrolments,
  clock: Clock,
  caller: PeerId,
  request: EnrolRequest,
): Promise<EnrolledPeer> {
  const nurl = ownNurl(request.nurl, caller);
  const hash = hashOf(request.token);
  if (enrolments.table.token(hash.toString('hex')) === undefined) await enrolments.catchUp();
  const token = enrolments.table.token(hash.toString('hex'));
  if (token === undefined) throw tokenInvalid();
  const repeated = await takeToken(enrolments, clock, token, caller);
  const replaced =
    token.replacesPeerId.length === 32 ? enrolments.table.peer(peerIdFromBytes(token.replacesPeerId))?.peer : undefined;
  const peer = await enrolments.changePeer(caller, (current) => {
    if (current?.revoked === true) return null;
    const bound = repeated && current !== undefined ? current.domains : { ...replaced?.domains, ...token.domains };
    const said = {
      peerId: peerIdToBytes(caller),
      name: request.name,
      domains: { ...request.domains, ...bound },
      nurl: nurl.revealText(),
      enrolledAtMs: current?.enrolledAtMs ?? BigInt(clock.nowMs()),
      settings: current?.settings ?? replaced?.settings ?? firstSettings(),
      capacityBytes: BigInt(request.capacityBytes),
    };
    // What a newer release has written of the peer stays.
    return create(EnrolledPeerSchema, current === undefined ? said : { ...current, ...said });
  });
  if (peer === undefined || peer.revoked) {
    throw new MeshwardError('peer-revoked', 'this key was revoked by an operator', {
      next: 'Ask an operator to restore it, or enrol with a new key.',
    });
  }
  return peer;
}

/**
 * The caller's shares are served elsewhere than before, or under another secret.
 * @returns whether that was news. @throws MeshwardError `peer-impersonation`, `peer-revoked`, `bad-input`.
 */
export async function changeAddress(enrolments: Enrolments, caller: PeerId, text: string): Promise<boolean> {
  const nurl = ownNurl(text, caller).revealText();
  let isNews = false;
  await enrolments.changePeer(caller, (current) => {
    isNews = current !== undefined && !current.revoked && current.nurl !== nurl;
    return isNews ? create(EnrolledPeerSchema, { ...(current as EnrolledPeer), nurl }) : null;
  });
  return isNews;
}

function ownNurl(text: string, caller: PeerId): Nurl {
  const nurl = parseNurl(text);
  if (nurl.peerId === caller) return nurl;
  throw new MeshwardError('peer-impersonation', "the pin of the NURL is not the caller's own key", {
    next: 'Enrol with the key that serves the shares.',
  });
}

/**
 * Makes the token the caller's: its claim must be the first one in the log, whichever gateway wrote it.
 * @returns whether the caller had it already.
 */
async function takeToken(
  enrolments: Enrolments,
  clock: Clock,
  token: EnrolmentToken,
  caller: PeerId,
): Promise<boolean> {
  const hash = Buffer.from(token.tokenSha256).toString('hex');
  const [holder] = enrolments.table.claims(hash);
  if (holder !== undefined) {
    if (holder.peerId !== caller) throw tokenInvalid();
    return true;
  }
  if (clock.nowMs() >= Number(token.expiresAtMs)) throw tokenInvalid();
  await enrolments.append([claimRecord(token, caller, randomBytes(nonceBytes))]);
  const [winner] = enrolments.table.claims(hash);
  if (winner?.peerId !== caller) throw tokenInvalid();
  return false;
}

/** Tombstones for tokens that expired long ago; the token goes before its claims, so that it cannot come back to life. */
export async function forgetExpiredTokens(enrolments: Enrolments, clock: Clock): Promise<number> {
  const before = clock.nowMs() - keepExpiredMs;
  const expired = [...enrolments.table.tokens()].filter((token) => Number(token.expiresAtMs) < before);
  for (const token of expired) {
    const claims = enrolments.table.claims(Buffer.from(token.tokenSha256).toString('hex'));
    await enrolments.append([tokenTombstone(token.tokenSha256)]);
    if (claims.length === 0) continue;
    await enrolments.append(claims.map((claim) => tokenTombstone(token.tokenSha256, Buffer.from(claim.nonce, 'hex'))));
  }
  return expired.length;
}

/** The settings of a peer that was never told others: the defaults of the configuration. */
function firstSettings(): PeerSettings {
  const agent = configSchema.shape.agent.parse({});
  return create(PeerSettingsSchema, {
    heartbeatMs: agent.heartbeatMs,
    inventoryIntervalS: Math.round(agent.inventoryIntervalMs / 1000),
    verifyBytesPerSecond: BigInt(agent.verifyBytesPerSecond),
    serveBytesPerSecond: 0n,
    version: 1n,
  });
}

/** Tokens are looked up by their hash: what time a look-up takes says nothing about the token. */
function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function tokenInvalid(): MeshwardError {
  return new MeshwardError('token-invalid', 'this enrolment token cannot be used', {
    next: 'Ask an operator for a new one (`meshward token`): a token is good once and for a limited time.',
  });
}
