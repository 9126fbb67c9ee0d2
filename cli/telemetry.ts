/** OpenTelemetry and logs of one process: metrics for Prometheus, traces by OTLP where an address is set, pino for logs. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Meter, metrics, trace } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import pino from 'pino';
import type { Config } from '#mesh/config/schema.ts';
import type { Logger } from '#mesh/logger.ts';
import { figuresIntervalMs } from '#store/kept-figures.ts';
import { FigureKeeper, type FigureSink } from './figure-keeper.ts';
import { startTracing } from './tracing.ts';
import { softwareVersion } from './version.ts';

export interface Telemetry {
  readonly logger: Logger;
  /** Answers with every metric as Prometheus reads it. */
  writeMetrics(request: IncomingMessage, response: ServerResponse): void;
  /** Some figures are kept in ClickHouse too, once its tables are `prepared`: a row for a table that is not there yet is refused for good. */
  keepFigures(sink: FigureSink, prepared: Promise<unknown>): void;
  shutdown(): Promise<void>;
}

/** Names of fields that never reach a log line, whatever object they come in. */
const secretFields = ['nurl', 'swissnum', 'token', 'password', 'privateKey', 'key', 'secret', 'authorization'];

export function startTelemetry(service: string, config: Pick<Config, 'telemetry' | 'log'>): Telemetry {
  const resource = resourceFromAttributes({
    'service.name': `meshward-${service}`,
    'service.version': softwareVersion,
  });
  const prometheus = new PrometheusExporter({ preventServerStart: true });
  const keeper = new FigureKeeper(service);
  const keeping = new PeriodicExportingMetricReader({
    exporter: keeper,
    exportIntervalMillis: figuresIntervalMs,
    exportTimeoutMillis: figuresIntervalMs,
  });
  const meterProvider = new MeterProvider({ resource, readers: [prometheus, keeping] });
  metrics.setGlobalMeterProvider(meterProvider);
  observeProcess(metrics.getMeter('meshward.process'));

  const tracing = startTracing(resource, config, metrics.getMeter('meshward.traces'));

  const logger = pino(
    {
      level: config.telemetry.logLevel,
      base: { service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretFields.flatMap((name) => [name, `*.${name}`]), censor: '(secret)' },
      mixin() {
        const span = trace.getActiveSpan()?.spanContext();
        return span === undefined ? {} : { traceId: span.traceId };
      },
    },
    pino.destination({ dest: 2, sync: true }),
  );
  return {
    logger,
    writeMetrics: (request, response) => prometheus.getMetricsRequestHandler(request, response),
    keepFigures(sink, prepared) {
      prepared.then(
        () => keeper.attach(sink),
        () => undefined,
      );
    },
    async shutdown() {
      await tracing.shutdown();
      await meterProvider.shutdown();
    },
  };
}

function observeProcess(meter: Meter): void {
  meter
    .createObservableGauge('meshward_process_memory_bytes', { description: 'Resident memory of the process.' })
    .addCallback((result) => result.observe(process.memoryUsage.rss()));
  meter
    .createObservableGauge('meshward_process_uptime_seconds', { description: 'Since the process was started.' })
    .addCallback((result) => result.observe(process.uptime()));
}
