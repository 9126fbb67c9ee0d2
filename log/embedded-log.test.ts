import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import { hasCode, isRetryable, MeshwardError } from '#mesh/errors.ts';
import { fillDisk, mountSmallDisk, smallDisks } from '#test/setup/small-disks.ts';
import { createEmbeddedLog, type EmbeddedLog, type EmbeddedLogOptions } from './embedded-log.ts';
import type { AssignedPartition, TopicSpec } from './port.ts';

const topic: TopicSpec = { name: 't', partitions: 2, compacted: false, retentionMs: 0, retentionBytes: 0 };

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'meshward-log-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function openLog(directory: string, options: Partial<EmbeddedLogOptions> = {}): Promise<EmbeddedLog> {
  const log = await createEmbeddedLog({ directory, topics: [topic], clock: systemClock, ...options });
  onTestFinished(() => log.close());
  return log;
}

function value(bytes: number, fill: number): Uint8Array {
  return new Uint8Array(bytes).fill(fill);
}

async function failure(work: Promise<unknown>): Promise<MeshwardError> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(MeshwardError);
  return error as MeshwardError;
}

/** Appends three records at a time until the log is full; answers how many appends were acknowledged. */
async function fill(log: EmbeddedLog): Promise<{ appends: number; error: MeshwardError }> {
  for (let appends = 0; appends < 1000; appends++) {
    const records = [0, 1, 0].map((partition) => ({ partition, key: null, value: value(30_000, appends % 256) }));
    try {
      await log.append('t', records);
    } catch (error) {
      return { appends, error: error as MeshwardError };
    }
  }
  throw new Error('the log was never full');
}

async function expectWhole(log: EmbeddedLog, appends: number): Promise<void> {
  const bounds = await log.bounds('t');
  expect(bounds.map((one) => one.nextOffset)).toEqual([appends * 2, appends]);
  const seen: number[] = [];
  for (let offset = 0; offset < appends; ) {
    const records = await log.read('t', 1, offset, 1 << 20);
    for (const record of records) seen.push(record.value?.[29_999] as number);
    offset += records.length;
  }
  expect(seen).toEqual(Array.from({ length: appends }, (_, index) => index % 256));
}

describe('a full log', () => {
  test('at its size limit refuses appends with log-full, keeps what it acknowledged, and goes on once retention made room', async () => {
    const directory = newDirectory();
    let shiftMs = 0;
    const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + shiftMs };
    const options = { topics: [{ ...topic, retentionMs: 3_600_000 }], maxTopicBytes: 2_000_000, clock };
    const log = await openLog(directory, options);
    const { appends, error } = await fill(log);
    expect(appends).toBeGreaterThan(10);
    expect(hasCode(error, 'log-full')).toBe(true);
    expect(isRetryable(error)).toBe(true);
    expect(`${error.message} ${error.next}`).toContain(directory);
    await expectWhole(log, appends);
    shiftMs = 7_200_000;
    await log.applyRetention();
    const positions = await log.append('t', [{ partition: 1, key: null, value: value(30_000, 1) }]);
    expect(positions).toEqual([{ partition: 1, offset: appends }]);
  });

  // Where mounting is not allowed, the size limit above stands for the disk.
  test.each(smallDisks('8m'))(
    'on a full disk (%s) appends fail with log-full, reads and commits go on, and it recovers',
    async (size) => {
      const directory = newDirectory();
      onTestFinished(mountSmallDisk(directory, size));
      const log = await openLog(join(directory, 'log'));
      const owned = Promise.withResolvers<AssignedPartition>();
      let handed = 0;
      const membership = await log.join('g', ['t'], {
        assigned: (partitions) => {
          owned.resolve(partitions[1] as AssignedPartition);
          return Promise.resolve(undefined);
        },
        revoked: () => Promise.resolve(),
        records: (_partition, records) => {
          handed += records.length;
          return Promise.resolve();
        },
      });
      const ballast = join(directory, 'ballast');
      writeFileSync(ballast, value(2_000_000, 7));
      const { appends, error } = await fill(log);
      expect(hasCode(error, 'log-full')).toBe(true);
      expect(isRetryable(error)).toBe(true);
      // More commits than the write-ahead log has room for: its space is used again and again.
      for (let i = 0; i < 300; i++) await membership.commit(await owned.promise, i);
      expect((await log.committed('g', 't'))[1]).toBe(299);
      await expectWhole(log, appends);
      rmSync(ballast);
      expect(await log.append('t', [{ partition: 1, key: null, value: value(30_000, 9) }])).toEqual([
        { partition: 1, offset: appends },
      ]);
      await expect.poll(() => handed, { timeout: 20_000 }).toBe(appends * 3 + 1);
      await membership.leave();
    },
  );

  test.each(smallDisks('8m'))(
    'on a disk that is full (%s) is not opened, says so, and is opened when there is room',
    async (size) => {
      const directory = newDirectory();
      onTestFinished(mountSmallDisk(directory, size));
      for (const folder of [directory, join(directory, 'log')]) {
        const makeRoom = fillDisk(directory);
        const error = await failure(openLog(folder));
        expect([error.code, error.retryable]).toEqual(['log-full', true]);
        expect(error.message).toContain(directory);
        makeRoom();
        await (await openLog(folder)).close();
      }
    },
  );
});

describe('opening', () => {
  test('with another partition count names both counts and what to do', async () => {
    const directory = newDirectory();
    await (await openLog(directory)).close();
    const error = await failure(openLog(directory, { topics: [{ ...topic, partitions: 3 }] }));
    expect(error.code).toBe('config-invalid');
    expect(error.message).toContain('2 partitions');
    expect(error.message).toContain('3 partitions');
    expect(error.next).toContain('move');
  });

  test.each([
    ['text', (path: string) => writeFileSync(path, 'no database at all'.repeat(1000))],
    ['a foreign SQLite file', (path: string) => new DatabaseSync(path).exec('CREATE TABLE x (y)')],
    ['a damaged schema page', (path: string) => damage(path, 100, 400)],
    ['a truncated file', (path: string) => writeFileSync(path, readFileSync(path).subarray(0, 9000))],
  ])('over %s says log-corrupt', async (_, harm) => {
    const directory = newDirectory();
    const path = join(directory, 'topic-t.sqlite');
    const isMadeAnew = harm.toString().includes('damage') || harm.toString().includes('readFileSync');
    if (isMadeAnew) {
      const log = await openLog(directory);
      await log.append('t', [{ partition: 0, key: null, value: value(50_000, 1) }]);
      await log.close();
    }
    harm(path);
    const error = await failure(openLog(directory));
    expect(error.code).toBe('log-corrupt');
    expect(error.message).toContain(path);
  });

  test('a damaged record fails its read with log-corrupt, and other partitions stay readable', async () => {
    const directory = newDirectory();
    const log = await openLog(directory);
    for (let i = 0; i < 300; i++)
      await log.append('t', [{ partition: i < 10 ? 0 : 1, key: null, value: value(3000, i % 256) }]);
    await log.close();
    const path = join(directory, 'topic-t.sqlite');
    const size = readFileSync(path).length;
    damage(path, size - 8192 * 3, 8192 * 3);
    const again = await openLog(directory);
    expect((await again.read('t', 0, 0, 1000)).length).toBeGreaterThan(0);
    const error = await failure(again.read('t', 1, 0, 1 << 24));
    expect(error.code).toBe('log-corrupt');
  });

  test.each([
    [{ topics: [{ ...topic, name: '../t' }] }],
    [{ topics: [topic, topic] }],
    [{ topics: [{ ...topic, partitions: 0 }] }],
    [{ fetchBytes: Number.NaN }],
  ])('refuses %j', async (options) => {
    expect((await failure(openLog(newDirectory(), options))).code).toBe('config-invalid');
  });

  test('a directory that cannot be made says so', async () => {
    const file = join(newDirectory(), 'file');
    writeFileSync(file, '');
    expect((await failure(openLog(join(file, 'log')))).code).toBe('log-unavailable');
  });
});

describe('a log whose file another process holds', () => {
  test('lets appends wait within bounds, refuses more retryably, and loses none that it took', async () => {
    const directory = newDirectory();
    const log = await openLog(directory, { maxPendingBytes: 100_000, maxWaitingAppends: 1, maxAppendWaitMs: 100 });
    const holder = new DatabaseSync(join(directory, 'topic-t.sqlite'));
    holder.exec('BEGIN IMMEDIATE');
    const record = { partition: 0, key: null, value: value(40_000, 1) };
    const taken = [log.append('t', [record]), log.append('t', [record])];
    const waiting = failure(log.append('t', [record]));
    const refused = await failure(log.append('t', [record]));
    expect(log.stats().pendingBytes).toBeLessThanOrEqual(100_000);
    expect([refused.code, refused.retryable]).toEqual(['log-unavailable', true]);
    expect((await waiting).code).toBe('log-unavailable');
    holder.exec('ROLLBACK');
    holder.close();
    expect((await Promise.all(taken)).flat().map((position) => position.offset)).toEqual([0, 1]);
    expect((await log.bounds('t'))[0]?.nextOffset).toBe(2);
    expect(log.stats()).toMatchObject({ appendedRecords: 2, failedAppends: 2, pendingBytes: 0, waitingAppends: 0 });
  });

  test('fails an append retryably when the lock lasts too long', async () => {
    const directory = newDirectory();
    const log = await openLog(directory, { lockTimeoutMs: 50 });
    const holder = new DatabaseSync(join(directory, 'topic-t.sqlite'));
    holder.exec('BEGIN IMMEDIATE');
    const error = await failure(log.append('t', [{ partition: 0, key: null, value: value(10, 1) }]));
    expect([error.code, error.retryable]).toEqual(['log-unavailable', true]);
    holder.close();
    await log.append('t', [{ partition: 0, key: null, value: value(10, 1) }]);
  });
});

test('appends that arrive together share transactions', async () => {
  const log = await openLog(newDirectory());
  await Promise.all(
    Array.from({ length: 200 }, () => log.append('t', [{ partition: 0, key: null, value: value(10, 1) }])),
  );
  expect(log.stats().commits).toBeLessThan(20);
  expect(log.stats().appendedRecords).toBe(200);
});

test('space that retention freed is given back to the file system', async () => {
  const directory = newDirectory();
  let shiftMs = 0;
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + shiftMs };
  const log = await openLog(directory, { topics: [{ ...topic, retentionMs: 3_600_000 }], clock });
  for (let i = 0; i < 20; i++) await log.append('t', [{ partition: 0, key: null, value: value(2_000_000, i) }]);
  shiftMs = 7_200_000;
  await log.applyRetention();
  await log.close();
  expect(readFileSync(join(directory, 'topic-t.sqlite')).length).toBeLessThan(25_000_000);
});

function damage(path: string, position: number, length: number): void {
  const file = openSync(path, 'r+');
  writeSync(file, new Uint8Array(length).fill(0xa5), 0, length, position);
  closeSync(file);
}
