/** The HTTP API and the page: what the mesh's health is, for people and programs. Reads only; carries no secret. */
import swagger from '@fastify/swagger';
import fastify, { type FastifyInstance } from 'fastify';
import { type HttpAccess, openToAll } from '#access/http-access.ts';
import { toApiError } from '#mesh/api-error.ts';
import type { Clock } from '#mesh/clock.ts';
import type { Config } from '#mesh/config/schema.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { type Grade, grades } from '#mesh/grade.ts';
import type { Logger } from '#mesh/logger.ts';
import { watchMethods } from '#mesh/other-methods.ts';
import { parseStorageIndex, storageIndexPattern } from '#mesh/storage-index.ts';
import type { Unanswered } from '../files/file-answer.ts';
import type { Analyzer } from '../service.ts';
import type { AlertQueries } from './alert-answers.ts';
import { addAlertRoutes } from './alert-routes.ts';
import { toFileAnswer, toFreshnessAnswer, toMeshAnswer, withTries } from './answers.ts';
import { EventStreams } from './event-streams.ts';
import { toFileDetail } from './explain.ts';
import type { HistoryQueries } from './history.ts';
import { addPeerRoutes } from './peer-routes.ts';
import { addRiskRoutes } from './risk-routes.ts';
import { nothingRuns, type RunningRepairs } from './running-repairs.ts';
import * as schemas from './schemas.ts';

export interface ApiOptions {
  readonly analyzer: Analyzer;
  readonly history: HistoryQueries;
  readonly alerts: AlertQueries;
  /** What the repairers do at this moment. */
  readonly running: () => Promise<RunningRepairs>;
  readonly config: Config['api'];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly version: string;
  /** Adds what belongs to the process: metrics, liveness, the page. */
  readonly addRoutes: (app: FastifyInstance) => void;
  /** @default everybody may ask */
  readonly access?: HttpAccess;
}

const maxListed = 1000;
/** Whoever wants to go deeper asks for a grade, or the database. */
const maxSkipped = 10_000;

export async function createApi(options: ApiOptions): Promise<FastifyInstance> {
  const { analyzer, history, config } = options;
  // What repairers have to say is left out where they do not say it.
  const repairers = (): Promise<RunningRepairs> => options.running().catch(() => nothingRuns);
  const access = options.access ?? openToAll;
  const app = fastify({
    ...access.server,
    logger: false,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 200 },
  });
  await app.register(swagger, {
    refResolver: {
      buildLocalReference: ({ $id }, _baseUri, _fragment, i) => (typeof $id === 'string' ? $id : `def-${i}`),
    },
    openapi: {
      openapi: '3.0.3',
      info: {
        title: 'Meshward',
        version: options.version,
        description: 'Could I recover this file now, and how far is it from not? Every answer says how fresh it is.',
      },
    },
  });
  app.setErrorHandler(async (error, _request, reply) => {
    const asked = error as { validation?: unknown; statusCode?: number };
    if (asked.validation !== undefined || (asked.statusCode !== undefined && asked.statusCode < 500)) {
      const message = (error as Error).message.replace(
        /^querystring\/storageIndex must match pattern .*$/,
        'storageIndex is not a storage index: 26 characters of a-z and 2-7',
      );
      const refusal = new MeshwardError('bad-input', message, {
        next: 'See /openapi.json for what the request may hold.',
      });
      return reply.code(400).send(toApiError(refusal));
    }
    const body = toApiError(error);
    const status = statusOf(body.error.code, body.error.retryable);
    if (status === 500) options.logger.error({ error: body.error.message }, 'an API request failed');
    return reply.code(status).send(body);
  });
  app.setNotFoundHandler(async (_request, reply) =>
    reply.code(404).send(
      toApiError(
        new MeshwardError('bad-input', 'there is nothing at this address', {
          next: 'See /openapi.json for what there is.',
        }),
      ),
    ),
  );

  const otherMethods = watchMethods(app);
  await access.protect(app);
  for (const schema of schemas.answerSchemas()) app.addSchema(schema);
  const answers = (name: schemas.AnswerName): Record<number, unknown> => ({
    200: { description: 'The answer.', $ref: `${name}#` },
    400: { description: 'The request is not understood.', $ref: 'Error#' },
    404: { description: 'There is no such thing.', $ref: 'Error#' },
    503: { description: 'It cannot be told now: ask again.', $ref: 'Error#' },
  });
  const limit = { type: 'integer', minimum: 1, maximum: maxListed, default: 100 } as const;

  app.get(
    '/v1/mesh',
    { schema: { summary: 'The mesh as the last sweep found it', response: answers('Mesh') } },
    async () => toMeshAnswer(analyzer.health()),
  );

  app.get<{ Querystring: { limit: number; offset?: number; grade?: Grade } }>(
    '/v1/files/at-risk',
    {
      schema: {
        summary: 'Files that need repair, most urgent first',
        querystring: {
          type: 'object',
          additionalProperties: false,
          properties: {
            limit,
            offset: { type: 'integer', minimum: 0, maximum: maxSkipped, default: 0 },
            grade: { type: 'string', enum: [...grades], description: 'This grade or worse.' },
          },
        },
        response: answers('FileList'),
      },
    },
    async (request) => {
      const { files, total } = await analyzer.listAtRisk(request.query);
      const { failing } = await repairers();
      return {
        files: files.map((file) => withTries(toFileAnswer(file), failing)),
        total,
        freshness: toFreshnessAnswer(analyzer.meshFreshness()),
      };
    },
  );

  app.get<{ Params: { storageIndex: string } }>(
    '/v1/files/:storageIndex',
    {
      schema: {
        summary: 'Could I recover this file now?',
        params: onlyParam('storageIndex', storageIndexPattern),
        response: answers('FileDetail'),
      },
      // What does not fit is told in our own words below.
      attachValidation: true,
    },
    async (request) => {
      const index = parseStorageIndex(request.params.storageIndex);
      const answer = await analyzer.lookUp(index);
      if (typeof answer === 'string') throw unanswered(answer, analyzer.meshFreshness().state === 'stale');
      const repairs = await repairers();
      return withTries(
        toFileDetail(answer, (peer) => analyzer.peer(peer), repairs),
        repairs.failing,
      );
    },
  );

  addPeerRoutes(app, { analyzer, history, repairers }, answers);
  addRiskRoutes(app, { mesh: analyzer, history, clock: options.clock }, answers);

  app.get<{ Querystring: { limit: number } }>(
    '/v1/repairs',
    {
      schema: {
        summary: 'Repairs, newest first',
        querystring: { type: 'object', additionalProperties: false, properties: { limit } },
        response: answers('RepairList'),
      },
    },
    async (request) => ({ repairs: await history.repairs(request.query.limit) }),
  );

  app.get<{ Querystring: { limit: number; storageIndex?: string } }>(
    '/v1/proofs',
    {
      schema: {
        summary: 'Proofs, newest first',
        querystring: {
          type: 'object',
          additionalProperties: false,
          properties: { limit, storageIndex: { type: 'string', pattern: storageIndexPattern } },
        },
        response: answers('ProofList'),
      },
    },
    async (request) => {
      const { storageIndex } = request.query;
      return {
        proofs: await history.proofs(
          request.query.limit,
          storageIndex === undefined ? null : parseStorageIndex(storageIndex),
        ),
      };
    },
  );

  addAlertRoutes(app, options.alerts, answers, limit);
  const streams = new EventStreams({ ...options, maxStreams: config.maxStreams });
  app.get(
    '/v1/stream',
    { schema: { summary: 'Live state of the mesh as server-sent events', produces: ['text/event-stream'] } },
    (_request, reply) => {
      streams.open(reply);
    },
  );
  app.addHook('onClose', async () => streams.close());
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
  options.addRoutes(app);
  void app.register(otherMethods);
  await app.ready();
  return app;
}

function onlyParam(name: string, pattern: string): Readonly<Record<string, unknown>> {
  return { type: 'object', required: [name], properties: { [name]: { type: 'string', pattern } } };
}

function unanswered(why: Unanswered, stale: boolean): MeshwardError {
  switch (why) {
    case 'deleted':
      return new MeshwardError('file-unknown', 'the file was deleted by its owner', {
        next: 'Register it again if it is to be watched: `meshward put`.',
      });
    case 'without-manifest':
      return new MeshwardError('file-unknown', 'peers hold shares of the file, but nobody has sent its manifest', {
        next: 'Its health is known once its owner registers it, or an agent reads the manifest from a share.',
      });
    case 'owned-elsewhere':
      return new MeshwardError('service-unavailable', 'the file belongs to a partition that is not owned here', {
        next: 'Ask the other analyzers, or this one again when /v1/mesh says fresh.',
        retryable: true,
      });
    case 'being-rebuilt':
      return new MeshwardError('service-unavailable', 'the partition of the file is being rebuilt', {
        next: 'Ask again when /v1/mesh says fresh.',
        retryable: true,
      });
    case 'unknown':
      return new MeshwardError('file-unknown', 'nothing is known of a file with this storage index', {
        next: stale
          ? 'Health is stale at the moment: ask again when /v1/mesh says fresh.'
          : 'Check the cap. A file is known once its owner registered it or a peer reported one of its shares.',
        retryable: stale,
      });
  }
}

function statusOf(code: string, retryable: boolean): number {
  if (retryable || code === 'store-unavailable') return 503;
  if (code === 'file-unknown' || code === 'peer-unknown' || code === 'alert-unknown' || code === 'campaign-unknown')
    return 404;
  return code === 'bad-input' || code === 'bad-cap' ? 400 : 500;
}
