/** The ingest service for agents and operators: HTTPS with mutual TLS in front, the event log behind, nothing of its own on disk. */

import type { AddressInfo } from 'node:net';
import { type Meter, metrics as metricsApi } from '@opentelemetry/api';
import { type FastifyError, fastify } from 'fastify';
import { FollowedTable } from '#log/followed-table.ts';
import { maxAskedFiles } from '#mesh/asking.ts';
import { CampaignTable } from '#mesh/campaigns/table.ts';
import { type Clock, type Random, systemClock } from '#mesh/clock.ts';
import { type Config, configSchema } from '#mesh/config/schema.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import { maxEventsPerBatch } from '#mesh/limits.ts';
import { type Logger, silentLogger } from '#mesh/logger.ts';
import { watchMethods } from '#mesh/other-methods.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { TokenBuckets } from '#mesh/token-bucket.ts';
import type { Topics } from '#mesh/topics.ts';
import { peerIdOfCertificate } from '#tahoe/identity/peer-key.ts';
import { Admission } from './admission.ts';
import type { AskFiles } from './analyzers.ts';
import { answerOf, Refusal, sendAnswer } from './answers.ts';
import { askRoutes, nobodyToAsk } from './ask-routes.ts';
import { CampaignDesk } from './campaigns.ts';
import { answerClientError } from './client-errors.ts';
import { pinsHeader } from './collector-pins.ts';
import { type ConnectionLimits, Connections, defaultConnectionLimits, serverOptions } from './connections.ts';
import { DeadLetters, lettersPerSender } from './dead-letters.ts';
import { Enrolments } from './enrolments.ts';
import { GatheredAppends } from './gathered-appends.ts';
import { Incarnations } from './incarnations.ts';
import { InventoryAsks } from './inventory-asks.ts';
import { createGatewayMetrics } from './metrics.ts';
import { operatorRoutes } from './operator-routes.ts';
import { OwnerBatches } from './owner-batches.ts';
import { maxEnrolBytes, peerRoutes } from './peer-routes.ts';
import { PostOrder } from './post-order.ts';
import { postRoutes } from './post-routes.ts';
import { maxPeerEventBytes } from './read-post.ts';
import { RepairSettings } from './repair-settings.ts';
import type { GatewayApp, GatewayLog, GatewayService } from './service.ts';
import { startTicks, type Ticks } from './ticks.ts';
import { watchLog } from './watched-log.ts';

export interface GatewayOptions {
  /** The topics must be there already. The gateway does not close the log. */
  readonly log: GatewayLog;
  readonly topics: Topics;
  readonly config: Config['collector'];
  /** @default that of the configuration schema */
  readonly campaigns?: Config['campaigns'];
  /** Tells how files are. @default nobody */
  readonly askFiles?: AskFiles;
  /** PEM. The key's SHA-256 is the pin that agents check. */
  readonly tls: { readonly key: string; readonly cert: string };
  /** Pins of keys that peers shall take beside it, while one replaces the other. @default none */
  readonly otherPins?: readonly PeerId[];
  readonly clock?: Clock;
  readonly random?: Random;
  /** @default the global meter `meshward.collector`. */
  readonly meter?: Meter;
  readonly logger?: Logger;
  readonly connectionLimits?: Partial<ConnectionLimits>;
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
/** Posts of one peer at once: in each of its two lanes one, one that waits for it, and as many that it has given up. */
const maxPostsOfPeer = 8;
const maxBodyBytesUnderWay = 64 * 1024 * 1024;
/** For all callers together: a token has 256 random bits, so this bounds work, not guessing. */
const enrolmentsPerSecond = 100;
/** Enrolments that wait for the log at once; apart from posts, since anyone may ask for one. */
const maxEnrolmentsUnderWay = 64;
/** Questions of peers at once: analyzers have other work. */
const maxAsksUnderWay = 32;
const maxAsksOfPeer = 2;
/** How long a heartbeat may wait for those of other peers. */
const gatherMs = 50;
const closeTimeoutMs = 30_000;
/** Ticks later than this many of their intervals make the gateway not ready. */
const lateTicks = 5;
/** An append that the log has not answered for so long makes the gateway not ready: agents give up after 30 s. */
const slowAppendMs = 10_000;

export function createGateway(options: GatewayOptions): Gateway {
  const { topics, config } = options;
  const clock = options.clock ?? systemClock;
  const log = watchLog(options.log, clock);
  const random = options.random ?? Math.random;
  const logger = options.logger ?? silentLogger;
  const pin = peerIdOfCertificate(options.tls.cert);

  const admission = new Admission({
    maxRequests: config.maxConcurrentPosts,
    maxBodyBytes: maxBodyBytesUnderWay,
    smallBodyBytes: maxPeerEventBytes,
    maxRequestsPerCaller: maxPostsOfPeer,
  });
  let ticks: Ticks | null = null;
  let state: 'new' | 'listening' | 'closing' = 'new';
  const metrics = createGatewayMetrics(options.meter ?? metricsApi.getMeter('meshward.collector'), topics, {
    requests: () => admission.requests,
    bodyBytes: () => admission.bodyBytes,
    peers: () => enrolments.table.counts,
    tickLateMs: () => ticks?.lateMs() ?? 0,
    oldestAppendMs: () => log.oldestAppendMs(),
    connections: () => ({ known: connections.count - connections.newcomerCount, newcomer: connections.newcomerCount }),
  });
  const limits = { ...defaultConnectionLimits, ...options.connectionLimits };
  const connections = new Connections(limits, clock, (reason) => metrics.connectionRefused(reason));
  const enrolments = new Enrolments({
    log,
    topic: topics.enrolments,
    clock,
    logger,
    unreadable: () => metrics.unreadableEnrolment(),
  });
  const incarnations = new Incarnations({
    enrolments,
    clock,
    logger,
    outdated: (kind) => metrics.outdated(kind),
  });
  const inventoryAsks = new InventoryAsks({
    log,
    topic: topics.peerEvents,
    enrolments,
    clock,
    logger,
    asked: () => metrics.inventoryAsked(),
  });
  const campaigns = new FollowedTable({
    log,
    topic: topics.campaigns.name,
    create: () => new CampaignTable(),
    clock,
    logger,
  });
  const rate = (perSecond: number, burst: number) => new TokenBuckets({ perSecond, burst }, clock, maxRememberedPeers);
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
    enrolAdmission: new Admission({
      maxRequests: maxEnrolmentsUnderWay,
      maxBodyBytes: maxEnrolmentsUnderWay * maxEnrolBytes,
      smallBodyBytes: maxEnrolBytes,
    }),
    askAdmission: new Admission({
      maxRequests: maxAsksUnderWay,
      maxBodyBytes: maxBodyBytesUnderWay,
      smallBodyBytes: maxPeerEventBytes,
      maxRequestsPerCaller: maxAsksOfPeer,
    }),
    askFiles: options.askFiles ?? nobodyToAsk,
    connections,
    postRate: rate(config.postsPerSecond, config.postsPerSecond),
    // A batch is taken whole, so the burst must hold one even where the rate is lower than that.
    eventRate: rate(config.eventsPerSecond, Math.max(config.eventsPerSecond, maxEventsPerBatch)),
    unknownRate: rate(lettersPerSender.perSecond, lettersPerSender.burst),
    enrolRate: rate(enrolmentsPerSecond, enrolmentsPerSecond),
    // One question is taken whole.
    askRate: rate(config.askedFilesPerSecond, Math.max(config.askedFilesPerSecond, maxAskedFiles)),
    order: new PostOrder(2 * maxRememberedPeers),
    heartbeats: new GatheredAppends({
      log,
      topic: topics.peerEvents.name,
      clock,
      gatherMs,
      // Others have the rest of the places meanwhile.
      mostRecords: Math.ceil(config.maxConcurrentPosts / 4),
    }),
    deadLetters: new DeadLetters({
      log,
      topic: topics.deadLetters,
      maxPayloadBytes: config.deadLetterPayloadBytes,
      clock,
      metrics,
    }),
    enrolments,
    incarnations,
    ownerBatches: new OwnerBatches(log, topics.shareEvents, clock),
    campaigns: new CampaignDesk({
      followed: campaigns,
      rules: options.campaigns ?? configSchema.shape.campaigns.parse({}),
    }),
    repairSettings: new RepairSettings(campaigns),
  };
  const pins = [pin, ...(options.otherPins ?? []).filter((other) => other !== pin)];
  const app = createApp(service, { ...options.tls, pins }, limits, () => state === 'closing');

  return {
    pin,
    async listen() {
      await enrolments.start();
      await campaigns.start();
      try {
        await app.listen({ host: config.host, port: config.port, backlog: limits.backlog });
      } catch (error) {
        await campaigns.stop();
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
      inventoryAsks.start();
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
      if (state !== 'new' && !campaigns.isCurrent) reasons.push('the campaigns cannot be followed');
      if (ticks !== null && ticks.lateMs() > lateTicks * config.tickMs)
        reasons.push('ticks cannot be written to the log');
      if (log.oldestAppendMs() > slowAppendMs)
        reasons.push(
          `the log has not answered an append for ${slowAppendMs / 1000} s: posts wait, and more are told to come again`,
        );
      return { ready: reasons.length === 0, reasons };
    },
    async close() {
      state = 'closing';
      const callOff = clock.after(closeTimeoutMs, () => app.server.closeAllConnections());
      await app.close();
      callOff();
      await ticks?.stop();
      await inventoryAsks.stop();
      await campaigns.stop();
      await enrolments.stop();
    },
  };
}

function createApp(
  service: GatewayService,
  { pins, ...tls }: GatewayOptions['tls'] & { readonly pins: readonly PeerId[] },
  limits: ConnectionLimits,
  isClosing: () => boolean,
): GatewayApp {
  const app: GatewayApp = fastify({
    https: serverOptions(limits, tls),
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    bodyLimit: 64 * 1024,
    forceCloseConnections: 'idle',
    return503OnClosing: false, // our own hook answers in the one shape of our interfaces
    exposeHeadRoutes: false,
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false } },
    clientErrorHandler: answerClientError,
  });
  service.connections.watch(app.server);

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
    reply.header(pinsHeader, pins.join(', '));
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
  const otherMethods = watchMethods(app);
  void app.register(async (scope) => postRoutes(service)(scope as GatewayApp));
  void app.register(async (scope) => peerRoutes(service)(scope as GatewayApp));
  void app.register(async (scope) => askRoutes(service)(scope as GatewayApp));
  void app.register(async (scope) => operatorRoutes(service)(scope as GatewayApp));
  void app.register(async (scope) => otherMethods(scope as GatewayApp));
  return app;
}
