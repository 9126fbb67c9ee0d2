/** An API with a route for each need, behind access as services have it, with a clock that the test moves. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { metrics } from '@opentelemetry/api';
import fastify, { type FastifyInstance } from 'fastify';
import { onTestFinished } from 'vitest';
import { type Config, configSchema } from '#mesh/config/schema.ts';
import type { Logger } from '#mesh/logger.ts';
import type { Role } from '#mesh/role.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { type HttpAccess, openHttpAccess } from '../http-access.ts';
import { createToken, type TokenRecord } from '../tokens.ts';

const dayMs = 86_400_000;

export interface GuardedApp {
  readonly app: FastifyInstance;
  readonly access: HttpAccess;
  readonly clock: ManualClock;
  /** Everything that was logged. */
  readonly lines: string[];
  readonly tokens: Readonly<Record<Role, string>>;
  readonly folder: string;
  readonly tokensFile: string;
  /** Changes the file of tokens, and lets the service notice. */
  readonly rewrite: (change: (records: readonly TokenRecord[]) => readonly TokenRecord[]) => Promise<void>;
}

export interface GuardedAppOptions {
  readonly access?: Partial<Config['access']>;
  readonly place?: { readonly host: string; readonly tlsCertFile: string; readonly tlsKeyFile: string };
  readonly addRoutes?: (app: FastifyInstance) => void;
}

export async function guardedApp(options: GuardedAppOptions = {}): Promise<GuardedApp> {
  const clock = new ManualClock();
  const folder = mkdtempSync(join(tmpdir(), 'meshward-access-'));
  const tokensFile = join(folder, 'tokens.json');
  const about = { createdAtMs: clock.nowMs(), expiresAtMs: clock.nowMs() + 90 * dayMs };
  const made = {
    viewer: createToken({ ...about, name: 'wanda', role: 'viewer' }),
    operator: createToken({ ...about, name: 'olga', role: 'operator' }),
    approver: createToken({ ...about, name: 'anna', role: 'approver' }),
  } as const;
  let records: readonly TokenRecord[] = Object.values(made).map(({ record }) => record);
  const write = (): void => writeFileSync(tokensFile, JSON.stringify({ tokens: records }));
  write();
  const lines: string[] = [];
  const line = (fields: object, message: string): void => {
    lines.push(`${message} ${JSON.stringify(fields)}`);
  };
  const logger: Logger = { debug: line, info: line, warn: line, error: line };
  const access = openHttpAccess({
    config: configSchema.shape.access.parse({ tokensFile, ...options.access }),
    place: options.place ?? { host: '127.0.0.1', tlsCertFile: '', tlsKeyFile: '' },
    clock,
    logger,
    meter: metrics.getMeter('test'),
  });
  const app = fastify({ ...access.server, logger: false, forceCloseConnections: true });
  await access.protect(app);
  app.get('/', () => 'page');
  app.get('/v1/read/:name', () => 'read');
  app.post('/v1/plan', () => 'planned');
  app.get('/livez', { config: { access: 'everybody' } }, () => 'alive');
  options.addRoutes?.(app);
  onTestFinished(async () => {
    await app.close();
    access.close();
  });
  return {
    app,
    access,
    clock,
    lines,
    folder,
    tokensFile,
    tokens: { viewer: made.viewer.token, operator: made.operator.token, approver: made.approver.token },
    async rewrite(change) {
      records = change(records);
      write();
      await clock.advance(1000);
    },
  };
}

export function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` };
}
