/** Answers requests whose address is there and whose method is not: 405 with what is allowed, in the one shape of our interfaces. */
import type { FastifyInstance, HTTPMethods, RawServerBase } from 'fastify';
import { toApiError } from './api-error.ts';
import { MeshwardError } from './errors.ts';

const methods: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/**
 * Call it before routes are added.
 * @returns the plugin to register after all of them.
 */
export function watchMethods<Server extends RawServerBase>(
  app: FastifyInstance<Server>,
): (scope: FastifyInstance<Server>) => Promise<void> {
  const allowed = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const known = allowed.get(url) ?? new Set();
    allowed.set(url, known);
    for (const each of [method].flat()) known.add(each);
  });
  return async (scope) => {
    for (const [url, there] of allowed) {
      const allow = [...there].sort().join(', ');
      scope.route({
        url,
        method: methods.filter((method) => !there.has(method)),
        exposeHeadRoute: false,
        schema: { hide: true },
        // Before the body is read: what it holds does not matter.
        onRequest: async (request, reply) => {
          const refusal = new MeshwardError('bad-input', `${request.method} is not a method of this address`, {
            next: `Use ${allow}.`,
          });
          return reply.code(405).header('allow', allow).send(toApiError(refusal));
        },
        handler: () => undefined,
      });
    }
  };
}
