/** Keeps some of a process's own metrics in ClickHouse, beside what Prometheus reads: an exporter that hands rows to the store's writer. */
import type { HrTime } from '@opentelemetry/api';
import { type ExportResult, ExportResultCode, hrTimeToMilliseconds } from '@opentelemetry/core';
import {
  AggregationTemporality,
  DataPointType,
  type MetricData,
  type PushMetricExporter,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';
import { type KeptMetric, keptMetrics } from '#store/kept-figures.ts';
import { type ServiceFigureRow, serviceFigures } from '#store/tables.ts';
import type { StoreWriter } from '#store/writer.ts';

export interface FigureSink {
  readonly writer: Pick<StoreWriter, 'enqueue' | 'stats'>;
  /** Names this process beside others of its service, the same over restarts. */
  readonly instance: string;
}

const kept: ReadonlySet<string> = new Set<KeptMetric>(keptMetrics);
/** Labels of one metric that are kept; more of them would be a mistake of the metric. */
const mostPoints = 100;

/** What is counted before there is a sink is not kept; nor is what finds the writer half full, since figures must not hold up the mesh's own rows. */
export class FigureKeeper implements PushMetricExporter {
  readonly #service: string;
  #sink: FigureSink | null = null;
  #writing: Promise<void> | null = null;

  constructor(service: string) {
    this.#service = service;
  }

  attach(sink: FigureSink): void {
    this.#sink = sink;
  }

  export(metrics: ResourceMetrics, done: (result: ExportResult) => void): void {
    const sink = this.#sink;
    if (sink !== null && this.#writing === null && hasRoom(sink)) {
      const rows = figureRows(metrics, this.#service, sink.instance);
      // A writer that has failed says so itself.
      this.#writing = sink.writer
        .enqueue(serviceFigures, rows)
        .catch(() => undefined)
        .finally(() => {
          this.#writing = null;
        });
    }
    done({ code: ExportResultCode.SUCCESS });
  }

  selectAggregationTemporality(): AggregationTemporality {
    return AggregationTemporality.CUMULATIVE;
  }

  async forceFlush(): Promise<void> {
    await this.#writing;
  }

  async shutdown(): Promise<void> {
    this.#sink = null;
    await this.#writing;
  }
}

function hasRoom({ writer }: FigureSink): boolean {
  const { queuedBytes, queueLimitBytes, failure } = writer.stats();
  return failure === null && queuedBytes * 2 < queueLimitBytes;
}

export function figureRows(metrics: ResourceMetrics, service: string, instance: string): ServiceFigureRow[] {
  return metrics.scopeMetrics
    .flatMap((scope) => scope.metrics)
    .filter(({ descriptor }) => kept.has(descriptor.name))
    .flatMap((metric) =>
      pointsOf(metric).map(({ figure, labels, time, value }) => ({
        at: Math.round(hrTimeToMilliseconds(time)),
        figure,
        labels,
        service,
        instance,
        value,
      })),
    );
}

interface Point {
  readonly figure: string;
  readonly labels: string;
  readonly time: HrTime;
  readonly value: number;
}

function pointsOf(metric: MetricData): Point[] {
  const { name } = metric.descriptor;
  switch (metric.dataPointType) {
    case DataPointType.SUM:
    case DataPointType.GAUGE:
      return metric.dataPoints
        .slice(0, mostPoints)
        .map(({ attributes, endTime, value }) => ({ figure: name, labels: written(attributes), time: endTime, value }));
    case DataPointType.HISTOGRAM:
      return metric.dataPoints.slice(0, mostPoints).flatMap(({ attributes, endTime, value }) => {
        const shared = { labels: written(attributes), time: endTime };
        return [
          { ...shared, figure: `${name}_count`, value: value.count },
          { ...shared, figure: `${name}_sum`, value: value.sum ?? 0 },
        ];
      });
    case DataPointType.EXPONENTIAL_HISTOGRAM:
      return [];
  }
}

function written(attributes: Readonly<Record<string, unknown>>): string {
  return Object.entries(attributes)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(',');
}
