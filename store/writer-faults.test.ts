/** The writer against a real server that is killed, stopped and started again. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import { storageIndexFromBytes } from '#mesh/storage-index.ts';
import { connectStore, type Store } from './client.ts';
import { type EmbeddedClickHouse, startEmbeddedClickHouse } from './embedded/server.ts';
import { migrate } from './migrations/apply.ts';
import { uint64 } from './row-binary/columns.ts';
import { encodeRows } from './row-binary/table.ts';
import { type GradeChangeRow, gradeChanges, marginHistory } from './tables.ts';
import { freePorts } from './testing/ports.ts';
import { createStoreWriter } from './writer.ts';

let directory: string;
let port: number;
let server: EmbeddedClickHouse;
let store: Store;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'meshward-faults-'));
  [port] = (await freePorts(1)) as [number];
  server = await start();
  store = connectStore({ urls: [server.url], username: server.username, password: server.password });
  await migrate({ store, topology: { kind: 'single' }, clock: systemClock, holder: 'test' });
});
afterAll(async () => {
  await store.close();
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

const start = (): Promise<EmbeddedClickHouse> => startEmbeddedClickHouse({ directory, httpPort: port });

const baseMs = Date.now();

/** A row that is like no other, in a table that keeps every row. */
function change(number: number, policy: string): GradeChangeRow {
  const storageIndex = storageIndexFromBytes(Buffer.from(number.toString(16).padStart(32, '0'), 'hex'));
  return {
    at: baseMs,
    storageIndex,
    policy,
    fromGrade: null,
    toGrade: 'critical',
    available: 1,
    retained: 1,
    margin: 0,
    sizeBytes: number,
    cause: '',
  };
}

async function counted(policy: string): Promise<{ rows: number; different: number; sum: number }> {
  const [found] = await store.select(
    { rows: uint64, different: uint64, sum: uint64 },
    `SELECT count(), uniqExact(storage_index), sum(size_bytes) FROM ${store.qualified('grade_changes')} WHERE policy = {policy:String}`,
    { parameters: { policy } },
  );
  return found as { rows: number; different: number; sum: number };
}

test('a batch that is sent again under its token is there once, in the table and in its rollups', async () => {
  const rows = Array.from({ length: 50 }, (_, margin) => {
    return { at: baseMs, analyzer: 'a', policy: 'again', margin, files: 1, bytes: 1 };
  });
  const body = [encodeRows(marginHistory, rows)];
  for (let time = 0; time < 3; time++) await store.insert(marginHistory, body, { token: 'token-1' });
  for (const table of ['margin_history', 'margin_history_minute', 'margin_history_day']) {
    const [found] = await store.select(
      { rows: uint64 },
      `SELECT count() FROM ${store.qualified(table)} WHERE policy = 'again'`,
    );
    expect([table, found?.rows]).toEqual([table, 50]);
  }
  await store.insert(marginHistory, body, { token: 'token-2' });
  const [found] = await store.select(
    { rows: uint64 },
    `SELECT count() FROM ${store.qualified('margin_history')} WHERE policy = 'again'`,
  );
  expect(found?.rows).toBe(100);
});

test('kill -9 in the middle of inserts: every row is there once when the server is back on its path', async () => {
  const writer = createStoreWriter({
    store,
    clock: systemClock,
    random: Math.random,
    limits: { maxBatchRows: 200, maxBatchDelayMs: 5, maxQueuedBytes: 200_000, retryMaxMs: 200 },
  });
  const total = 60_000;
  let next = 0;
  const writing = (async () => {
    while (next < total) {
      const from = next;
      next += 500;
      await writer.enqueue(
        gradeChanges,
        Array.from({ length: 500 }, (_, offset) => change(from + offset, 'killed')),
      );
    }
    await writer.flush();
  })();
  for (let kill = 1; kill <= 3; kill++) {
    await expect
      .poll(() => writer.stats().insertedRows, { interval: 2, timeout: 30_000 })
      .toBeGreaterThan((kill * total) / 5);
    const acknowledged = writer.stats().insertedRows;
    process.kill(server.pid, 'SIGKILL');
    await server.exited;
    server = await start();
    expect((await counted('killed')).different).toBeGreaterThanOrEqual(acknowledged);
  }
  await writing;
  expect(writer.stats().retries).toBeGreaterThan(0);
  expect(await counted('killed')).toEqual({ rows: total, different: total, sum: (total * (total - 1)) / 2 });
});

test('a server that is away: the writer waits within its bounds, and delivers once when it is back', async () => {
  const limits = { maxBatchRows: 500, maxQueuedBytes: 100_000, retryMaxMs: 100 };
  const writer = createStoreWriter({ store, clock: systemClock, random: Math.random, limits });
  await server.stop();
  const rows = Array.from({ length: 20_000 }, (_, number) => change(number, 'away'));
  const enqueueing = writer.enqueue(gradeChanges, rows);
  await expect.poll(() => writer.stats().retries, { timeout: 30_000 }).toBeGreaterThan(4);
  const stats = writer.stats();
  expect(stats).toMatchObject({
    insertedRows: 0,
    waitingCalls: 1,
    failure: null,
    lastError: expect.stringContaining('ECONNREFUSED'),
  });
  expect(stats.queuedBytes).toBeLessThan(limits.maxQueuedBytes + 1024 * 100);
  server = await start();
  await enqueueing;
  await writer.flush();
  expect(writer.stats()).toMatchObject({ insertedRows: rows.length, queuedRows: 0, lastError: null });
  expect(await counted('away')).toMatchObject({ rows: rows.length, different: rows.length });
});

test('a server that refuses the user fails the writer at once, without a retry', async () => {
  const stranger = connectStore({ urls: [server.url], username: server.username, password: 'wrong' });
  const writer = createStoreWriter({ store: stranger, clock: systemClock, random: Math.random });
  await writer.enqueue(gradeChanges, [change(1, 'refused')]);
  await expect(writer.flush()).rejects.toMatchObject({ code: 'store-refused' });
  expect(writer.stats().retries).toBe(0);
  await stranger.close();
});
