import { trace } from '@opentelemetry/api';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { expect, onTestFinished, test } from 'vitest';
import { traced } from './trace-context.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const headersOf = (traceparent: string | undefined) =>
  traced('post', traceparent, (headers) => Promise.resolve(headers['traceparent']));

function withTracing(): InMemorySpanExporter {
  const exporter = new InMemorySpanExporter();
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
  onTestFinished(() => trace.disable());
  return exporter;
}

test('without tracing the caller’s context is passed through, and a broken one is dropped', async () => {
  const traceparent = `00-${traceId}-b7ad6b7169203331-01`;
  expect(await headersOf(traceparent)).toBe(traceparent);
  expect(await headersOf(undefined)).toBeUndefined();
  expect(await headersOf(`00-${'0'.repeat(32)}-b7ad6b7169203331-01`)).toBeUndefined();
  expect(await headersOf('nonsense\r\nx: y')).toBeUndefined();
});

test("with tracing the record carries the span of its handling, within the caller's trace or a new one", async () => {
  const exporter = withTracing();
  const inherited = await headersOf(`00-${traceId}-b7ad6b7169203331-01`);
  const started = await headersOf(undefined);
  const spans = exporter.getFinishedSpans();
  expect(spans.map((span) => span.parentSpanContext?.spanId)).toEqual(['b7ad6b7169203331', undefined]);
  expect(inherited).toBe(`00-${traceId}-${spans[0]?.spanContext().spanId}-01`);
  expect(started).toBe(`00-${spans[1]?.spanContext().traceId}-${spans[1]?.spanContext().spanId}-01`);
});

test('a failure ends its span as an error', async () => {
  const exporter = withTracing();
  await expect(traced('post', undefined, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(exporter.getFinishedSpans()[0]?.status).toMatchObject({ message: 'no' });
});
