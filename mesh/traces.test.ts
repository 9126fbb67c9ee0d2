import { trace } from '@opentelemetry/api';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { expect, onTestFinished, test } from 'vitest';
import { contextOf, headersOf, inSpan, isKept, linksTo, mostLinks, readTraceparent, tracerOf } from './traces.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const kept = `00-${traceId}-b7ad6b7169203331-01`;

function withTracing(): InMemorySpanExporter {
  const exporter = new InMemorySpanExporter();
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
  onTestFinished(() => trace.disable());
  return exporter;
}

test.each([undefined, '', 'nonsense\r\nx: y', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`, `${kept}0`])(
  'a header that is none begins a new trace: %s',
  (header) => {
    expect(readTraceparent(header)).toBeUndefined();
    expect(isKept(header)).toBe(false);
  },
);

test('a trace that nobody keeps is none to note', () => {
  expect(isKept(kept)).toBe(true);
  expect(isKept(kept.replace(/-01$/, '-00'))).toBe(false);
});

test('without tracing the context goes through to what follows', async () => {
  const headers = await inSpan(tracerOf('test'), 'work', { parent: contextOf(kept) }, (span) =>
    Promise.resolve(headersOf(span)),
  );
  expect(headers).toEqual({ traceparent: kept });
  expect(await inSpan(tracerOf('test'), 'work', {}, (span) => Promise.resolve(headersOf(span)))).toEqual({});
});

test('a failure ends its span as an error, with its code', async () => {
  const exporter = withTracing();
  await expect(
    inSpan(tracerOf('test'), 'work', { parent: contextOf(kept) }, () => Promise.reject(new Error('no'))),
  ).rejects.toThrow('no');
  const [span] = exporter.getFinishedSpans();
  expect(span?.status.message).toBe('no');
  expect(span?.attributes['error.type']).toBe('internal');
  expect(span?.parentSpanContext?.spanId).toBe('b7ad6b7169203331');
});

test('links are bounded: the newest of many, each once', () => {
  const headers = Array.from({ length: 100 }, (_, i) => `00-${traceId}-${String(i + 1).padStart(16, '0')}-01`);
  const links = linksTo([...headers, ...headers.slice(-1)]);
  expect(links).toHaveLength(mostLinks);
  expect(links.at(-1)?.context.spanId).toBe('0000000000000100');
});
