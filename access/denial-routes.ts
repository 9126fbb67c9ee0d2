/** The newest denials, for those who may look. */
import type {} from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import type { Denials } from './denials.ts';

export function denialRoutes(app: FastifyInstance, denials: Denials): void {
  app.get<{ Querystring: { limit: number } }>(
    '/v1/access/denials',
    {
      config: { access: 'approver' },
      schema: {
        summary: 'Who was denied what by this process, newest first',
        querystring: {
          type: 'object',
          additionalProperties: false,
          properties: { limit: { type: 'integer', minimum: 1, maximum: 1000, default: 100 } },
        },
      },
    },
    (request) => ({ denials: denials.newest(request.query.limit) }),
  );
}
