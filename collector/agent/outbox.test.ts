import { expect, test } from 'vitest';
import { ShareEventKind } from '#mesh/generated/events_pb.js';
import { silentLogger } from '#mesh/logger.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import type { BatchColumns } from './batch-writer.ts';
import { Outbox } from './outbox.ts';
import { OwedInventory } from './owed-inventory.ts';

function bench(eventsPerBatch = 4) {
  const clock = new ManualClock();
  const batches: { numbers: number[]; kinds: number[] }[] = [];
  let overflows = 0;
  const outbox = new Outbox({
    batches: {
      append: ({ shareNumbers, kinds, storageIndexes }: BatchColumns) => {
        expect(storageIndexes.length).toBe(shareNumbers.length * 16);
        batches.push({ numbers: [...shareNumbers], kinds: [...kinds] });
        return Promise.resolve('stored');
      },
    },
    clock,
    log: silentLogger,
    eventsPerBatch,
    onOverflow: () => overflows++,
  });
  const say = (shareNumber: number): void => outbox.share(new Uint8Array(16).fill(shareNumber), shareNumber, 'stored');
  return { clock, outbox, batches, say, overflows: () => overflows };
}

test('changes are gathered for a moment into one batch, in their order', async () => {
  const { clock, batches, say, outbox } = bench(100);
  say(1);
  say(2);
  outbox.share(new Uint8Array(16), 1, 'lost');
  await clock.advance(49);
  expect(batches).toEqual([]);
  await clock.advance(1);
  expect(batches).toEqual([
    { numbers: [1, 2, 1], kinds: [ShareEventKind.STORED, ShareEventKind.STORED, ShareEventKind.LOST] },
  ]);
});

test('what says only that all is as it was is gathered for longer', async () => {
  const { clock, batches, outbox } = bench(100);
  for (const number of [1, 2, 3]) {
    outbox.share(new Uint8Array(16), number, 'verified', 'later');
    await clock.advance(1000);
  }
  await clock.advance(26_999);
  expect(batches).toEqual([]);
  expect(outbox.isEmpty).toBe(false);
  await clock.advance(1);
  expect(batches.map(({ numbers }) => numbers)).toEqual([[1, 2, 3]]);
});

test('a change takes along what waits for longer, in its order', async () => {
  const { clock, batches, say, outbox } = bench(100);
  outbox.share(new Uint8Array(16), 1, 'verified', 'later');
  await clock.advance(1000);
  say(2);
  outbox.share(new Uint8Array(16), 3, 'verified', 'later');
  await clock.advance(50);
  expect(batches.map(({ numbers }) => numbers)).toEqual([[1, 2, 3]]);
  await clock.advance(60_000);
  expect(batches).toHaveLength(1);
});

test('a full batch does not wait, and no batch is larger than it may be', async () => {
  const { clock, batches, say } = bench();
  for (let i = 0; i < 10; i++) say(i);
  await clock.advance(60);
  expect(batches.map((batch) => batch.numbers)).toEqual([
    [0, 1, 2, 3],
    [4, 5, 6, 7],
    [8, 9],
  ]);
});

test('nothing comes between what is written while changes are held', async () => {
  const { clock, batches, say, outbox } = bench();
  say(1);
  const gate = Promise.withResolvers<void>();
  const held = outbox.hold(async () => {
    batches.push({ numbers: [100], kinds: [] });
    await gate.promise;
    batches.push({ numbers: [101], kinds: [] });
  });
  await clock.advance(10);
  for (let i = 2; i < 8; i++) say(i);
  await clock.advance(1000);
  gate.resolve();
  await held;
  await clock.advance(100);
  expect(batches.flatMap((batch) => batch.numbers)).toEqual([1, 100, 101, 2, 3, 4, 5, 6, 7]);
});

test('changes that find no room are given up as a whole, and that is said', async () => {
  const { clock, batches, say, outbox, overflows } = bench();
  const gate = Promise.withResolvers<void>();
  const held = outbox.hold(() => gate.promise);
  await clock.advance(1);
  for (let i = 0; i < 17; i++) say(i);
  expect(overflows()).toBe(1);
  say(99);
  gate.resolve();
  await held;
  await clock.advance(100);
  expect(batches.flatMap((batch) => batch.numbers)).toEqual([99]);
});

test('a producer that waits for room gets it once a batch is written', async () => {
  const { clock, say, outbox } = bench();
  const gate = Promise.withResolvers<void>();
  void outbox.hold(() => gate.promise);
  await clock.advance(1);
  for (let i = 0; i < 8; i++) say(i);
  let hasRoom = false;
  void outbox.room().then(() => {
    hasRoom = true;
  });
  await clock.advance(100);
  expect(hasRoom).toBe(false);
  gate.resolve();
  await clock.advance(100);
  expect(hasRoom).toBe(true);
});

test('an inventory that is owed waits for the collector, and is not taken again and again', async () => {
  const clock = new ManualClock();
  let taken = 0;
  const owed = new OwedInventory(clock, () => taken++);
  owed.owe();
  await clock.advance(100_000);
  expect(taken).toBe(0);
  owed.setReachable(true);
  expect(taken).toBe(1);
  for (let second = 0; second < 3600; second++) {
    owed.owe();
    await clock.advance(1000);
  }
  expect(taken).toBeGreaterThan(5);
  expect(taken).toBeLessThan(16);
  await clock.advance(700_000);
  const before = taken;
  await clock.advance(700_000);
  owed.owe();
  expect(taken).toBe(before + 1);
  owed.stop();
}, 60_000);
