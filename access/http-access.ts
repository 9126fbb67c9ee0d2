/** What an HTTP server of ours is put behind. On loopback without access nothing is: there everything stays open as it is. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Meter } from '@opentelemetry/api';
import type { FastifyInstance, FastifyServerFactory } from 'fastify';
import type { Clock } from '#mesh/clock.ts';
import { isAccessAsked } from '#mesh/config/access-keys.ts';
import type { Config } from '#mesh/config/schema.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import { isLoopback } from '#mesh/loopback.ts';
import { Callers } from './callers.ts';
import { denialRoutes } from './denial-routes.ts';
import { Denials } from './denials.ts';
import { Guard } from './guard.ts';
import { loginRoutes } from './login/login-routes.ts';
import { Sessions } from './sessions.ts';
import { protectedServer } from './tls-server.ts';
import { parseTokenFile } from './token-file.ts';
import { type TokenRecord } from './tokens.ts';
import { watchFiles } from './watched-file.ts';

export interface HttpAccess {
  /** For `fastify()`. */
  readonly server: { readonly serverFactory?: FastifyServerFactory };
  readonly scheme: 'http' | 'https';
  /** Call it before routes are added. */
  protect(app: FastifyInstance): Promise<void>;
  /** After the server is closed. */
  close(): void;
}

export const openToAll: HttpAccess = {
  server: {},
  scheme: 'http',
  protect: async () => undefined,
  close: () => undefined,
};

export interface HttpAccessOptions {
  readonly config: Config['access'];
  /** Where it listens. */
  readonly place: { readonly host: string; readonly tlsCertFile: string; readonly tlsKeyFile: string };
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
}

const fewestKeyBytes = 32;

/** @throws MeshwardError `config-invalid` where a file that is named cannot be used. */
export function openHttpAccess({ config, place, clock, logger, meter }: HttpAccessOptions): HttpAccess {
  const hasTls = place.tlsCertFile !== '';
  const isGuarded = isAccessAsked(config);
  if (!hasTls && !isGuarded) return openToAll;
  const files = hasTls ? { certFile: place.tlsCertFile, keyFile: place.tlsKeyFile } : null;
  const server = protectedServer(files, clock, logger);
  const scheme = hasTls ? 'https' : 'http';
  if (!isGuarded) {
    return { server, scheme, protect: async () => undefined, close: () => server.close() };
  }
  const tokens = watchTokens(config.tokensFile, clock, logger, meter);
  const sessions = new Sessions(sessionKey(config.sessionKeyFile));
  const callers = new Callers(config, tokens.current, sessions);
  const denials = new Denials(clock, logger, meter);
  const { requestsPerMinute, sessionMs } = config;
  return {
    server,
    scheme,
    async protect(app) {
      const guard = new Guard({ callers, denials, requestsPerMinute, clock });
      await guard.protect(app);
      const isSecure = hasTls || !isLoopback(place.host);
      await loginRoutes(app, { guard, tokens: tokens.current, sessions, sessionMs, isSecure, clock });
      denialRoutes(app, denials);
    },
    close() {
      tokens.close();
      server.close();
    },
  };
}

interface WatchedTokens {
  readonly current: () => ReadonlyMap<string, TokenRecord>;
  close(): void;
}

function watchTokens(path: string, clock: Clock, logger: Logger, meter: Meter): WatchedTokens {
  if (path === '') {
    observeStaleTokens(meter, () => false);
    return { current: () => new Map(), close: () => undefined };
  }
  const watched = watchFiles({
    paths: [path],
    parse: ([text = '']) => new Map(parseTokenFile(text, path).map((record) => [record.id, record])),
    clock,
    onChange: (records) => logger.info({ tokens: records.size }, 'the access tokens were read again'),
    onFault: (reason) =>
      logger.error({ reason }, 'the access tokens cannot be read again; those that were read before stay in force'),
  });
  observeStaleTokens(meter, () => watched.isFaulty);
  return { current: () => watched.value, close: () => watched.close() };
}

export function observeStaleTokens(meter: Meter, isStale: () => boolean): void {
  meter
    .createObservableGauge('meshward_access_tokens_stale', {
      description: '1 while the file of access tokens cannot be read: what was read before stays in force.',
    })
    .addCallback((result) => result.observe(isStale() ? 1 : 0));
}

function sessionKey(path: string): Uint8Array {
  if (path === '') return randomBytes(fewestKeyBytes);
  let key: Buffer;
  try {
    key = readFileSync(path);
  } catch (error) {
    throw new MeshwardError('config-invalid', `the key of sessions cannot be read from ${path}`, {
      next: 'Check access.sessionKeyFile and who may read it.',
      cause: error,
    });
  }
  if (key.length >= fewestKeyBytes) return key;
  throw new MeshwardError('config-invalid', `${path} holds fewer than ${fewestKeyBytes} bytes`, {
    next: 'Make it anew: `openssl rand 32 > FILE`.',
  });
}
