/**
 * Where a trace goes on in an analyzer: from a batch of the log to the look that judged its files, to the entry that asks for a
 * repair, and to the alert. Many batches come together in one look: the newest is its parent, the others are links.
 */
import { type Span, SpanKind } from '@opentelemetry/api';
import type { LogRecord } from '#log/port.ts';
import type { PeerBatch } from '#mesh/events/share-batch.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { contextOf, isKept, linksTo, traceHeader, traceparentOf, tracerOf } from '#mesh/traces.ts';
import type { Alert } from './alerts/alert.ts';
import { kindOf } from './alerts/alert.ts';

/** Applies a batch inside a span of its own, where its trace is kept. @returns what files go on from, beside the result. */
export function traceBatch<T>(
  record: LogRecord,
  batch: PeerBatch,
  apply: () => T,
): { readonly result: T; readonly traceparent: string | undefined } {
  const given = record.headers[traceHeader];
  if (!isKept(given)) return { result: apply(), traceparent: undefined };
  const span = tracerOf('analyzer').startSpan(
    `process ${record.topic}`,
    {
      kind: SpanKind.CONSUMER,
      attributes: {
        'messaging.operation.name': 'process',
        'messaging.operation.type': 'process',
        'messaging.destination.name': record.topic,
        'messaging.destination.partition.id': String(record.partition),
        'messaging.kafka.offset': record.offset,
        'meshward.batch.events': batch.shareNumbers.length,
      },
    },
    contextOf(given),
  );
  try {
    return { result: apply(), traceparent: traceparentOf(span) };
  } finally {
    span.end();
  }
}

/** @param batches whose files it judges, the newest last. A look that judges none of a trace has no span: there are many. */
export function startLook(name: 'sweep' | 'look', batches: readonly string[]): Span | undefined {
  if (name === 'look' && batches.length === 0) return undefined;
  return tracerOf('analyzer').startSpan(name, { links: linksTo(batches.slice(0, -1)) }, contextOf(batches.at(-1)));
}

/** To go on from a look; undefined where nobody keeps its trace. */
export function keptTrace(look: Span | undefined): string | undefined {
  const traceparent = look === undefined ? undefined : traceparentOf(look);
  return isKept(traceparent) ? traceparent : undefined;
}

export interface EntryTrace {
  readonly headers: Readonly<Record<string, string>>;
  /** To be ended when the entry is in the log. */
  readonly span: Span | undefined;
}

/**
 * @param batch the trace of the batch that touched the file last. @param look the one that judged it. Where many files are listed
 * because of one look, and no batch, their entries go on from the look itself.
 */
export function traceEntry(
  topic: string,
  file: StorageIndex,
  batch: string | undefined,
  look: string | undefined,
): EntryTrace {
  if (batch === undefined) return { headers: look === undefined ? {} : { [traceHeader]: look }, span: undefined };
  const span = tracerOf('analyzer').startSpan(
    `send ${topic}`,
    {
      kind: SpanKind.PRODUCER,
      links: linksTo(look === undefined ? [] : [look]),
      attributes: {
        'messaging.operation.name': 'send',
        'messaging.operation.type': 'send',
        'messaging.destination.name': topic,
        'meshward.storage_index': file,
      },
    },
    contextOf(batch),
  );
  return { headers: { [traceHeader]: traceparentOf(span) ?? batch }, span };
}

/** An alert that has begun. @returns what its notices go on from. */
export function traceAlert(alert: Alert, look: string | undefined): string | undefined {
  if (look === undefined) return undefined;
  const attributes = {
    'meshward.alert.key': alert.key,
    'meshward.alert.severity': alert.severity,
    'meshward.alert.files': alert.files,
  };
  const span = tracerOf('analyzer').startSpan(`alert ${kindOf(alert.key).name}`, { attributes }, contextOf(look));
  span.end();
  return traceparentOf(span);
}
