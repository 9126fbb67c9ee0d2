import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { TopicSpec } from '../port.ts';
import { packRecords } from './packing.ts';
import { retentionStep } from './retention.ts';
import { TopicFile } from './topic-file.ts';

function openTopic(spec: Partial<TopicSpec>): TopicFile {
  const directory = mkdtempSync(join(tmpdir(), 'meshward-retention-'));
  const whole = { name: 't', partitions: 4, compacted: false, retentionMs: 0, retentionBytes: 0, ...spec };
  const file = new TopicFile(directory, whole, { lockTimeoutMs: 1000, synchronous: 'NORMAL', maxFileBytes: 0 });
  onTestFinished(() => {
    file.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return file;
}

function append(file: TopicFile, count: number, nowMs: number, valueBytes = 968): void {
  const records = Array.from({ length: count }, (_, index) => ({
    partition: index % file.spec.partitions,
    key: null,
    value: new Uint8Array(valueBytes),
  }));
  file.append([packRecords(records)], nowMs);
}

function kept(file: TopicFile): number[] {
  return file.bounds().map(({ firstOffset, nextOffset }) => nextOffset - firstOffset);
}

test('one step serves every partition that is too large, so that a steady stream starves none', () => {
  const file = openTopic({ retentionBytes: 10_000 });
  for (let round = 0; round < 20; round++) {
    append(file, 80, 0);
    retentionStep(file, 0, { tombstoneRetentionMs: 0, stepRecords: 100 });
  }
  expect(kept(file)).toEqual([10, 10, 10, 10]);
});

test('a step removes no more than it may, and says whether there is more', () => {
  const file = openTopic({ retentionMs: 100 });
  append(file, 40, 0);
  append(file, 8, 500);
  const steps = Array.from({ length: 4 }, () => retentionStep(file, 550, { tombstoneRetentionMs: 0, stepRecords: 15 }));
  expect(steps.map((step) => [step.removedRecords, step.removedBytes, step.more])).toEqual([
    [15, 15_000, true],
    [15, 15_000, true],
    [10, 10_000, false],
    [0, 0, false],
  ]);
  expect(kept(file)).toEqual([2, 2, 2, 2]);
});

test('a record larger than the limit stays until a newer one comes', () => {
  const file = openTopic({ partitions: 1, retentionBytes: 100 });
  append(file, 1, 0);
  retentionStep(file, 0, { tombstoneRetentionMs: 0, stepRecords: 10 });
  expect(kept(file)).toEqual([1]);
  append(file, 1, 0);
  retentionStep(file, 0, { tombstoneRetentionMs: 0, stepRecords: 10 });
  expect(file.bounds()).toEqual([{ partition: 0, firstOffset: 1, nextOffset: 2 }]);
});

test('nothing goes from a topic without limits', () => {
  const file = openTopic({});
  append(file, 40, 0);
  expect(retentionStep(file, 1e12, { tombstoneRetentionMs: 0, stepRecords: 10 }).removedRecords).toBe(0);
  expect(kept(file)).toEqual([10, 10, 10, 10]);
});
