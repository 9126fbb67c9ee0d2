import { trace } from '@opentelemetry/api';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { expect, onTestFinished, test } from 'vitest';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { traceparentOf } from '#mesh/traces.ts';
import type { Alert } from './alerts/alert.ts';
import { keptTrace, startLook, traceAlert, traceEntry } from './traces.ts';

const batch = (id: string): string => `00-${id.padStart(32, '0')}-00000000000000ab-01`;
const file = '5fsbhvm3dzua36zgwfjbeg4bvy' as StorageIndex;
const alert: Alert = {
  key: 'files-at-risk',
  severity: 'warning',
  summary: '3 files are at risk',
  next: '',
  files: 3,
  bytes: 9,
  details: {},
};

function withTracing(): InMemorySpanExporter {
  const exporter = new InMemorySpanExporter();
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
  onTestFinished(() => trace.disable());
  return exporter;
}

test('a look that judges several batches goes on from the newest, and is linked to the others', () => {
  const exporter = withTracing();
  startLook('look', [batch('1'), batch('2'), batch('3')])?.end();
  const [look] = exporter.getFinishedSpans();
  expect(look?.spanContext().traceId).toBe('3'.padStart(32, '0'));
  expect(look?.links.map(({ context }) => context.traceId)).toEqual(['1'.padStart(32, '0'), '2'.padStart(32, '0')]);
});

test('a look without a batch has no span, and a sweep without one begins a trace', () => {
  const exporter = withTracing();
  expect(startLook('look', [])).toBeUndefined();
  startLook('sweep', [])?.end();
  expect(exporter.getFinishedSpans()[0]?.parentSpanContext).toBeUndefined();
});

test('an entry goes on from the batch that touched its file, and is linked to the look that judged it', () => {
  const exporter = withTracing();
  const look = keptTrace(startLook('look', [batch('7')]));
  const { headers, span } = traceEntry('at-risk', file, batch('7'), look);
  span?.end();
  const [entry] = exporter.getFinishedSpans();
  expect(entry?.parentSpanContext?.traceId).toBe('7'.padStart(32, '0'));
  expect(entry?.links).toHaveLength(1);
  expect(headers).toEqual({ traceparent: traceparentOf(span as NonNullable<typeof span>) });
});

test('entries that no batch is the reason of go on from the look itself, with no span for each', () => {
  const exporter = withTracing();
  const look = keptTrace(startLook('sweep', []));
  expect(traceEntry('at-risk', file, undefined, look)).toEqual({ headers: { traceparent: look }, span: undefined });
  expect(exporter.getFinishedSpans()).toEqual([]);
  expect(traceEntry('at-risk', file, undefined, undefined)).toEqual({ headers: {}, span: undefined });
});

test('an alert goes on from the sweep that found it', () => {
  const exporter = withTracing();
  const look = keptTrace(startLook('sweep', [batch('9')]));
  const traceparent = traceAlert(alert, look);
  const [span] = exporter.getFinishedSpans();
  expect(span?.name).toMatch(/^alert /);
  expect(span?.spanContext().traceId).toBe('9'.padStart(32, '0'));
  expect(span?.attributes).toMatchObject({ 'meshward.alert.key': 'files-at-risk', 'meshward.alert.files': 3 });
  expect(traceparent).toContain(span?.spanContext().spanId);
  expect(traceAlert(alert, undefined)).toBeUndefined();
});

test('without tracing everything is passed through, and nothing begins', () => {
  expect(keptTrace(startLook('sweep', []))).toBeUndefined();
  expect(traceEntry('at-risk', file, batch('7'), undefined).headers).toEqual({ traceparent: batch('7') });
});
