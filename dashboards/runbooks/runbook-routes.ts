/** Serves the runbooks, so that the links of alerts lead somewhere without a server of one's own. */
import { readdir, readFile } from 'node:fs/promises';
import type {} from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';

const folder = new URL('./', import.meta.url);

/** @returns what adds the routes; the files are in memory by then. */
export async function loadRunbooks(): Promise<(app: FastifyInstance) => void> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.md'));
  const loaded = await Promise.all(
    names.map(async (name) => [name, await readFile(new URL(name, folder), 'utf8')] as const),
  );
  return (app) => {
    for (const [name, text] of loaded) {
      app.get(`/runbooks/${name}`, { schema: { hide: true } }, async (_request, reply) =>
        // As plain text: browsers show it, and run nothing of it.
        reply
          .header('content-type', 'text/plain; charset=utf-8')
          .header('content-security-policy', "default-src 'none'")
          .header('x-content-type-options', 'nosniff')
          .send(text),
      );
    }
  };
}
