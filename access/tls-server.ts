/** The server behind a protected API: TLS with a certificate that is read again when it changes, and bounds on what strangers may hold. */
import { createServer as createPlainServer, type Server, type ServerOptions } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { FastifyServerFactory } from 'fastify';
import type { Clock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import { watchFiles } from './watched-file.ts';

const bounds: ServerOptions = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 72_000,
  maxHeaderSize: 16 * 1024,
};
const maxConnections = 4096;

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface ServerParts {
  readonly serverFactory: FastifyServerFactory;
  close(): void;
}

/** @throws MeshwardError `config-invalid` where certificate and key cannot be used. */
export function protectedServer(files: CertificateFiles | null, clock: Clock, logger: Logger): ServerParts {
  if (files === null) {
    return { serverFactory: (handler) => bounded(createPlainServer(bounds, handler)), close: () => undefined };
  }
  const servers = new Set<TlsServer>();
  const watched = watchFiles({
    paths: [files.certFile, files.keyFile],
    parse: ([cert = '', key = '']) => usable({ cert, key }, files),
    clock,
    onChange(pair) {
      for (const server of servers) server.setSecureContext(pair);
      logger.info({ certFile: files.certFile }, 'a new certificate is in use');
    },
    onFault: (reason) => logger.error({ reason }, 'the new certificate cannot be used; the one before stays in use'),
  });
  return {
    serverFactory(handler) {
      const server = createTlsServer({ ...bounds, ...watched.value, minVersion: 'TLSv1.2' }, handler);
      servers.add(server);
      server.once('close', () => servers.delete(server));
      return bounded(server);
    },
    close: () => watched.close(),
  };
}

/** Both are tried together, so that a pair of which only one half is new is not put to use. */
function usable<T extends { readonly cert: string; readonly key: string }>(pair: T, files: CertificateFiles): T {
  try {
    createSecureContext(pair);
    return pair;
  } catch (error) {
    throw new MeshwardError('config-invalid', `${files.certFile} and ${files.keyFile} are no certificate and its key`, {
      next: 'Give both in PEM form: the chain with the own certificate first, and the key without a passphrase.',
      cause: error,
    });
  }
}

function bounded(server: Server): Server {
  server.maxConnections = maxConnections;
  return server;
}
