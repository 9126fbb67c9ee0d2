import { expect, test } from 'vitest';
import { MeshwardError } from '#mesh/errors.ts';
import { splitAppend } from './append-parts.ts';
import type { LanePart } from './lane.ts';

const records = [0, 1, 0, 1, 0].map((partition, i) => ({ partition, key: null, value: Buffer.from(String(i)) }));
const failure = new MeshwardError('log-unavailable', 'away', { next: 'wait' });

function split(): { zero: LanePart; one: LanePart; settled: ReturnType<typeof splitAppend>['settled'] } {
  const { parts, settled } = splitAppend(records, 1);
  settled.catch(() => undefined);
  return { zero: parts.get(0) as LanePart, one: parts.get(1) as LanePart, settled };
}

test('positions come in the order of the records, though partitions are written in pieces', async () => {
  const { zero, one, settled } = split();
  expect(zero.records.map(({ value }) => String(value))).toEqual(['0', '2', '4']);
  zero.written(0, 2, 10);
  one.written(0, 2, 70);
  zero.written(2, 1, 99);
  expect(await settled).toEqual([
    { partition: 0, offset: 10 },
    { partition: 1, offset: 70 },
    { partition: 0, offset: 11 },
    { partition: 1, offset: 71 },
    { partition: 0, offset: 99 },
  ]);
});

test('a failure is told when nothing is on its way any more', async () => {
  const { zero, one, settled } = split();
  let isSettled = false;
  settled
    .catch(() => undefined)
    .finally(() => {
      isSettled = true;
    });
  one.failed(failure);
  await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  expect(isSettled).toBe(false);
  expect(one.isAbandoned()).toBe(true);
  expect(zero.isAbandoned()).toBe(true);
  await expect(settled).rejects.toBe(failure);
});

test('what is out when another partition fails is waited for', async () => {
  const { zero, one, settled } = split();
  one.failed(failure);
  zero.written(0, 3, 5);
  await expect(settled).rejects.toBe(failure);
});
