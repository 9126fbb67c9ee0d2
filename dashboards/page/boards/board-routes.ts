/** The dashboards of Grafana, live on the page: their JSON as `meshward dashboards export` writes it, and answers to the statements in it. */
import type {} from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import type { Retention } from '#store/retention.ts';
import { ownDashboards } from '../../grafana/delivery.ts';
import { BoardAnswers, type Chosen } from './board-answers.ts';
import { spanOf } from './range.ts';
import type { BoardReader } from './reader.ts';

interface Question {
  readonly from: string;
  readonly to: string;
  readonly variables: Chosen;
}

const moment = { type: 'string', maxLength: 20 } as const;
const value = { type: 'string', maxLength: 200 } as const;
const question = {
  type: 'object',
  required: ['from', 'to', 'variables'],
  additionalProperties: false,
  properties: {
    from: moment,
    to: moment,
    variables: {
      type: 'object',
      maxProperties: 20,
      additionalProperties: { anyOf: [value, { type: 'array', maxItems: 2000, items: value }] },
    },
  },
} as const;
const bodyLimit = 512 * 1024;

export interface BoardRoutesOptions {
  /** How long the database keeps what: queries over time know from it which level still holds a moment. */
  readonly retention: Retention;
  readonly reader: BoardReader;
  readonly database: string;
  readonly nowMs: () => number;
}

/** Asking has no effect, so it needs no word of the page's own; that it is JSON keeps forms of other pages out. */
export function addBoardRoutes(app: FastifyInstance, options: BoardRoutesOptions): void {
  const boards = ownDashboards({ retention: options.retention, runbooksUrl: '/runbooks' });
  const answers = new BoardAnswers(boards, options.reader, options.database);
  const spanOfQuestion = ({ from, to }: Question) => spanOf(from, to, options.nowMs());
  const schema = { hide: true, body: question } as const;
  // Asking has no effect, though it has a body: whoever may look may ask.
  const config = { access: 'viewer' } as const;

  app.get('/page/dashboards', { schema: { hide: true } }, async () => ({ dashboards: answers.list() }));
  app.get<{ Params: { uid: string } }>('/page/dashboards/:uid', { schema: { hide: true } }, async ({ params }) =>
    answers.board(params.uid),
  );
  app.post<{ Params: { uid: string }; Body: Question }>(
    '/page/dashboards/:uid/variables',
    { schema, bodyLimit, config },
    async ({ params, body }) => {
      const span = spanOfQuestion(body);
      return { span, variables: await answers.variables(params.uid, body.variables, span) };
    },
  );
  app.post<{ Params: { uid: string; id: number }; Body: Question }>(
    '/page/dashboards/:uid/panels/:id',
    {
      schema: {
        ...schema,
        params: { type: 'object', properties: { uid: { type: 'string' }, id: { type: 'integer' } } },
      },
      bodyLimit,
      config,
    },
    async ({ params, body }) => {
      const span = spanOfQuestion(body);
      return { span, answers: await answers.panel(params.uid, params.id, body.variables, span) };
    },
  );
  app.post<{ Params: { uid: string }; Body: Question }>(
    '/page/dashboards/:uid/annotations',
    { schema, bodyLimit, config },
    async ({ params, body }) => {
      const span = spanOfQuestion(body);
      return { span, annotations: await answers.annotations(params.uid, body.variables, span) };
    },
  );
}
