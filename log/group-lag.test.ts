import { expect, test } from 'vitest';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { GroupLag } from './group-lag.ts';

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function lagOf(partitions: readonly number[]) {
  const clock = new ManualClock();
  const state = { committed: [4, null, 90] as (number | null)[], away: false };
  const lag = new GroupLag({
    log: {
      async committed() {
        if (state.away) throw new Error('away');
        return state.committed;
      },
      bounds: async () => [
        { partition: 0, firstOffset: 0, nextOffset: 10 },
        { partition: 1, firstOffset: 20, nextOffset: 23 },
        // Retention took what was not read: only what is still there can be read.
        { partition: 2, firstOffset: 100, nextOffset: 101 },
      ],
    },
    group: 'analyzers',
    topic: 'share-events',
    partitions: () => partitions,
    clock,
    everyMs: 1000,
  });
  return { clock, lag, state };
}

test('counts what the log holds and the group has not committed, of its own partitions', async () => {
  const { clock, lag } = lagOf([0, 1]);
  expect(lag.unreadRecords()).toBe(0);
  await clock.advance(1000);
  await settled();
  expect(lag.unreadRecords()).toBe(6 + 3);
});

test('counts what retention left, where it took more than was read', async () => {
  const { clock, lag } = lagOf([2]);
  await clock.advance(1000);
  await settled();
  expect(lag.unreadRecords()).toBe(1);
});

test('lets the last look stand while the log does not answer, and looks again', async () => {
  const { clock, lag, state } = lagOf([0]);
  await clock.advance(1000);
  await settled();
  state.away = true;
  state.committed = [9, null, 90];
  await clock.advance(1000);
  await settled();
  expect(lag.unreadRecords()).toBe(6);
  state.away = false;
  await clock.advance(1000);
  await settled();
  expect(lag.unreadRecords()).toBe(1);
});

test('looks no more once it is closed', async () => {
  const { clock, lag } = lagOf([0]);
  lag.close();
  await clock.advance(10_000);
  await settled();
  expect(lag.unreadRecords()).toBe(0);
});
