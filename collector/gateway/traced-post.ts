/** A post in its trace: from the header of the request, through its handling, into the headers of the log's records. */
import { type Context, ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api';
import type { FastifyRequest } from 'fastify';
import type { PeerId } from '#mesh/peer-id.ts';
import type { Topics } from '#mesh/topics.ts';
import { contextOf, headersOf, inSpan, traceHeader, tracerOf } from '#mesh/traces.ts';
import type { CheckedPost } from './check-post.ts';

/** Goes on with the trace of the caller, or begins one. @param work is given what it goes on from. */
export function tracedPost<T>(
  request: Pick<FastifyRequest, 'headers'>,
  checked: CheckedPost,
  peer: PeerId,
  work: (context: Context) => Promise<T>,
): Promise<T> {
  const header = request.headers[traceHeader];
  const options = {
    kind: SpanKind.SERVER,
    parent: contextOf(typeof header === 'string' ? header : undefined),
    attributes: {
      'http.request.method': 'POST',
      'http.route': '/v1/events',
      'url.path': '/v1/events',
      'url.scheme': 'https',
      'meshward.peer_id': peer,
      'meshward.post.kind': checked.kind,
      'meshward.post.incarnation': checked.order.incarnation,
      'meshward.post.sequence': checked.order.sequence,
      ...(checked.kind === 'batch' ? { 'meshward.batch.events': checked.eventCount } : {}),
    },
  };
  return inSpan(tracerOf('collector'), 'POST /v1/events', options, async (span) => {
    const result = await work(trace.setSpan(ROOT_CONTEXT, span));
    span.setAttribute('http.response.status_code', 200);
    return result;
  });
}

/** @param append is given the headers that go with the records: empty where there is no trace to go on with. */
export function tracedAppend(
  topics: Topics,
  kind: CheckedPost['kind'],
  parent: Context,
  append: (headers: Readonly<Record<string, string>>) => Promise<void>,
): Promise<void> {
  const { name } = kind === 'batch' ? topics.shareEvents : topics.peerEvents;
  const attributes = {
    'messaging.operation.name': 'send',
    'messaging.operation.type': 'send',
    'messaging.destination.name': name,
  };
  return inSpan(tracerOf('collector'), `send ${name}`, { kind: SpanKind.PRODUCER, parent, attributes }, (span) =>
    append(headersOf(span)),
  );
}
