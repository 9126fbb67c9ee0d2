import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { expect, test } from 'vitest';
import { newCounts as embeddedCounts } from '#log/embedded/stats.ts';
import { newCounts as kafkaCounts } from '#log/kafka/stats.ts';
import { type LogStats, observeLog } from './log-metrics.ts';

async function metricsOf(stats: LogStats): Promise<string> {
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ readers: [exporter] });
  observeLog(provider.getMeter('log'), () => stats);
  const { resourceMetrics } = await exporter.collect();
  await provider.shutdown();
  return new PrometheusSerializer().serialize(resourceMetrics);
}

const waiting = { pendingBytes: 7, waitingAppends: 2 };

test('what both adapters count has one name, and stands there from the start', async () => {
  const embedded = await metricsOf({ ...embeddedCounts(), ...waiting, commitMsTotal: 1500, commitMsMax: 9 });
  const kafka = await metricsOf({ ...kafkaCounts(), ...waiting, openConnections: 3 });
  for (const text of [embedded, kafka]) {
    expect(text).toMatch(/^meshward_log_appended_records_total(\{.*\})? 0/m);
    expect(text).toMatch(/^meshward_log_pending_bytes(\{.*\})? 7/m);
  }
  expect(embedded).toMatch(/^meshward_log_commit_seconds_total(\{.*\})? 1\.5/m);
  expect(kafka).toMatch(/^meshward_log_connections(\{.*\})? 3/m);
  expect(embedded).not.toContain('meshward_log_connections');
  expect(kafka).not.toContain('meshward_log_store_restarts');
});
