import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import { hasCode, isRetryable } from '#mesh/errors.ts';
import { StoreClient, startStoreWorker } from './store-client.ts';

test('a thread that ends by accident fails what waits on it retryably, and the next call starts another', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'meshward-client-'));
  const topics = [{ name: 't', partitions: 1, compacted: false, retentionMs: 0, retentionBytes: 0 }];
  const config = { directory, topics, lockTimeoutMs: 1000, maxTopicBytes: 0, pollMinMs: 10, pollMaxMs: 50 };
  const workers: Worker[] = [];
  let restarts = 0;
  const client = new StoreClient(
    config,
    () => undefined,
    () => restarts++,
    (started) => {
      const worker = startStoreWorker(started);
      workers.push(worker);
      return worker;
    },
  );
  onTestFinished(async () => {
    await client.close();
    await rm(directory, { recursive: true, force: true });
  });
  await client.open();
  const waiting = client.call('bounds', ['t']);
  const ending = workers[0]?.terminate();
  const outcome = await waiting.catch((error: unknown) => error);
  if (!Array.isArray(outcome)) {
    expect(hasCode(outcome, 'log-unavailable')).toBe(true);
    expect(isRetryable(outcome)).toBe(true);
  }
  await ending;
  expect(await client.call('bounds', ['t'])).toEqual([{ partition: 0, firstOffset: 0, nextOffset: 0 }]);
  expect(workers).toHaveLength(2);
  expect(restarts).toBe(1);
});
