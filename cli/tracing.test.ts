import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { context, createNoopMeter, trace } from '@opentelemetry/api';
import { ExportResultCode } from '@opentelemetry/core';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, type ReadableSpan, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import { afterEach, describe, expect, test } from 'vitest';
import { loadConfig } from '#mesh/config/load.ts';
import { contextOf, inSpan, tracerOf } from '#mesh/traces.ts';
import { OtlpReceiver } from '#test/e2e/otlp-receiver.ts';
import { readHeadersFile } from './headers-file.ts';
import { boundedQueue, type SpanOutcome, startTracing } from './tracing.ts';

const noMeter = createNoopMeter();
const folder = mkdtempSync(join(tmpdir(), 'meshward-tracing-'));
afterEach(() => {
  trace.disable();
  context.disable();
});

const configOf = (flags: Record<string, unknown>) => loadConfig({ flags }).config;
const resource = resourceFromAttributes({ 'service.name': 'meshward-test' });

/** Takes nothing until it is told to. */
class SlowExporter implements SpanExporter {
  readonly #waiting: (() => void)[] = [];
  #takes = false;
  export(_spans: ReadableSpan[], done: Parameters<SpanExporter['export']>[1]): void {
    const take = (): void => done({ code: ExportResultCode.SUCCESS });
    if (this.#takes) take();
    else this.#waiting.push(take);
  }
  takeAll(): void {
    this.#takes = true;
    for (const take of this.#waiting.splice(0)) take();
  }
  shutdown(): Promise<void> {
    this.takeAll();
    return Promise.resolve();
  }
}

describe('spans on their way', () => {
  test('are bounded: what finds no room is dropped and counted, and there is room again once some have gone', async () => {
    const exporter = new SlowExporter();
    const counted: Record<SpanOutcome, number> = { sent: 0, failed: 0, dropped: 0 };
    const queue = boundedQueue(exporter, { traceQueueSpans: 4 }, (outcome, spans) => (counted[outcome] += spans));
    const provider = new BasicTracerProvider({ spanProcessors: [queue] });
    const tracer = provider.getTracer('test');
    for (let i = 0; i < 10; i++) tracer.startSpan('work').end();
    expect(counted).toEqual({ sent: 0, failed: 0, dropped: 6 });
    const flushed = queue.forceFlush();
    exporter.takeAll();
    await flushed;
    expect(counted.sent).toBe(4);
    tracer.startSpan('work').end();
    expect(counted.dropped).toBe(6);
    await provider.shutdown();
  });

  test('are sent with the headers of the file, to the configured address, with the log named', async () => {
    await using receiver = await OtlpReceiver.start();
    const headersFile = join(folder, 'headers');
    writeFileSync(headersFile, '# for the keeper of traces\nauthorization: Bearer abc\n\nX-Tenant: mesh\n');
    const telemetry = {
      'telemetry.otlpUrl': receiver.url,
      'telemetry.otlpHeadersFile': headersFile,
      'telemetry.traceRatio': 1,
    };
    const tracing = startTracing(resource, configOf(telemetry), noMeter);
    const attributes = { 'messaging.operation.name': 'send' };
    await inSpan(tracerOf('test'), 'outer', { attributes }, () =>
      inSpan(tracerOf('test'), 'inner', {}, () => Promise.resolve()),
    );
    await tracing.shutdown();
    expect(receiver.headers['authorization']).toBe('Bearer abc');
    expect(receiver.headers['x-tenant']).toBe('mesh');
    const [inner, outer] = receiver.spans;
    expect(inner?.parentSpanId).toBe(outer?.spanId);
    expect(outer).toMatchObject({ service: 'meshward-test', attributes: { 'messaging.system': 'meshward_log' } });
    expect(inner?.attributes).not.toHaveProperty('messaging.system');
  });

  test('are none of traces that somebody else does not keep, and few of those that begin here', async () => {
    await using receiver = await OtlpReceiver.start();
    const telemetry = { 'telemetry.otlpUrl': receiver.url, 'telemetry.traceRatio': 0 };
    const tracing = startTracing(resource, configOf(telemetry), noMeter);
    const trace = '0af7651916cd43dd8448eb211c80319c';
    for (const flags of ['00', '01']) {
      const parent = contextOf(`00-${trace}-b7ad6b7169203331-${flags}`);
      await inSpan(tracerOf('test'), `work ${flags}`, { parent }, () => Promise.resolve());
    }
    await inSpan(tracerOf('test'), 'work', {}, () => Promise.resolve());
    await tracing.shutdown();
    expect(receiver.spans.map(({ name }) => name)).toEqual(['work 01']);
  });
});

test('without an address nothing is registered: no span is ever made', async () => {
  const tracing = startTracing(resource, configOf({}), noMeter);
  await inSpan(tracerOf('test'), 'work', {}, (span) => {
    expect(span.isRecording()).toBe(false);
    expect(trace.getActiveSpan()).toBeUndefined();
    return Promise.resolve();
  });
  await tracing.shutdown();
});

test('a file of headers that is none is refused by its line, and never repeated', () => {
  const path = join(folder, 'wrong');
  writeFileSync(path, 'authorization: Bearer abc\nsecret-without-colon\n');
  expect(() => readHeadersFile(path)).toThrow(/^line 2 of telemetry\.otlpHeadersFile is no header$/);
  expect(() => readHeadersFile(join(folder, 'missing'))).toThrow('cannot be read');
  rmSync(folder, { recursive: true });
});
