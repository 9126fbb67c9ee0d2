/** Whether the database takes anything: a full disk lets it answer, and nothing more. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { MeshwardError } from '#mesh/errors.ts';
import { migrations } from '#store/migrations/list.ts';
import { text } from '#store/row-binary/columns.ts';
import { startTestStore, type TestStore } from '#store/test-store.ts';
import { fillDisk, mountSmallDisk, smallDisks } from '#test/setup/small-disks.ts';
import { tryToWrite } from './service-checks.ts';

let servers: TestStore;
beforeAll(async () => {
  servers = await startTestStore();
});
afterAll(() => servers.close());

test('a write is tried, and leaves the database as it was', async () => {
  const store = await servers.openDatabase('tried');
  const steps = () =>
    store.select(
      { row: text },
      `SELECT toString((version, name, checksum, applied_at)) AS row FROM ${store.qualified('schema_migrations')} FINAL ORDER BY version`,
    );
  const before = await steps();
  const version = migrations.at(-1)?.version as number;
  for (let i = 0; i < 3; i++) {
    const finding = await tryToWrite(store, version);
    expect(finding).toMatchObject({ state: 'ok', detail: expect.stringContaining('takes what is written') as string });
  }
  expect(await steps()).toEqual(before);
});

test('a database that takes nothing is told, with the reason', async () => {
  const full = new MeshwardError('store-unavailable', 'insert: ClickHouse said NOT_ENOUGH_SPACE', {
    next: 'Wait.',
    retryable: true,
    details: { type: 'NOT_ENOUGH_SPACE' },
  });
  const refusing = { qualified: (name: string) => name, command: () => Promise.reject(full) };
  expect(await tryToWrite(refusing, 5)).toMatchObject({
    state: 'failed',
    detail: expect.stringContaining('takes nothing: insert: ClickHouse said NOT_ENOUGH_SPACE') as string,
    next: expect.stringContaining('disk has room') as string,
  });
});

test.each(smallDisks('512m'))(
  'a server whose disk is really full (%s) answers and takes nothing, until there is room',
  async (size) => {
    const directory = mkdtempSync(join(tmpdir(), 'meshward-full-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    onTestFinished(mountSmallDisk(directory, size));
    await using full = await startTestStore(directory);
    const store = await full.openDatabase('full');
    const version = migrations.at(-1)?.version as number;
    expect(await tryToWrite(store, version)).toMatchObject({ state: 'ok' });
    const makeRoom = fillDisk(directory);
    await store.ping();
    expect(await tryToWrite(store, version)).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining('answers, but takes nothing') as string,
      next: expect.stringContaining('disk has room') as string,
    });
    makeRoom();
    await expect.poll(async () => (await tryToWrite(store, version)).state, { timeout: 60_000 }).toBe('ok');
  },
);

test('a user who may only read is not taken for a full disk', async () => {
  const denied = new MeshwardError('store-refused', 'no', { next: '', details: { type: 'ACCESS_DENIED' } });
  const store = { qualified: (name: string) => name, command: () => Promise.reject(denied) };
  expect(await tryToWrite(store, 5)).toMatchObject({ state: 'ok' });
});
