/** Serves the page: a handful of files, read once at start, with a policy that lets them load nothing from elsewhere. */
import { readFile } from 'node:fs/promises';
import type {} from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';

const files = [
  { path: '/', file: 'index.html', type: 'text/html; charset=utf-8' },
  { path: '/page.css', file: 'page.css', type: 'text/css; charset=utf-8' },
  { path: '/page.js', file: 'page.js', type: 'text/javascript; charset=utf-8' },
  { path: '/icon.svg', file: 'icon.svg', type: 'image/svg+xml' },
] as const;

const contentPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'";

/** @returns what adds the routes; the files are in memory by then. */
export async function loadPage(): Promise<(app: FastifyInstance) => void> {
  const loaded = await Promise.all(
    files.map(async (entry) => ({
      ...entry,
      body: await readFile(new URL(`./assets/${entry.file}`, import.meta.url)),
    })),
  );
  return (app) => {
    for (const { path, type, body } of loaded) {
      app.get(path, { schema: { hide: true } }, async (_request, reply) =>
        reply
          .header('content-type', type)
          .header('content-security-policy', contentPolicy)
          .header('x-content-type-options', 'nosniff')
          .header('referrer-policy', 'no-referrer')
          .header('cache-control', 'no-cache')
          .send(body),
      );
    }
  };
}
