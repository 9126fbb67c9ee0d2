/** `POST /v1/events`: one batch or one event of a peer, acknowledged when it is durable in the log. */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { MeshwardError } from '#mesh/errors.ts';
import { maxPostBytes } from '#mesh/limits.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { Admitted } from './admission.ts';
import { answerOf, sendAnswer } from './answers.ts';
import { jsonSchema, type PostAnswer, postAnswer } from './bodies.ts';
import { admitPeer, withinRate } from './callers.ts';
import { type CheckedPost, checkPost } from './check-post.ts';
import { identityOf } from './identity.ts';
import { recordsOf, speaksFor } from './post-records.ts';
import { postFormOf, readPost } from './read-post.ts';
import type { GatewayApp, GatewayService } from './service.ts';
import { tracedAppend, tracedPost } from './traced-post.ts';

interface UnderWay {
  readonly peer: PeerId;
  readonly admitted: Admitted;
  /** From here on the handler gives the place back, even where the caller has gone: its body is still in memory. */
  handling: boolean;
}

export function postRoutes(service: GatewayService) {
  return (app: GatewayApp): void => {
    const underWay = new WeakMap<FastifyRequest, UnderWay>();

    // Bodies come as bytes in either form, so that whatever cannot be read can be kept as it came.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser(
      ['application/x-protobuf', 'application/json'],
      { parseAs: 'buffer', bodyLimit: maxPostBytes },
      (_request, body, done) => done(null, body),
    );

    app.addHook('onRequest', async (request, reply) => {
      const id = await admitPeer(service, request);
      withinRate(service.postRate, id, 1, 'posts');
      const admitted = service.admission.admit(expectedBytes(request), id);
      const state: UnderWay = { peer: id, admitted, handling: false };
      underWay.set(request, state);
      const gone = (): void => {
        if (!state.handling) admitted.release();
      };
      if (request.raw.socket.destroyed)
        gone(); // while the table was asked
      else reply.raw.once('close', gone);
    });

    // Until its dead letter is kept, a refused body is in memory like any other, and has its place.
    app.setErrorHandler(async (error: FastifyError, request, reply) => {
      const state = underWay.get(request);
      if (state !== undefined) state.handling = true;
      try {
        await keepRefused(service, error, request);
      } finally {
        state?.admitted.release();
      }
      return refuse(service, error, reply);
    });

    app.post(
      '/v1/events',
      { schema: { response: { 200: jsonSchema(postAnswer) } } },
      async (request): Promise<PostAnswer> => {
        const state = underWay.get(request) as UnderWay;
        state.handling = true;
        const answer = await takePost(service, state.peer, request);
        state.admitted.release();
        return answer;
      },
    );
  };
}

async function takePost(service: GatewayService, peer: PeerId, request: FastifyRequest): Promise<PostAnswer> {
  const contentType = request.headers['content-type'] ?? '';
  const body = request.body instanceof Uint8Array ? request.body : new Uint8Array();
  const checked = checkPost(readPost(body, postFormOf(contentType) ?? 'protobuf'));
  if (!speaksFor(checked, peer)) {
    throw new MeshwardError('peer-impersonation', 'the post speaks for another peer than its key', {
      next: "Each peer posts with its own key; check the agent's key folder.",
    });
  }
  const eventCount = checked.kind === 'batch' ? checked.eventCount : 0;
  if (eventCount > 0) withinRate(service.eventRate, peer, eventCount, 'share events');
  if (checked.kind === 'batch' && checked.holdsUnknown) {
    // Each becomes dead letters at the analyzers: as many of them as this peer could have had here.
    withinRate(service.unknownRate, peer, 1, 'batches with what this release does not know');
    service.metrics.unknownEvents();
  }
  await service.incarnations.admit(peer, checked.kind, checked.order.incarnation);
  const { duplicate } = await tracedPost(request, checked, peer, (context) =>
    service.order.run(`${checked.kind}:${peer}`, checked.order, async () => {
      const startedMs = service.clock.monotonicMs();
      await tracedAppend(service.topics, checked.kind, context, async (headers) => {
        const boundDomains = service.enrolments.table.peer(peer)?.peer.domains ?? {};
        const { topic, records } = recordsOf(checked, peer, boundDomains, service.topics, headers);
        if (records.length === 0) return;
        await durably(isHeartbeat(checked) ? service.heartbeats.append(records) : service.log.append(topic, records));
      });
      service.metrics.accepted(checked.kind, eventCount, (service.clock.monotonicMs() - startedMs) / 1000);
    }),
  );
  if (!duplicate) return { accepted: checked.kind === 'batch' ? eventCount : 1 };
  service.metrics.duplicate(checked.kind);
  return { accepted: 0, duplicate: true };
}

function isHeartbeat(post: CheckedPost): boolean {
  return post.kind === 'event' && post.event.body.case === 'heartbeat';
}

/** Whatever keeps the log from taking a post is no fault of the post: the peer keeps it and comes again. */
async function durably(append: Promise<unknown>): Promise<void> {
  try {
    await append;
  } catch (error) {
    if (error instanceof MeshwardError && error.code.startsWith('log-')) throw error;
    throw new MeshwardError('log-unavailable', 'the log could not take the post', {
      next: 'Send it again after the time that Retry-After names.',
      retryable: true,
      cause: error,
    });
  }
}

/** Dead letters. Where a peer's own malformed post cannot be kept, the log's error takes the place of ours: it will send again. */
async function keepRefused(service: GatewayService, error: unknown, request: FastifyRequest): Promise<void> {
  const { status, body } = answerOf(error);
  const { code } = body.error;
  // What is outdated is told to its sender and to people, and worth nothing to who would replay it.
  if (status === 429 || status >= 500 || code === 'peer-outdated') return;
  const sender = identityOf(request);
  const payload = request.body instanceof Uint8Array ? request.body : new Uint8Array();
  const refused = {
    reasonCode: code,
    reason: body.error.message,
    sender,
    payload,
    payloadBytes: payload.length > 0 ? payload.length : (contentLength(request) ?? 0),
    contentType: request.headers['content-type'] ?? '',
  };
  if (code === 'peer-unknown' || code === 'peer-revoked' || code === 'peer-impersonation') {
    await service.deadLetters.keepOfStranger(refused);
    return;
  }
  await service.deadLetters.keep(refused);
}

function refuse(service: GatewayService, error: unknown, reply: FastifyReply): FastifyReply {
  const answer = answerOf(error);
  service.metrics.refused(answer.body.error.code);
  return sendAnswer(reply, answer, service.random);
}

function expectedBytes(request: FastifyRequest): number {
  return Math.min(contentLength(request) ?? maxPostBytes, maxPostBytes);
}

function contentLength(request: FastifyRequest): number | null {
  const value = request.headers['content-length'];
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : null;
}
