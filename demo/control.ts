/** Lets `meshward peer kill | wipe | return` reach the running demonstration: HTTP on loopback, with a token from the run file. */
import { timingSafeEqual } from 'node:crypto';
import fastify from 'fastify';
import { toApiError } from '#mesh/api-error.ts';
import { MeshwardError } from '#mesh/errors.ts';

export const peerActions = ['kill', 'wipe', 'return'] as const;
export type PeerAction = (typeof peerActions)[number];

export interface PeerControl {
  /** @throws MeshwardError `file-unknown` where a name is unknown. */
  act(action: PeerAction, names: readonly string[]): Promise<void>;
}

export interface DemoControl {
  readonly url: string;
  close(): Promise<void>;
}

export async function startDemoControl(control: PeerControl, token: string): Promise<DemoControl> {
  const app = fastify({ logger: false, forceCloseConnections: true, bodyLimit: 64 * 1024 });
  app.setErrorHandler(async (error, _request, reply) =>
    reply.code(error instanceof MeshwardError ? 400 : 500).send(toApiError(error)),
  );
  app.addHook('onRequest', async (request, reply) => {
    const given = Buffer.from(request.headers.authorization ?? '');
    const wanted = Buffer.from(`Bearer ${token}`);
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return reply.code(401).send();
  });
  app.post<{ Params: { action: PeerAction }; Body: { names: string[] } }>(
    '/v1/peers/:action',
    {
      schema: {
        params: { type: 'object', properties: { action: { type: 'string', enum: [...peerActions] } } },
        body: {
          type: 'object',
          required: ['names'],
          properties: { names: { type: 'array', minItems: 1, items: { type: 'string' } } },
        },
      },
    },
    async (request) => {
      await control.act(request.params.action, request.body.names);
      return { done: request.body.names };
    },
  );
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  return { url, close: () => app.close() };
}
