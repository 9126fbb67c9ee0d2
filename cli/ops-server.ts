/** `/metrics`, `/livez` and `/readyz` of a service that serves nothing else over plain HTTP. */
import type {} from '@fastify/swagger';
import fastify, { type FastifyInstance } from 'fastify';
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

export function addOpsRoutes(app: FastifyInstance, hooks: OpsHooks): void {
  app.get('/metrics', { schema: { hide: true } }, (request, reply) => {
    reply.hijack();
    hooks.telemetry.writeMetrics(request.raw, reply.raw);
  });
  app.get('/livez', { schema: { hide: true } }, (_request, reply) =>
    reply.code(hooks.alive() ? 200 : 503).send({ alive: hooks.alive() }),
  );
  app.get('/readyz', { schema: { hide: true } }, (_request, reply) => {
    const readiness = hooks.ending.aborted ? endingReadiness : hooks.readiness();
    return reply.code(readiness.ready ? 200 : 503).send(readiness);
  });
}

export async function startOpsServer(
  hooks: OpsHooks,
  host: string,
  port: number,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const app = fastify({ logger: false, forceCloseConnections: true });
  addOpsRoutes(app, hooks);
  await app.listen({ host, port });
  const address = app.server.address();
  return { port: typeof address === 'object' && address !== null ? address.port : port, close: () => app.close() };
}
