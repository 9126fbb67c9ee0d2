import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { expect, onTestFinished, test } from 'vitest';
import { createGatewayMetrics } from './metrics.ts';
import { testTopics } from './testing/gateway-under-test.ts';

test('every series is there with zero before anything happens, and its name carries its unit', async () => {
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ readers: [exporter] });
  onTestFinished(() => provider.shutdown());
  createGatewayMetrics(provider.getMeter('test'), testTopics, {
    requests: () => 0,
    bodyBytes: () => 0,
    peers: () => ({ enrolled: 0, revoked: 0 }),
    tickLateMs: () => 1500,
    oldestAppendMs: () => 0,
    connections: () => ({ known: 0, newcomer: 0 }),
  });
  const { resourceMetrics } = await exporter.collect();
  const lines = new PrometheusSerializer().serialize(resourceMetrics).split('\n');
  const value = (pattern: RegExp) =>
    lines
      .find((line) => pattern.test(line))
      ?.split(' ')
      .at(-1);
  for (const series of [
    /^meshward_collector_posts_total\{.*kind="batch",outcome="accepted"/,
    /^meshward_collector_share_events_total/,
    /^meshward_collector_refusals_total\{.*code="batch-malformed"/,
    /^meshward_collector_refusals_total\{.*code="log-unavailable"/,
    /^meshward_collector_dead_letters_total\{.*outcome="limited"/,
    /^meshward_collector_ticks_total\{.*topic="test.share-events",outcome="failed"/,
    /^meshward_collector_enrolments_total\{.*outcome="refused"/,
    /^meshward_collector_requests_under_way/,
    /^meshward_collector_oldest_append_seconds/,
    /^meshward_collector_connections\{.*caller="newcomer"/,
    /^meshward_collector_refused_connections_total\{.*reason="evicted"/,
    /^meshward_collector_peers\{.*state="enrolled"/,
  ]) {
    expect([series.source, value(series)]).toEqual([series.source, '0']);
  }
  expect(value(/^meshward_collector_tick_late_seconds/)).toBe('1.5');
});
