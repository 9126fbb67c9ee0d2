import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { expect, it } from 'vitest';
import { createRepairerMetrics, faultKinds } from './metrics.ts';
import { repairClasses } from './queue/risk.ts';
import { repairEndings } from './repair/repair-report.ts';

it('every series is there with zero before anything has happened', async () => {
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ readers: [exporter] });
  createRepairerMetrics(provider.getMeter('test'), {
    queued: () => ({ critical: 0, 'at-risk': 0, degraded: 0, lost: 0 }),
    running: () => 0,
    leftOutPartitions: () => 0,
    brakeHeld: () => false,
    peersAgeMs: () => Number.POSITIVE_INFINITY,
    uploadBytes: () => 0,
  });
  const { resourceMetrics } = await exporter.collect();
  const text = new PrometheusSerializer().serialize(resourceMetrics);
  for (const ending of repairEndings) {
    for (const repairClass of repairClasses) {
      expect(text).toMatch(
        new RegExp(`^meshward_repairer_repairs_total\\{.*ending="${ending}".*class="${repairClass}".*\\} 0$`, 'm'),
      );
    }
  }
  for (const repairClass of repairClasses)
    expect(text).toMatch(new RegExp(`^meshward_repairer_files\\{.*class="${repairClass}".*\\} 0$`, 'm'));
  for (const kind of faultKinds)
    expect(text).toMatch(new RegExp(`^meshward_repairer_faults_total\\{.*kind="${kind}".*\\} 0$`, 'm'));
  for (const name of ['running', 'brake', 'left_out_partitions', 'unconfirmed_total']) {
    expect(text).toMatch(new RegExp(`^meshward_repairer_${name}(\\{.*\\})? 0$`, 'm'));
  }
  await provider.shutdown();
});
