import { expect, test } from 'vitest';
import type { AppendRecord } from '#log/port.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { GatheredAppends } from './gathered-appends.ts';

function gathering(mostRecords = 100) {
  const clock = new ManualClock();
  const appends: { readonly keys: number[]; readonly durable: PromiseWithResolvers<never[]> }[] = [];
  const appender = new GatheredAppends({
    log: {
      append: (_topic, records) => {
        const durable = Promise.withResolvers<never[]>();
        appends.push({ keys: records.map(({ key }) => key?.[0] ?? -1), durable });
        return durable.promise;
      },
    },
    topic: 'peer-events',
    clock,
    gatherMs: 50,
    mostRecords,
  });
  const acknowledged: number[] = [];
  const append = (number: number): Promise<void> => {
    const record: AppendRecord = { partition: 0, key: Uint8Array.of(number), value: null };
    return appender.append([record]).then(() => void acknowledged.push(number));
  };
  return { clock, appends, append, acknowledged };
}

test('one goes at once, what comes within a moment of it is one append, acknowledged when that is durable and not before', async () => {
  const { clock, appends, append, acknowledged } = gathering();
  void append(1);
  expect(appends.map(({ keys }) => keys)).toEqual([[1]]);
  await clock.advance(30);
  const both = [append(2), append(3)];
  await clock.advance(19);
  expect(appends).toHaveLength(1);
  await clock.advance(1);
  expect(appends.map(({ keys }) => keys)).toEqual([[1], [2, 3]]);
  expect(acknowledged).toEqual([]);
  appends[1]?.durable.resolve([]);
  await Promise.all(both);
  expect(acknowledged).toEqual([2, 3]);
});

test('after a while of silence nothing waits', async () => {
  const { clock, appends, append } = gathering();
  void append(1);
  await clock.advance(50);
  void append(2);
  await clock.advance(70);
  void append(3);
  expect(appends.map(({ keys }) => keys)).toEqual([[1], [2], [3]]);
});

test('what comes while an append is under way goes into the next one, which does not wait for it', async () => {
  const { clock, appends, append, acknowledged } = gathering();
  void append(1);
  const later = append(2);
  await clock.advance(50);
  expect(appends.map(({ keys }) => keys)).toEqual([[1], [2]]);
  appends[1]?.durable.resolve([]);
  await later;
  expect(acknowledged).toEqual([2]);
});

test('many do not wait for more', () => {
  const { appends, append } = gathering(3);
  for (const number of [1, 2, 3, 4, 5]) void append(number);
  expect(appends.map(({ keys }) => keys)).toEqual([[1], [2, 3, 4]]);
});

test('an append that fails fails for everyone in it, and for nobody else', async () => {
  const { clock, appends, append, acknowledged } = gathering();
  void append(1);
  const lost = [append(2), append(3)].map((each) => each.catch((error: Error) => error.message));
  await clock.advance(50);
  appends[1]?.durable.reject(new Error('no room'));
  expect(await Promise.all(lost)).toEqual(['no room', 'no room']);
  const next = append(4);
  await clock.advance(50);
  appends[2]?.durable.resolve([]);
  await next;
  expect(acknowledged).toEqual([4]);
});
