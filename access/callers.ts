/** Who asks: by a token in the header, by the cookie of a login, or by the word of a proxy that is named. */
import type { BlockList } from 'node:net';
import { isIP } from 'node:net';
import { parse as parseCookies } from 'cookie';
import type { FastifyRequest } from 'fastify';
import { addressList } from '#mesh/config/access-keys.ts';
import type { Config } from '#mesh/config/schema.ts';
import { mayActAs, type Role } from '#mesh/role.ts';
import type { DenialReason } from './denials.ts';
import type { Sessions } from './sessions.ts';
import { checkToken, stateOf, type TokenRecord } from './tokens.ts';

export interface Caller {
  /** Of its rate: the id of a token, or a person that a proxy names. */
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly by: 'token' | 'session' | 'proxy';
  /** Null for whom a proxy vouches. */
  readonly endsAtMs: number | null;
}

export type Found = { readonly caller: Caller } | { readonly denied: DenialReason; readonly who: string | null };

export const sessionCookie = 'meshward_session';

export class Callers {
  readonly #config: Config['access'];
  readonly #proxies: BlockList;
  readonly #tokens: () => ReadonlyMap<string, TokenRecord>;
  readonly #sessions: Sessions;

  constructor(config: Config['access'], tokens: () => ReadonlyMap<string, TokenRecord>, sessions: Sessions) {
    this.#config = config;
    this.#proxies = addressList(config.trustedProxies) as BlockList;
    this.#tokens = tokens;
    this.#sessions = sessions;
  }

  find(request: FastifyRequest, nowMs: number): Found {
    const { authorization, cookie } = request.headers;
    if (authorization !== undefined) return this.#byToken(/^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? '', nowMs);
    const user = request.headers[this.#config.proxyUserHeader];
    if (typeof user === 'string' && user !== '' && this.isTrustedProxy(request)) return this.#byProxy(request, user);
    const session = cookie === undefined ? undefined : parseCookies(cookie)[sessionCookie];
    return session === undefined ? { denied: 'no-credential', who: null } : this.#bySession(session, request, nowMs);
  }

  /** By the address of the connection: what headers say of it, anybody can say. */
  isTrustedProxy(request: FastifyRequest): boolean {
    const address = addressOf(request);
    const version = isIP(address);
    return version !== 0 && this.#proxies.check(address, version === 6 ? 'ipv6' : 'ipv4');
  }

  /** Whether one that was let in would be let in now. Null: yes. */
  endOf({ id, by, endsAtMs }: Caller, nowMs: number): DenialReason | null {
    if (by === 'proxy') return null;
    const record = this.#tokens().get(id);
    if (record === undefined) return 'unknown-token';
    if (by === 'session' && endsAtMs !== null && nowMs >= endsAtMs) return 'expired-session';
    const { kind } = stateOf(record, nowMs);
    return kind === 'good' ? null : kind;
  }

  #byToken(token: string, nowMs: number): Found {
    const answer = checkToken(token, this.#tokens(), nowMs);
    if (answer.kind !== 'good') return { denied: answer.kind, who: null };
    const { id, name, role, expiresAtMs } = answer.record;
    return { caller: { id, name, role, by: 'token', endsAtMs: expiresAtMs } };
  }

  #bySession(text: string, request: FastifyRequest, nowMs: number): Found {
    const session = this.#sessions.read(text);
    const record = session === null ? undefined : this.#tokens().get(session.tokenId);
    if (session === null || record === undefined) return { denied: 'unknown-session', who: null };
    const { id, name, role } = record;
    if (nowMs >= session.endsAtMs) return { denied: 'expired-session', who: name };
    const state = stateOf(record, nowMs).kind;
    if (state !== 'good') return { denied: state, who: name };
    if (!isOwnOrigin(request)) return { denied: 'foreign-origin', who: name };
    return { caller: { id, name, role, by: 'session', endsAtMs: session.endsAtMs } };
  }

  #byProxy(request: FastifyRequest, user: string): Found {
    const name = printable(user);
    const said = request.headers[this.#config.proxyGroupsHeader];
    const groups = new Set((typeof said === 'string' ? said : '').split(',').map((group) => group.trim()));
    const held = this.#config.proxyRoles.filter(({ group }) => groups.has(group)).map(({ role }) => role);
    const role = held.reduce<Role | null>((best, each) => (best !== null && mayActAs(best, each) ? best : each), null);
    if (role === null) return { denied: 'no-group', who: name };
    return { caller: { id: `proxy ${name}`, name, role, by: 'proxy', endsAtMs: null } };
  }
}

/** Of the connection; an IPv4 address is written as such however it came. */
export function addressOf(request: FastifyRequest): string {
  return (request.socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/i, '');
}

/** Browsers send cookies with what other sites start, and say so. */
function isOwnOrigin({ method, headers }: FastifyRequest): boolean {
  if (method === 'GET' || method === 'HEAD' || headers.origin === undefined) return true;
  return URL.parse(headers.origin)?.host === headers.host;
}

function printable(text: string): string {
  return text.replaceAll(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, '?').slice(0, 100);
}
