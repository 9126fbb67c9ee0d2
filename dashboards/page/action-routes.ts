/**
 * What a person changes on the page: silences and acknowledgements, handed to a collector as the operator of this machine, so that they are
 * audited like the command line's. Only pages of this very address may ask: the browser says whose page asks, and what it cannot say without
 * being allowed to (JSON) is refused otherwise. The address must be one of loopback by name, so that no name of somebody else leads here.
 */
import type {} from '@fastify/swagger';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { toApiError } from '#mesh/api-error.ts';
import { MeshwardError } from '#mesh/errors.ts';

export interface SilenceWish {
  readonly selector: string;
  readonly untilMs: number;
  readonly why: string;
}

export interface AcknowledgementWish {
  readonly alertKey: string;
  readonly alertId: string;
  readonly untilMs: number;
  readonly why: string;
}

export interface PageActions {
  silence(wish: SilenceWish): Promise<{ readonly id: string }>;
  endSilence(id: string): Promise<void>;
  acknowledge(wish: AcknowledgementWish): Promise<void>;
  nowMs(): number;
}

const longestMs = 90 * 24 * 3_600_000;
const text = { type: 'string', minLength: 1, maxLength: 500 } as const;
const forMs = { type: 'integer', minimum: 1000, maximum: longestMs } as const;
const why = { type: 'string', maxLength: 200 } as const;

function body(properties: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return { type: 'object', required: Object.keys(properties), additionalProperties: false, properties };
}

export function addActionRoutes(app: FastifyInstance, actions: PageActions): void {
  const guarded = { onRequest: requireOwnPage, bodyLimit: 8 * 1024 } as const;

  app.post<{ Body: { selector: string; forMs: number; why: string } }>(
    '/page/silences',
    { ...guarded, schema: { hide: true, body: body({ selector: text, forMs, why: { ...why, minLength: 1 } }) } },
    async ({ body: wish }) =>
      actions.silence({ selector: wish.selector, why: wish.why, untilMs: actions.nowMs() + wish.forMs }),
  );

  app.post<{ Params: { id: string } }>(
    '/page/silences/:id/end',
    {
      ...guarded,
      schema: {
        hide: true,
        params: body({ id: { type: 'string', pattern: '^[0-9a-f]{8}-[0-9a-f-]{27}$' } }),
        body: body({}),
      },
    },
    async ({ params }) => {
      await actions.endSilence(params.id);
      return { done: true };
    },
  );

  app.post<{ Body: { alertKey: string; alertId: string; forMs: number; why: string } }>(
    '/page/acknowledgements',
    { ...guarded, schema: { hide: true, body: body({ alertKey: text, alertId: text, forMs, why }) } },
    async ({ body: wish }) => {
      const { alertKey, alertId } = wish;
      await actions.acknowledge({ alertKey, alertId, why: wish.why, untilMs: actions.nowMs() + wish.forMs });
      return { done: true };
    },
  );
}

/** @throws nothing: it answers 403 itself, before the body is read. */
export async function requireOwnPage(
  request: FastifyRequest,
  reply: { code(status: number): { send(body: unknown): unknown } },
): Promise<void> {
  const reason = strangeness(request.headers);
  if (reason === null) return;
  const refusal = new MeshwardError('bad-input', `this is not asked by the page itself: ${reason}`, {
    next: 'Open the page at its own address, such as http://127.0.0.1:7700, or use `meshward alerts`.',
  });
  await reply.code(403).send(toApiError(refusal));
}

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i;

/** Why a request does not come from a page of this address, or null where it does. */
export function strangeness(headers: FastifyRequest['headers']): string | null {
  const { host = '', origin } = headers;
  if (!loopback.test(host)) return 'it names another host';
  if (origin !== `http://${host}` && origin !== `https://${host}`) return 'its origin is another';
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin') return 'its origin is another';
  if (!/^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '')) return 'it is not JSON';
  return null;
}
