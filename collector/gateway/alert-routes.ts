/** What operators say of alerts: silences, their early ends, and who has taken one on. They go into the log; whoever tells alerts reads them there. */
import { randomUUID } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { parseAlertSelector } from '#mesh/alert-selector.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { type Note, noteRecord, type Operator } from '#mesh/events/alert-notes.ts';
import {
  type AcknowledgementBody,
  acknowledgementBody,
  jsonSchema,
  postAnswer,
  type SilenceBody,
  type SilenceCreated,
  silenceAnswer,
  silenceBody,
  silenceParams,
} from './bodies.ts';
import { requireOperator } from './callers.ts';
import { operatorHeaders } from './operator-headers.ts';
import type { GatewayApp, GatewayService } from './service.ts';

/** What is silenced for longer is forgotten by people. */
const maxSilenceMs = 90 * 24 * 3_600_000;
const done = { accepted: 1 };

export function alertRoutes(service: GatewayService, app: GatewayApp): void {
  const append = async (by: Operator, note: Note): Promise<void> => {
    await service.log.append(service.topics.alerts.name, [{ ...noteRecord(note), headers: operatorHeaders(by.id) }]);
  };

  app.post<{ Body: SilenceBody }>(
    '/v1/silences',
    { schema: { body: jsonSchema(silenceBody), response: { 200: jsonSchema(silenceAnswer) } } },
    async (request): Promise<SilenceCreated> => {
      const { selector, untilMs, why } = request.body;
      parseAlertSelector(selector);
      const createdAtMs = service.clock.nowMs();
      requireSpan(untilMs - createdAtMs);
      const by = callerOf(service, request);
      const id = randomUUID();
      await append(by, { kind: 'silence', silence: { id, selector, createdAtMs, untilMs, why, by } });
      service.logger.warn({ silence: id, selector, untilMs, operatorId: by.id, why }, 'alerts were silenced');
      return { id };
    },
  );

  app.post<{ Params: { id: string } }>(
    '/v1/silences/:id/end',
    { schema: { params: jsonSchema(silenceParams), response: { 200: jsonSchema(postAnswer) } } },
    async (request) => {
      const by = callerOf(service, request);
      const { id } = request.params;
      await append(by, { kind: 'silence-end', end: { silenceId: id, atMs: service.clock.nowMs(), by } });
      service.logger.warn({ silence: id, operatorId: by.id }, 'a silence was ended');
      return done;
    },
  );

  app.post<{ Body: AcknowledgementBody }>(
    '/v1/acknowledgements',
    { schema: { body: jsonSchema(acknowledgementBody), response: { 200: jsonSchema(postAnswer) } } },
    async (request) => {
      const atMs = service.clock.nowMs();
      requireSpan(request.body.untilMs - atMs);
      const by = callerOf(service, request);
      await append(by, { kind: 'ack', ack: { ...request.body, atMs, by } });
      service.logger.info({ alert: request.body.alertKey, operatorId: by.id }, 'an alert was acknowledged');
      return done;
    },
  );
}

function callerOf(service: GatewayService, request: FastifyRequest): Operator {
  const id = requireOperator(service, request);
  return { id, name: service.enrolments.table.operator(id)?.name ?? '' };
}

function requireSpan(spanMs: number): void {
  if (spanMs > 0 && spanMs <= maxSilenceMs) return;
  throw new MeshwardError('bad-input', spanMs <= 0 ? 'the end lies in the past' : 'the end is more than 90 days away', {
    next: 'Give an end from now on, and within 90 days.',
  });
}
