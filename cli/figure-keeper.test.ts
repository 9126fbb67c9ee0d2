import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { expect, onTestFinished, test } from 'vitest';
import type { ServiceFigureRow } from '#store/tables.ts';
import type { StoreWriter, WriterStats } from '#store/writer.ts';
import { FigureKeeper } from './figure-keeper.ts';

const room = { queuedBytes: 0, queueLimitBytes: 1000, failure: null };

function keeping() {
  const rows: ServiceFigureRow[] = [];
  const stats = { ...room } as unknown as WriterStats;
  const writer = {
    enqueue: async (_table: unknown, more: readonly ServiceFigureRow[]) => {
      rows.push(...more);
    },
    stats: () => stats,
  } as unknown as StoreWriter;
  const keeper = new FigureKeeper('repairer');
  const reader = new PeriodicExportingMetricReader({ exporter: keeper, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({ readers: [reader] });
  onTestFinished(() => provider.shutdown());
  return { rows, stats, writer, keeper, provider, meter: provider.getMeter('test') };
}

test('keeps counters, gauges and the count and sum of histograms that are on the list, with their labels in order', async () => {
  const { rows, writer, keeper, provider, meter } = keeping();
  keeper.attach({ writer, instance: 'host-7702' });
  meter.createCounter('meshward_repairer_faults').add(3, { kind: 'audit-row', class: 'bulk' });
  meter.createHistogram('meshward_repairer_confirm_seconds').record(2.5);
  meter.createCounter('something_else').add(1);
  await provider.forceFlush();
  expect(rows.map(({ figure, labels, value }) => `${figure}{${labels}} ${value}`)).toEqual([
    'meshward_repairer_faults{class=bulk,kind=audit-row} 3',
    'meshward_repairer_confirm_seconds_count{} 1',
    'meshward_repairer_confirm_seconds_sum{} 2.5',
  ]);
  expect(rows[0]).toMatchObject({ service: 'repairer', instance: 'host-7702' });
});

test('keeps nothing before there is a store, and nothing while the writer is half full', async () => {
  const { rows, stats, writer, keeper, provider, meter } = keeping();
  meter.createCounter('meshward_repairer_faults').add(1);
  await provider.forceFlush();
  keeper.attach({ writer, instance: 'host-7702' });
  Object.assign(stats, { queuedBytes: 500 });
  await provider.forceFlush();
  expect(rows).toEqual([]);
  Object.assign(stats, { queuedBytes: 499 });
  await provider.forceFlush();
  expect(rows).toHaveLength(1);
});
