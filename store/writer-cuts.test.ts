/** The writer against a real server behind a proxy that cuts connections at bad moments. */
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seededRandom, systemClock } from '#mesh/clock.ts';
import { storageIndexFromBytes } from '#mesh/storage-index.ts';
import { connectStore, type Store } from './client.ts';
import { insertMeasure, observeStore } from './metrics.ts';
import { uint64 } from './row-binary/columns.ts';
import * as tables from './tables.ts';
import { baseMs } from './test-rows.ts';
import { startTestStore, type TestStore } from './test-store.ts';
import { CuttingProxy } from './testing/cutting-proxy.ts';
import { createStoreWriter, type StoreWriter, type StoreWriterOptions } from './writer.ts';

let testStore: TestStore;
let direct: Store;
const toClose: (() => Promise<void>)[] = [];

beforeAll(async () => {
  testStore = await startTestStore();
  direct = await testStore.openDatabase('cuts');
});
afterAll(async () => {
  await Promise.all(toClose.map((close) => close()));
  await testStore.close();
});

async function proxied(count = 1): Promise<{ proxies: CuttingProxy[]; store: Store }> {
  const { url, username, password } = testStore.server;
  const proxies = await Promise.all(Array.from({ length: count }, () => CuttingProxy.start(url)));
  const store = connectStore({ urls: proxies.map((proxy) => proxy.url), username, password, database: 'cuts' });
  toClose.push(async () => {
    await store.close();
    await Promise.all(proxies.map((proxy) => proxy.close()));
  });
  return { proxies, store };
}

function writerOn(store: Store, options: Partial<StoreWriterOptions> = {}): StoreWriter {
  return createStoreWriter({
    store,
    clock: systemClock,
    random: Math.random,
    ...options,
    limits: { retryMinMs: 5, retryMaxMs: 50, ...options.limits },
  });
}

/** Rows whose number in a rollup would double, were they taken twice. */
function sweepRows(policy: string, from: number, count: number): tables.MarginHistoryRow[] {
  return Array.from({ length: count }, (_, offset) => ({
    at: baseMs + from + offset,
    analyzer: 'a',
    policy,
    margin: 5,
    files: 1,
    bytes: 1,
  }));
}

const level = (name: string, figure: string): string =>
  `assumeNotNull((SELECT sum(${figure}) FROM cuts.margin_history_${name} WHERE policy = {policy:String}))`;

async function counted(policy: string): Promise<Record<string, number>> {
  const [found] = await direct.select(
    { raw: uint64, different: uint64, minutes: uint64, hours: uint64, days: uint64 },
    `SELECT count(), uniqExact(at), ${level('minute', 'sweeps')}, ${level('hour', 'sweeps')}, ${level('day', 'files_sum')}
    FROM cuts.margin_history WHERE policy = {policy:String}`,
    { parameters: { policy } },
  );
  return found as Record<string, number>;
}

const once = (rows: number): Record<string, number> => ({
  raw: rows,
  different: rows,
  minutes: rows,
  hours: rows,
  days: rows,
});

describe('a connection that is cut', () => {
  test('after the server took the insert: it is sent again and is there once, in every level too', async () => {
    const { proxies, store } = await proxied();
    const writer = writerOn(store);
    for (let batch = 0; batch < 5; batch++) {
      proxies[0]?.cutNext({ kind: 'before-answer' });
      await writer.enqueue(tables.marginHistory, sweepRows('taken', batch * 100, 100));
      await writer.flush();
    }
    expect(proxies[0]?.cuts).toBe(5);
    expect(writer.stats()).toMatchObject({ retries: 5, insertedRows: 500 });
    expect(await counted('taken')).toEqual(once(500));
  });

  test('anywhere in the request: nothing of a half batch stays, and the whole is there once', async () => {
    const { proxies, store } = await proxied();
    const [proxy] = proxies;
    const writer = writerOn(store);
    await writer.enqueue(tables.marginHistory, sweepRows('half', 0, 300));
    const before = proxy?.forwardedBytes ?? 0;
    await writer.flush();
    const requestBytes = (proxy?.forwardedBytes ?? 0) - before;
    expect(requestBytes).toBeGreaterThan(300 * 20);
    const cuts = [1, 0.3, 0.5, 0.9].map((part) => Math.floor(requestBytes * part));
    for (const [index, afterBytes] of [0, 100, ...cuts.map((bytes) => bytes - 1), requestBytes - 6].entries()) {
      proxy?.cutNext({ kind: 'in-request', afterBytes });
      await writer.enqueue(tables.marginHistory, sweepRows('half', (index + 1) * 300, 300));
      await writer.flush();
      expect(proxy?.isArmed).toBe(false);
    }
    expect(writer.stats().retries).toBe(7);
    expect(await counted('half')).toEqual(once(8 * 300));
  });

  test('again and again at moments of no choice, with several batches under way', async () => {
    const { proxies, store } = await proxied();
    const [proxy] = proxies;
    const random = seededRandom(11);
    const writer = writerOn(store, { limits: { maxBatchRows: 250, maxBatchDelayMs: 5, maxInFlight: 4 } });
    const total = 12_000;
    let written = false;
    const cutting = (async () => {
      for (let acknowledged = -1; !written; ) {
        // Each time some batches must get through, or nothing would ever be done.
        if (proxy?.isArmed === false && writer.stats().insertedBatches > acknowledged) {
          acknowledged = writer.stats().insertedBatches;
          proxy.cutNext(
            random() < 0.5
              ? { kind: 'before-answer' }
              : { kind: 'in-request', afterBytes: Math.floor(random() * 8000) },
          );
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let from = 0; from < total; from += 500)
      await writer.enqueue(tables.marginHistory, sweepRows('often', from, 500));
    await writer.flush();
    written = true;
    await cutting;
    expect(proxy?.cuts).toBeGreaterThan(10);
    expect(await counted('often')).toEqual(once(total));
  });
});

describe('several endpoints', () => {
  test('the next one is taken when the preferred one dies, and the preferred one again when it is back', async () => {
    const { proxies, store } = await proxied(2);
    const [preferred, spare] = proxies as [CuttingProxy, CuttingProxy];
    const writer = writerOn(store);
    let sent = 0;
    const send = async (): Promise<void> => {
      await writer.enqueue(tables.marginHistory, sweepRows('endpoints', sent, 10));
      sent += 10;
      await writer.flush();
    };
    await send();
    expect(store.stats()).toEqual({ endpoint: 0, endpointSwitches: 0 });
    expect(spare.connections).toBe(0);
    preferred.refuse();
    await send();
    expect(store.stats()).toEqual({ endpoint: 1, endpointSwitches: 1 });
    preferred.accept();
    await expect
      .poll(async () => (await send().then(() => store.stats())).endpoint, { interval: 50, timeout: 20_000 })
      .toBe(0);
    // It dies in the middle of an insert that it has taken: the other one is given the same batch, and drops it.
    preferred.cutNext({ kind: 'before-answer' });
    await send();
    expect(store.stats()).toMatchObject({ endpoint: 1 });
    expect(writer.stats().retries).toBe(0);
    expect(await counted('endpoints')).toEqual(once(sent));
  });

  test('all of them away: the queue fills to its bound, calls wait, and everything arrives once when one is back', async () => {
    const { proxies, store } = await proxied(2);
    for (const proxy of proxies) proxy.refuse();
    const limits = { maxBatchRows: 500, maxQueuedBytes: 60_000 };
    const writer = writerOn(store, { limits });
    const rows = sweepRows('away', 0, 8000);
    const enqueueing = writer.enqueue(tables.marginHistory, rows);
    await expect.poll(() => writer.stats().retries, { timeout: 30_000 }).toBeGreaterThan(3);
    const { queuedBytes, waitingCalls, queueLimitBytes } = writer.stats();
    expect({ waitingCalls, queueLimitBytes }).toEqual({ waitingCalls: 1, queueLimitBytes: 60_000 });
    expect(queuedBytes).toBeGreaterThanOrEqual(60_000);
    expect(queuedBytes).toBeLessThan(60_000 + 1024 * 60);
    proxies[1]?.accept();
    await enqueueing;
    await writer.flush();
    expect(await counted('away')).toEqual(once(rows.length));
  });
});

test('metrics tell of the queue, inserts, retries and endpoints, from zero on', async () => {
  const { proxies, store } = await proxied(2);
  const reader = new PulledReader();
  const meter = new MeterProvider({ readers: [reader] }).getMeter('test');
  const writer = writerOn(store, { onInserted: insertMeasure(meter) });
  observeStore(meter, store, writer);
  expect(await reader.values()).toMatchObject({
    meshward_store_queued_rows: 0,
    meshward_store_insert_retries: 0,
    meshward_store_endpoint_switches: 0,
    meshward_store_inserted_rows: 0,
    meshward_store_writer_failed: 0,
  });
  await writer.enqueue(tables.marginHistory, sweepRows('metrics', 0, 40));
  expect(await reader.values()).toMatchObject({ meshward_store_queued_rows: 40 });
  for (const proxy of proxies) proxy.refuse();
  const flushing = writer.flush();
  await expect.poll(() => writer.stats().retries, { timeout: 30_000 }).toBeGreaterThan(1);
  proxies[1]?.accept();
  await flushing;
  const after = await reader.values();
  expect(after).toMatchObject({
    meshward_store_queued_rows: 0,
    meshward_store_queued_bytes: 0,
    meshward_store_inserted_rows: 40,
    meshward_store_inserted_batches: 1,
    meshward_store_endpoint: 1,
    meshward_store_endpoint_switches: 1,
    meshward_store_insert_seconds: 1,
    meshward_store_batch_rows: 1,
  });
  expect(after['meshward_store_insert_retries']).toBe(writer.stats().retries);
});

/** Values by name; of a histogram, its count. */
class PulledReader extends MetricReader {
  protected onForceFlush(): Promise<void> {
    return Promise.resolve();
  }
  protected onShutdown(): Promise<void> {
    return Promise.resolve();
  }
  async values(): Promise<Record<string, number>> {
    const { resourceMetrics } = await this.collect();
    const metrics = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
    return Object.fromEntries(
      metrics.map(({ descriptor, dataPoints }) => {
        const value = dataPoints[0]?.value;
        return [descriptor.name, typeof value === 'object' ? value.count : (value as number)];
      }),
    );
  }
}

test('a row for each file stays one row for each file however often the answer is cut', async () => {
  const { proxies, store } = await proxied();
  const writer = writerOn(store);
  const rows = Array.from(
    { length: 100 },
    (_, number): tables.GradeChangeRow => ({
      at: baseMs,
      storageIndex: storageIndexFromBytes(Buffer.from(number.toString(16).padStart(32, '0'), 'hex')),
      policy: 'p',
      fromGrade: null,
      toGrade: 'lost',
      available: 0,
      retained: 0,
      margin: 0,
      sizeBytes: 1,
      cause: '',
    }),
  );
  await writer.enqueue(tables.gradeChanges, rows);
  proxies[0]?.cutNext({ kind: 'before-answer' });
  const flushing = writer.flush();
  for (let cut = 0; cut < 2; cut++) {
    await expect.poll(() => proxies[0]?.isArmed, { interval: 1, timeout: 20_000 }).toBe(false);
    proxies[0]?.cutNext({ kind: 'before-answer' });
  }
  await flushing;
  const [found] = await direct.select({ rows: uint64 }, 'SELECT count() FROM cuts.grade_changes');
  expect(found?.rows).toBe(100);
});
