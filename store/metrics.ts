/** What the writer and the connection do, as metrics. */
import type { Meter } from '@opentelemetry/api';
import type { Store } from './client.ts';
import type { InsertedBatch, StoreWriter } from './writer.ts';

/** For `StoreWriterOptions.onInserted`. */
export function insertMeasure(meter: Meter): (batch: InsertedBatch) => void {
  const seconds = meter.createHistogram('meshward_store_insert_seconds', {
    description: 'Time from the first try of a batch until ClickHouse acknowledged it.',
    advice: { explicitBucketBoundaries: [0.005, 0.025, 0.1, 0.25, 1, 2.5, 10, 60] },
  });
  const rows = meter.createHistogram('meshward_store_batch_rows', {
    description: 'Rows in a batch that ClickHouse acknowledged.',
    advice: { explicitBucketBoundaries: [1, 10, 100, 1000, 10_000, 100_000] },
  });
  return (batch) => {
    seconds.record(batch.durationMs / 1000, { table: batch.table });
    rows.record(batch.rows, { table: batch.table });
  };
}

/** Gauges and counters, read when they are asked for; they stand at zero from the start. */
export function observeStore(meter: Meter, store: Store, writer: StoreWriter): void {
  const gauge = (name: string, description: string) =>
    meter.createObservableGauge(`meshward_store_${name}`, { description });
  const counter = (name: string, description: string) =>
    meter.createObservableCounter(`meshward_store_${name}`, { description });
  const queuedRows = gauge('queued_rows', 'Rows that ClickHouse has not acknowledged.');
  const queuedBytes = gauge('queued_bytes', 'Their bytes.');
  const limit = gauge('queue_limit_bytes', 'Bytes at which the queue is full: then the log is no longer read.');
  const oldest = gauge('oldest_waiting_seconds', 'Age of the oldest row that ClickHouse has not acknowledged.');
  const waiting = gauge('waiting_calls', 'Calls that wait for room in the queue.');
  const failed = gauge('writer_failed', '1 after ClickHouse refused a batch for good.');
  const endpoint = gauge('endpoint', 'Position in clickhouse.urls of the server that answered last, from 0.');
  const switches = counter('endpoint_switches', 'Times that another server answered than before.');
  const rows = counter('inserted_rows', 'Rows that ClickHouse acknowledged.');
  const bytes = counter('inserted_bytes', 'Their bytes as sent, before compression.');
  const batches = counter('inserted_batches', 'Batches that ClickHouse acknowledged.');
  const retries = counter('insert_retries', 'Times that a batch was sent again.');
  meter.addBatchObservableCallback(
    (result) => {
      const stats = writer.stats();
      result.observe(queuedRows, stats.queuedRows);
      result.observe(queuedBytes, stats.queuedBytes);
      result.observe(limit, stats.queueLimitBytes);
      result.observe(oldest, stats.oldestWaitingMs / 1000);
      result.observe(waiting, stats.waitingCalls);
      result.observe(failed, stats.failure === null ? 0 : 1);
      result.observe(endpoint, store.stats().endpoint);
      result.observe(switches, store.stats().endpointSwitches);
      result.observe(rows, stats.insertedRows);
      result.observe(bytes, stats.insertedBytes);
      result.observe(batches, stats.insertedBatches);
      result.observe(retries, stats.retries);
    },
    [queuedRows, queuedBytes, limit, oldest, waiting, failed, endpoint, switches, rows, bytes, batches, retries],
  );
}
