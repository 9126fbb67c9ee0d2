/** Serves the page: a handful of files, read once at start, with a policy that lets them load nothing from elsewhere. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type {} from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import type { Retention } from '#store/retention.ts';
import { addActionRoutes, type PageActions } from './action-routes.ts';
import { addBoardRoutes } from './boards/board-routes.ts';
import type { BoardReader } from './boards/reader.ts';

export interface PageOptions {
  /** Tells a newcomer what is happening and what to try. */
  readonly guide: boolean;
  /** What the page may change; null where it only shows. */
  readonly actions: PageActions | null;
  /** The database as a user who only reads; null where the page has none to show dashboards from. */
  readonly reader: { readonly database: string; readonly retention: Retention; readonly ask: BoardReader } | null;
}

const files = [
  { path: '/page/app.css', file: 'app.css', type: 'text/css; charset=utf-8' },
  { path: '/page/app.js', file: 'app.js', type: 'text/javascript; charset=utf-8' },
  { path: '/page/licenses.txt', file: 'licenses.txt', type: 'text/plain; charset=utf-8' },
  { path: '/icon.svg', file: 'icon.svg', type: 'image/svg+xml' },
] as const;

/** Addresses of views: the page finds its way by them itself. */
const views = [
  '/',
  '/alerts',
  '/files',
  '/repairs',
  '/campaigns',
  '/campaigns/:reference',
  '/exposure',
  '/resilience',
  '/peers',
  '/dashboards',
  '/dashboards/:uid',
] as const;

const contentPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const headers = {
  'content-security-policy': contentPolicy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
} as const;

/** @returns what adds the routes; the files are in memory by then. */
export async function loadPage(options: PageOptions): Promise<(app: FastifyInstance) => void> {
  const read = (file: string): Promise<Buffer> => readFile(new URL(`./assets/${file}`, import.meta.url));
  const index = await read('index.html');
  const loaded = await Promise.all(files.map(async (entry) => ({ ...entry, body: await read(entry.file) })));
  return (app) => {
    for (const path of views) serve(app, path, 'text/html; charset=utf-8', index);
    for (const { path, type, body } of loaded) serve(app, path, type, body);
    app.get('/page/facts', { schema: { hide: true } }, async (_request, reply) =>
      reply.headers(headers).send({
        guide: options.guide,
        actions: options.actions !== null,
        dashboards: options.reader !== null,
        callers: app.hasRoute({ method: 'GET', url: '/v1/access/caller' }),
      }),
    );
    if (options.actions !== null) addActionRoutes(app, options.actions);
    if (options.reader !== null) {
      const { ask, database, retention } = options.reader;
      addBoardRoutes(app, { retention, reader: ask, database, nowMs: () => Date.now() });
    }
  };
}

/** A browser that has it already is told so. */
function serve(app: FastifyInstance, path: string, type: string, body: Buffer): void {
  const tag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 20)}"`;
  app.get(path, { schema: { hide: true } }, async (request, reply) => {
    void reply.headers(headers).header('etag', tag);
    if (request.headers['if-none-match'] === tag) return reply.code(304).send();
    return reply.header('content-type', type).send(body);
  });
}
