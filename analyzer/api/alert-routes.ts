/** Alerts, silences, sinks and the objective over HTTP. They are read here; who wants to change them talks to a collector. */
import type { FastifyInstance } from 'fastify';
import type { AlertQueries } from './alert-answers.ts';
import type { AnswerName } from './schemas.ts';

type Responses = (name: AnswerName) => Record<number, unknown>;

export function addAlertRoutes(app: FastifyInstance, alerts: AlertQueries, answers: Responses, limit: object): void {
  app.get('/v1/alerts', { schema: { summary: 'Open alerts', response: answers('AlertList') } }, () => alerts.open());

  app.get<{ Querystring: { limit: number } }>(
    '/v1/alerts/history',
    {
      schema: {
        summary: 'Alerts that began, changed or ended, newest first',
        querystring: { type: 'object', additionalProperties: false, properties: { limit } },
        response: answers('AlertHistory'),
      },
    },
    async (request) => ({ changes: await alerts.history(request.query.limit) }),
  );

  app.get<{ Params: { id: string } }>(
    '/v1/alerts/:id',
    { schema: { summary: 'One open alert, by its id or the beginning of it', response: answers('AlertDetail') } },
    (request) => alerts.one(request.params.id),
  );

  app.get(
    '/v1/silences',
    { schema: { summary: 'Silences, newest first', response: answers('SilenceList') } },
    async () => ({
      silences: alerts.silences(),
    }),
  );

  app.get(
    '/v1/alert-sinks',
    { schema: { summary: 'Who is told of alerts, and whether they take them', response: answers('SinkList') } },
    async () => alerts.sinks(),
  );

  app.get(
    '/v1/objective',
    { schema: { summary: 'The recoverability objective and its error budget', response: answers('Objective') } },
    async () => alerts.objective(),
  );
}
