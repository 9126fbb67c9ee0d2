import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import { connectStore, type Store } from './client.ts';
import { allPeers, filesByIndex } from './queries.ts';
import { uint64 } from './row-binary/columns.ts';
import * as tables from './tables.ts';
import { collect, file, indexOf } from './test-rows.ts';
import { startTestStore, type TestStore } from './test-store.ts';
import { createStoreWriter } from './writer.ts';

let testStore: TestStore;
let store: Store;

beforeAll(async () => {
  testStore = await startTestStore();
  store = await testStore.openDatabase('whole');
});
afterAll(async () => {
  await testStore.close();
});

describe('errors', () => {
  test('a wrong password is refused, and the password is not in the error', async () => {
    const stranger = connectStore({ urls: [testStore.server.url], username: 'meshward', password: 'sesame-wrong' });
    const failure = await stranger.ping().catch((error: unknown) => error as Error);
    expect(failure).toMatchObject({
      code: 'store-refused',
      retryable: false,
      next: expect.stringContaining('passwordFile'),
    });
    expect(JSON.stringify(failure) + String((failure as Error).stack)).not.toContain('sesame-wrong');
    await stranger.close();
  });

  test('a server that is not there is unavailable, and another one in the list is asked', async () => {
    const { username, password, url } = testStore.server;
    const nowhere = 'http://127.0.0.1:9';
    const alone = connectStore({ urls: [nowhere], username, password });
    await expect(alone.ping()).rejects.toMatchObject({ code: 'store-unavailable', retryable: true });
    const pair = connectStore({ urls: [nowhere, url], username, password });
    await pair.ping();
    await Promise.all([alone.close(), pair.close()]);
  });

  test('a missing table is refused and sends to the migration', async () => {
    await expect(allPeers(testStore.connect('empty'))).rejects.toMatchObject({
      code: 'store-refused',
      next: expect.stringContaining('migrates'),
    });
  });

  test('an answer that fails half-way is an error, not a short answer', async () => {
    const rows = store.selectBatches({ n: uint64 }, 'SELECT number + throwIf(number = 3000000) FROM numbers(5000000)');
    await expect(collect(rows)).rejects.toMatchObject({ code: expect.stringMatching(/^store-/) });
  });

  test('rows travel compressed where the network is far', async () => {
    const { username, password, url } = testStore.server;
    const far = connectStore({ urls: [url], username, password, database: 'whole', compression: 'zstd' });
    const farWriter = createStoreWriter({ store: far, clock: systemClock, random: Math.random });
    await farWriter.enqueue(tables.files, [file('far', { partition: 40 })]);
    await farWriter.flush();
    expect(await filesByIndex(far, [indexOf('far')])).toEqual([file('far', { partition: 40 })]);
    await far.close();
  });
});
