/** Inserts as spans: rows of many traces go together, so one of them is the parent and the others are links. */
import { SpanKind, TraceFlags, trace } from '@opentelemetry/api';
import { contextOf, inSpan, linksTo, mostLinks, traceparentOf, tracerOf } from '#mesh/traces.ts';
import type { OpenBatch, SealedBatch } from './write-batch.ts';

/** Of whoever enqueues a row at this moment, where that trace is kept. */
export function noteTrace({ traces }: OpenBatch): void {
  const span = trace.getActiveSpan();
  if (span === undefined || (span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
  const traceparent = traceparentOf(span);
  if (traceparent === undefined) return;
  traces.delete(traceparent);
  traces.add(traceparent);
  if (traces.size > mostLinks) traces.delete(traces.values().next().value as string);
}

export function tracedInsert(batch: SealedBatch, insert: () => Promise<void>): Promise<void> {
  const { traces, table } = batch;
  if (traces.length === 0) return insert();
  const options = {
    kind: SpanKind.CLIENT,
    parent: contextOf(traces.at(-1)),
    links: linksTo(traces.slice(0, -1)),
    attributes: {
      'db.system.name': 'clickhouse',
      'db.operation.name': 'INSERT',
      'db.collection.name': table.name,
      'db.operation.batch.size': batch.rowsToSend,
    },
  };
  return inSpan(tracerOf('store'), `INSERT ${table.name}`, options, insert);
}
