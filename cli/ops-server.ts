/** `/metrics`, `/livez` and `/readyz` of a service that serves nothing else over plain HTTP. */
import type {} from '@fastify/swagger';
import fastify, { type FastifyInstance } from 'fastify';
import { type HttpAccess, openToAll } from '#access/http-access.ts';
import type { Telemetry } from './telemetry.ts';

export interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly string[];
}

export interface OpsHooks {
  readonly telemetry: Telemetry;
  readonly readiness: () => Readiness;
  readonly alive: () => boolean;
  /** Aborted when the process is to end: from then on it is not ready. */
  readonly ending: AbortSignal;
}

const endingReadiness: Readiness = { ready: false, reasons: ['it is ending'] };
/** Whoever starts and watches a service asks without a token; the answers name no file and no peer. */
const probe = { schema: { hide: true }, config: { access: 'everybody' } } as const;

export function addOpsRoutes(app: FastifyInstance, hooks: OpsHooks): void {
  app.get('/metrics', { schema: { hide: true } }, (request, reply) => {
    reply.hijack();
    hooks.telemetry.writeMetrics(request.raw, reply.raw);
  });
  app.get('/livez', probe, (_request, reply) => reply.code(hooks.alive() ? 200 : 503).send({ alive: hooks.alive() }));
  app.get('/readyz', probe, (_request, reply) => {
    const readiness = hooks.ending.aborted ? endingReadiness : hooks.readiness();
    return reply.code(readiness.ready ? 200 : 503).send(readiness);
  });
}

export async function startOpsServer(
  hooks: OpsHooks,
  host: string,
  port: number,
  access: HttpAccess = openToAll,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const app = fastify({ ...access.server, logger: false, forceCloseConnections: true });
  await access.protect(app);
  addOpsRoutes(app, hooks);
  await app.listen({ host, port });
  const address = app.server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    async close() {
      await app.close();
      access.close();
    },
  };
}
