/** The ingest service for agents and operators: HTTPS with mutual TLS in front, the event log behind, nothing of its own on disk. */
import type { AddressInfo, Socket } from 'node:net';
import { type Meter, metrics as metricsApi } from '@opentelemetry/api';
import { type FastifyError, fastify } from 'fastify';
import { type Clock, type Random, systemClock } from '#mesh/clock.ts';
import type { Config } from '#mesh/config/schema.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import { maxEventsPerBatch } from '#mesh/limits.ts';
import { type Logger, silentLogger } from '#mesh/logger.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { Topics } from '#mesh/topics.ts';
import { peerIdOfCertificate } from '#tahoe/identity/peer-key.ts';
import { Admission } from './admission.ts';
import { answerOf, Refusal, sendAnswer } from './answers.ts';
import { DeadLetters } from './dead-letters.ts';
import { Enrolments } from './enrolments.ts';
import { createGatewayMetrics } from './metrics.ts';
import { operatorRoutes } from './operator-routes.ts';
import { OwnerBatches } from './owner-batches.ts';
import { peerRoutes } from './peer-routes.ts';
import { PostOrder } from './post-order.ts';
import { postRoutes } from './post-routes.ts';
import { RateLimits } from './rate-limits.ts';
import { maxPeerEventBytes } from './read-post.ts';
import type { GatewayApp, GatewayLog, GatewayService } from './service.ts';
import { startTicks, type Ticks } from './ticks.ts';

export interface GatewayOptions {
  /** The topics must be there already. The gateway does not close the log. */
  readonly log: GatewayLog;
  readonly topics: Topics;
  readonly config: Config['collector'];
  /** PEM. The key's SHA-256 is the pin that agents check. */
  readonly tls: { readonly key: string; readonly cert: string };
  readonly clock?: Clock;
  readonly random?: Random;
  /** @default the global meter `meshward.collector`. */
  readonly meter?: Meter;
  readonly logger?: Logger;
}

export interface Gateway {
  /** What agents pin: SHA-256 of the public key. */
  readonly pin: PeerId;
  /** Reads who may speak, then listens, then ticks. */
  listen(): Promise<{ readonly host: string; readonly port: number }>;
  health(): { readonly ready: boolean; readonly reasons: readonly string[] };
  /** Takes nothing new, finishes what is under way, then closes. */
  close(): Promise<void>;
}

/** Callers, lanes and buckets remembered: twice the ten thousand peers of a large mesh. */
const maxRememberedPeers = 20_000;
const maxConnections = 20_000;
const maxBodyBytesUnderWay = 64 * 1024 * 1024;
/** For all callers together: a token has 256 random bits, so this bounds work, not guessing. */
const enrolmentsPerSecond = 100;
const closeTimeoutMs = 30_000;
/** Ticks later than this many of their intervals make the gateway not ready. */
const lateTicks = 5;

export function createGateway(options: GatewayOptions): Gateway {
  const { log, topics, config } = options;
  const clock = options.clock ?? systemClock;
  const random = options.random ?? Math.random;
  const logger = options.logger ?? silentLogger;
  const pin = peerIdOfCertificate(options.tls.cert);

  const admission = new Admission({
    maxRequests: config.maxConcurrentPosts,
    maxBodyBytes: maxBodyBytesUnderWay,
    smallBodyBytes: maxPeerEventBytes,
  });
  let ticks: Ticks | null = null;
  let state: 'new' | 'listening' | 'closing' = 'new';
  const metrics = createGatewayMetrics(options.meter ?? metricsApi.getMeter('meshward.collector'), topics, {
    requests: () => admission.requests,
    bodyBytes: () => admission.bodyBytes,
    peers: () => enrolments.table.counts,
    tickLateMs: () => ticks?.lateMs() ?? 0,
  });
  const enrolments = new Enrolments({
    log,
    topic: topics.enrolments,
    clock,
    logger,
    unreadable: () => metrics.unreadableEnrolment(),
  });
  const rate = (perSecond: number, burst: number) => new RateLimits({ perSecond, burst }, clock, maxRememberedPeers);
  const service: GatewayService = {
    log,
    topics,
    config,
    clock,
    random,
    metrics,
    logger,
    pin,
    admission,
    postRate: rate(config.postsPerSecond, config.postsPerSecond),
    // A batch is taken whole, so the burst must hold one even where the rate is lower than that.
    eventRate: rate(config.eventsPerSecond, Math.max(config.eventsPerSecond, maxEventsPerBatch)),
    enrolRate: rate(enrolmentsPerSecond, enrolmentsPerSecond),
    order: new PostOrder(2 * maxRememberedPeers),
    deadLetters: new DeadLetters({
      log,
      topic: topics.deadLetters,
      maxPayloadBytes: config.deadLetterPayloadBytes,
      clock,
      metrics,
    }),
    enrolments,
    ownerBatches: new OwnerBatches(log, topics.shareEvents, clock),
  };
  const app = createApp(service, options.tls, () => state === 'closing');

  return {
    pin,
    async listen() {
      await enrolments.start();
      try {
        await app.listen({ host: config.host, port: config.port });
      } catch (error) {
        await enrolments.stop();
        throw new MeshwardError(
          'service-unavailable',
          `the collector cannot listen on ${config.host} port ${config.port}`,
          {
            next: 'Free the port, or set collector.host and collector.port to what this machine has.',
            cause: error,
          },
        );
      }
      state = 'listening';
      ticks = startTicks({ log, topics, tickMs: config.tickMs, clock, metrics, logger });
      const address = app.server.address() as AddressInfo;
      logger.info({ host: address.address, port: address.port, pin }, 'the collector listens');
      return { host: address.address, port: address.port };
    },
    health() {
      const reasons: string[] = [];
      if (state === 'new') reasons.push('not listening yet');
      if (state === 'closing') reasons.push('closing');
      if (!enrolments.isCurrent) reasons.push('the enrolments cannot be followed');
      if (ticks !== null && ticks.lateMs() > lateTicks * config.tickMs)
        reasons.push('ticks cannot be written to the log');
      return { ready: reasons.length === 0, reasons };
    },
    async close() {
      state = 'closing';
      const callOff = clock.after(closeTimeoutMs, () => app.server.closeAllConnections());
      await app.close();
      callOff();
      await ticks?.stop();
      await enrolments.stop();
    },
  };
}

function createApp(service: GatewayService, tls: GatewayOptions['tls'], isClosing: () => boolean): GatewayApp {
  const app: GatewayApp = fastify({
    https: {
      key: tls.key,
      cert: tls.cert,
      requestCert: true,
      rejectUnauthorized: false, // nobody signs our keys: who is enrolled is in the table, and TLS proves the key
      minVersion: 'TLSv1.3',
      handshakeTimeout: 10_000,
      maxHeaderSize: 8 * 1024,
      headersTimeout: 10_000,
    },
    requestTimeout: 30_000,
    keepAliveTimeout: 75_000,
    bodyLimit: 64 * 1024,
    forceCloseConnections: 'idle',
    return503OnClosing: false, // our own hook answers in the one shape of our interfaces
    exposeHeadRoutes: false,
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false } },
    clientErrorHandler: answerClientError,
  });
  app.server.maxConnections = maxConnections;

  app.addHook('onRequest', (_request, reply, done) => {
    if (!isClosing()) {
      done();
      return;
    }
    reply.header('connection', 'close');
    throw new Refusal(503, 'service-unavailable', 'the collector is closing', {
      next: 'Send the same again: another collector, or this one after its start, takes it.',
      retryAfterMs: 1000,
    });
  });
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (isClosing()) reply.header('connection', 'close');
    done();
  });
  app.setNotFoundHandler(() => {
    throw new Refusal(404, 'bad-input', 'there is nothing under this path', { next: 'Check the path and the method.' });
  });
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const answer = answerOf(error);
    service.metrics.refused(answer.body.error.code);
    if (answer.status === 500) {
      service.logger.error(
        { method: request.method, route: request.routeOptions.url, error: describeError(error) },
        'a request failed',
      );
    }
    return sendAnswer(reply, answer, service.random);
  });
  void app.register(async (scope) => postRoutes(service)(scope as GatewayApp));
  void app.register(async (scope) => peerRoutes(service)(scope as GatewayApp));
  void app.register(async (scope) => operatorRoutes(service)(scope as GatewayApp));
  return app;
}

/** What is not even HTTP. Nothing of it is repeated. */
function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
  const { body } = answerOf(
    new Refusal(400, 'bad-input', 'this is not a request that the collector can read', {
      next: 'Speak HTTP/1.1 over TLS.',
    }),
  );
  const text = JSON.stringify(body);
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
  );
}
