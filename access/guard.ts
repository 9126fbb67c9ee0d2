/** Stands before every route: who asks, whether that role may, and how often. Decided before a byte of a body is read. */
import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { toApiError } from '#mesh/api-error.ts';
import type { Clock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { mayActAs, type Role } from '#mesh/role.ts';
import { addressOf, type Caller, type Callers } from './callers.ts';
import type { DenialReason, Denials } from './denials.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may use the route. @default viewer for what only reads, operator for all else */
    access?: Role | 'everybody';
  }
}

export interface GuardOptions {
  readonly callers: Callers;
  readonly denials: Denials;
  readonly requestsPerMinute: number;
  readonly clock: Clock;
}

/** Callers and addresses whose rate is remembered; with more, the one not seen for longest is forgotten. */
const maxRemembered = 10_000;
const minuteMs = 60_000;
/** Of one address: whoever mistypes a token is not locked out, and who tries many is slowed. */
const denialsPerMinute = 60;
const lookEveryMs = 1000;

const callerOfRequest = new WeakMap<FastifyRequest, Caller>();

/** Who asks, on a route that is guarded. */
export function callerOf(request: FastifyRequest): Caller | null {
  return callerOfRequest.get(request) ?? null;
}

export class Guard {
  readonly #options: GuardOptions;
  /** Answers under way, streams among them: who is let in no more loses them too. */
  readonly #underWay = new Map<FastifyReply['raw'], { readonly caller: Caller; readonly request: FastifyRequest }>();
  #callOff: () => void = () => undefined;

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** Call it before routes are added. */
  async protect(app: FastifyInstance): Promise<void> {
    const { callers, requestsPerMinute, clock } = this.#options;
    await app.register(rateLimit, { global: false, cache: maxRemembered });
    const keyGenerator = (request: FastifyRequest): string => callerOf(request)?.id ?? `address ${addressOf(request)}`;
    const ofCaller = app.createRateLimit({ max: requestsPerMinute, timeWindow: minuteMs, keyGenerator });
    const ofDenied = app.createRateLimit({ max: denialsPerMinute, timeWindow: minuteMs, keyGenerator });

    app.addHook('onRequest', async (request, reply) => {
      const needed = request.routeOptions.config.access ?? (isReading(request) ? 'viewer' : 'operator');
      if (needed === 'everybody') return;
      const found = callers.find(request, clock.nowMs());
      if ('denied' in found) {
        const limit = await ofDenied(request);
        if (limit.isAllowed || !limit.isExceeded) return this.#deny(request, reply, found.denied, found.who);
        return this.#slow(request, reply, found.who, limit.ttlInSeconds);
      }
      callerOfRequest.set(request, found.caller);
      const limit = await ofCaller(request);
      if (!limit.isAllowed && limit.isExceeded) {
        return this.#slow(request, reply, found.caller.name, limit.ttlInSeconds);
      }
      if (!mayActAs(found.caller.role, needed)) return this.#refuse(request, reply, found.caller, needed);
      this.#underWay.set(reply.raw, { caller: found.caller, request });
      reply.raw.once('close', () => this.#underWay.delete(reply.raw));
      return undefined;
    });
    app.addHook('onClose', async () => this.#callOff());
    this.#look();
  }

  /** For routes that let in themselves, such as the login. */
  audit(request: FastifyRequest, reason: DenialReason, caller: string | null): void {
    const { method, routeOptions } = request;
    const route = routeOptions.url ?? '(none)';
    this.#options.denials.add({ address: addressOf(request), method, route, reason, caller });
  }

  #look(): void {
    const { callers, clock } = this.#options;
    this.#callOff = clock.after(lookEveryMs, () => {
      const nowMs = clock.nowMs();
      for (const [raw, { caller, request }] of this.#underWay) {
        const reason = callers.endOf(caller, nowMs);
        if (reason === null) continue;
        this.audit(request, reason, caller.name);
        raw.destroy();
      }
      this.#look();
    });
  }

  #deny(request: FastifyRequest, reply: FastifyReply, reason: DenialReason, who: string | null): FastifyReply {
    this.audit(request, reason, who);
    if (request.method === 'GET' && (request.headers.accept ?? '').includes('text/html')) {
      const from = request.url.split('?', 1)[0] as string;
      return reply.redirect(from === '/' ? '/login' : `/login?from=${encodeURIComponent(from)}`, 303);
    }
    const error = new MeshwardError('access-unknown', wordsOf(reason), {
      next: 'Send a token that is good as `Authorization: Bearer TOKEN`; commands read it from access.apiTokenFile. `meshward access create` makes one.',
    });
    return reply.code(401).header('www-authenticate', 'Bearer realm="meshward"').send(toApiError(error));
  }

  #refuse(request: FastifyRequest, reply: FastifyReply, caller: Caller, needed: Role): FastifyReply {
    this.audit(request, 'role', caller.name);
    const error = new MeshwardError(
      'access-refused',
      `this is for the role ${needed}, and the caller is ${caller.role}`,
      {
        next: `Use a token of the role ${needed}: \`meshward access create --role ${needed}\`.`,
      },
    );
    return reply.code(403).send(toApiError(error));
  }

  #slow(request: FastifyRequest, reply: FastifyReply, who: string | null, waitSeconds: number): FastifyReply {
    this.audit(request, 'rate', who);
    const error = new MeshwardError('access-limited', 'more requests a minute than one caller may send', {
      next: 'Ask again after the time that Retry-After names; access.requestsPerMinute is the limit.',
      retryable: true,
    });
    return reply.code(429).header('retry-after', String(waitSeconds)).send(toApiError(error));
  }
}

function isReading({ method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** Who has shown a good secret is told what became of it; anybody else is told no more than that it is not good. */
function wordsOf(reason: DenialReason): string {
  return words[reason] ?? 'the access token is not one that is known here';
}

const words: Readonly<Partial<Record<DenialReason, string>>> = {
  'no-credential': 'the caller has shown no access token',
  'expired-token': 'the access token has expired',
  'revoked-token': 'the access token was revoked',
  'expired-session': 'the login has ended',
  'no-group': 'no group of the caller has a role here',
  'foreign-origin': 'the request was started by another site',
};
