/** Requests to peers as spans, within work whose trace is kept; of other work there is nothing to note. */
import { SpanKind, trace } from '@opentelemetry/api';
import type { PeerId } from '#mesh/peer-id.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { inSpan, tracerOf } from '#mesh/traces.ts';

export interface TracedRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT';
  /** Its path, with the parts left open that differ: spans are named by it. */
  readonly template: string;
  readonly storageIndex: StorageIndex;
  readonly shareNumber?: number | undefined;
}

export function tracedRequest<T>(
  peerId: PeerId,
  bytes: number,
  { method, template, storageIndex, shareNumber }: TracedRequest,
  request: () => Promise<T>,
): Promise<T> {
  if (trace.getActiveSpan()?.isRecording() !== true) return request();
  const attributes = {
    'http.request.method': method,
    'url.template': template,
    'meshward.peer_id': peerId,
    'meshward.storage_index': storageIndex,
    'meshward.bytes': bytes,
    ...(shareNumber === undefined ? {} : { 'meshward.share_number': shareNumber }),
  };
  return inSpan(tracerOf('peers'), `${method} ${template}`, { kind: SpanKind.CLIENT, attributes }, request);
}
