/** The page logs in: a form that exchanges an access token for the cookie of a session. It works without scripts. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type {} from '@fastify/swagger';
import { serialize } from 'cookie';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Clock } from '#mesh/clock.ts';
import { addressOf, sessionCookie } from '../callers.ts';
import type { DenialReason } from '../denials.ts';
import { callerOf, type Guard } from '../guard.ts';
import type { Sessions } from '../sessions.ts';
import { checkToken, type TokenRecord } from '../tokens.ts';

export interface LoginOptions {
  readonly guard: Guard;
  readonly tokens: () => ReadonlyMap<string, TokenRecord>;
  readonly sessions: Sessions;
  readonly sessionMs: number;
  /** Whether browsers reach it over TLS, here or at a proxy: then the cookie goes no other way. */
  readonly isSecure: boolean;
  readonly clock: Clock;
}

const maxFormBytes = 4096;
/** Of one address. */
const triesPerMinute = 20;
const minuteMs = 60_000;

export async function loginRoutes(app: FastifyInstance, options: LoginOptions): Promise<void> {
  const { guard, tokens, sessions, sessionMs, isSecure, clock } = options;
  const form = await readFile(new URL('./login.html', import.meta.url), 'utf8');
  const style = createHash('sha256')
    .update(/<style>([^]*)<\/style>/.exec(form)?.[1] ?? '')
    .digest('base64');
  const policy = `default-src 'none'; style-src 'sha256-${style}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`;
  const limit = app.createRateLimit({
    max: triesPerMinute,
    timeWindow: minuteMs,
    keyGenerator: (request) => `login ${addressOf(request)}`,
  });
  const show = (reply: FastifyReply, status: number, from: string, said: string): FastifyReply =>
    reply
      .code(status)
      .header('content-type', 'text/html; charset=utf-8')
      .header('content-security-policy', policy)
      .header('x-content-type-options', 'nosniff')
      .header('referrer-policy', 'no-referrer')
      .header('cache-control', 'no-store')
      .send(form.replace('{{from}}', () => escapeHtml(pathOf(from))).replace('{{said}}', () => escapeHtml(said)));
  const setCookie = (reply: FastifyReply, value: string, maxAge: number): void => {
    const cookie = serialize(sessionCookie, value, {
      path: '/',
      httpOnly: true,
      sameSite: 'lax',
      secure: isSecure,
      maxAge,
    });
    reply.header('set-cookie', cookie);
  };

  await app.register(async (scope) => {
    scope.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string', bodyLimit: maxFormBytes },
      (_request, body, done) => done(null, Object.fromEntries(new URLSearchParams(String(body)))),
    );

    scope.get<{ Querystring: { from?: unknown } }>(
      '/login',
      { schema: { hide: true }, config: { access: 'everybody' } },
      (request, reply) => show(reply, 200, textOf(request.query.from), ''),
    );

    scope.post<{ Body: { token?: unknown; from?: unknown } | null }>(
      '/login',
      { schema: { hide: true }, config: { access: 'everybody' }, bodyLimit: maxFormBytes },
      async (request, reply) => {
        const from = textOf(request.body?.from);
        const rate = await limit(request);
        if (!rate.isAllowed && rate.isExceeded) {
          guard.audit(request, 'rate', null);
          reply.header('retry-after', String(rate.ttlInSeconds));
          return show(reply, 429, from, 'Too many tries. Wait a minute.');
        }
        const nowMs = clock.nowMs();
        const answer = checkToken(textOf(request.body?.token).trim(), tokens(), nowMs);
        if (answer.kind !== 'good') {
          guard.audit(request, answer.kind, null);
          return show(reply, 401, from, saidOf(answer.kind));
        }
        const { id, expiresAtMs } = answer.record;
        const endsAtMs = Math.min(nowMs + sessionMs, expiresAtMs);
        setCookie(reply, sessions.write({ tokenId: id, endsAtMs }), Math.floor((endsAtMs - nowMs) / 1000));
        return reply.redirect(pathOf(from), 303);
      },
    );

    scope.post('/logout', { schema: { hide: true }, config: { access: 'everybody' } }, async (_request, reply) => {
      setCookie(reply, '', 0);
      return reply.redirect('/login', 303);
    });

    scope.get('/v1/access/caller', { schema: { summary: 'Who you are here, and until when' } }, (request) => {
      const caller = callerOf(request);
      return { name: caller?.name, role: caller?.role, by: caller?.by, endsAtMs: caller?.endsAtMs ?? null };
    });
  });
}

function saidOf(reason: DenialReason): string {
  if (reason === 'expired-token') return 'This token has expired.';
  return reason === 'revoked-token' ? 'This token was revoked.' : 'This is no token that is known here.';
}

/** Only to an address of this server: anything else is the page. */
function pathOf(from: string): string {
  return /^\/(?![/\\])[^\\\s]{0,500}$/.test(from) ? from : '/';
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
