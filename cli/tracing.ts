/** Spans on their way to whoever keeps them: sampled, in a queue with a limit, and what finds no room in it is counted. */
import { context, type Meter, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { ExportResultCode, W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import type { Resource } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  type ReadableSpan,
  type SpanExporter,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';
import type { Config } from '#mesh/config/schema.ts';
import { readHeadersFile } from './headers-file.ts';

export interface Tracing {
  shutdown(): Promise<void>;
}

const batchSpans = 512;

/** Nothing is registered, and the API does nothing, where no address is configured. @throws MeshwardError `config-invalid`. */
export function startTracing(
  resource: Resource,
  { telemetry: config, log }: Pick<Config, 'telemetry' | 'log'>,
  meter: Meter,
): Tracing {
  const counts = spanCounts(meter);
  if (config.otlpUrl === '') return { shutdown: () => Promise.resolve() };
  const exporter = new OTLPTraceExporter({
    url: config.otlpUrl,
    headers: config.otlpHeadersFile === '' ? {} : readHeadersFile(config.otlpHeadersFile),
    timeoutMillis: config.otlpTimeoutMs,
  });
  const provider = new BasicTracerProvider({
    resource,
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(config.traceRatio) }),
    spanProcessors: [namesLog(log.adapter), boundedQueue(exporter, config, counts)],
  });
  trace.setGlobalTracerProvider(provider);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  return { shutdown: () => provider.shutdown() };
}

export type SpanOutcome = 'sent' | 'failed' | 'dropped';
export type SpanCounts = (outcome: SpanOutcome, spans: number) => void;

export function spanCounts(meter: Meter): SpanCounts {
  const spans = meter.createCounter('meshward_trace_spans', {
    description:
      'Spans of traces by what came of them: sent, failed (the receiver did not take them), dropped (the queue was full).',
  });
  for (const outcome of ['sent', 'failed', 'dropped'] as const) spans.add(0, { outcome });
  return (outcome, count) => spans.add(count, { outcome });
}

/** Rooms that write to the log do not know which one it is. */
function namesLog(adapter: Config['log']['adapter']): SpanProcessor {
  const done = (): Promise<void> => Promise.resolve();
  return {
    onStart(span) {
      const isMessaging = span.attributes['messaging.operation.name'] !== undefined;
      if (isMessaging) span.setAttribute('messaging.system', adapter === 'kafka' ? 'kafka' : 'meshward_log');
    },
    onEnd: () => undefined,
    shutdown: done,
    forceFlush: done,
  };
}

/** The processor of the SDK drops without a word what finds no room: so nothing is given to it that it would drop. */
export function boundedQueue(
  exporter: SpanExporter,
  { traceQueueSpans }: Pick<Config['telemetry'], 'traceQueueSpans'>,
  count: SpanCounts,
): SpanProcessor {
  let waiting = 0;
  const counted: SpanExporter = {
    export(spans: ReadableSpan[], done) {
      exporter.export(spans, (result) => {
        waiting -= spans.length;
        count(result.code === ExportResultCode.SUCCESS ? 'sent' : 'failed', spans.length);
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  };
  const batches = new BatchSpanProcessor(counted, {
    maxQueueSize: traceQueueSpans,
    maxExportBatchSize: Math.min(batchSpans, traceQueueSpans),
  });
  return {
    onStart: (span, parent) => batches.onStart(span, parent),
    onEnd(span) {
      if (waiting >= traceQueueSpans) {
        count('dropped', 1);
        return;
      }
      waiting++;
      batches.onEnd(span);
    },
    shutdown: () => batches.shutdown(),
    forceFlush: () => batches.forceFlush(),
  };
}
