import { expect, test } from 'vitest';
import { seededRandom } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { silentLogger } from '#mesh/logger.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { classifyPostFailure } from './post-failure.ts';
import { type Lane, Sender } from './sender.ts';
import { malformed, unavailable } from './testing/fake-collector.ts';

interface Bench {
  readonly clock: ManualClock;
  readonly sender: Sender<number>;
  readonly queue: number[];
  readonly taken: number[];
  readonly refused: number[];
  /** How often the collector was asked. */
  tries: number;
  answer: (item: number) => Promise<void>;
}

function bench(items: number[]): Bench {
  const clock = new ManualClock();
  const queue = [...items];
  const made: Omit<Bench, 'sender'> = {
    clock,
    queue,
    taken: [],
    refused: [],
    tries: 0,
    answer: () => Promise.resolve(),
  };
  const lane: Lane<number> = {
    name: 'shares',
    next: () => Promise.resolve(queue[0] ?? null),
    bodyOf: (item) => Uint8Array.of(item),
    sent: (item) => {
      made.taken.push(item);
      queue.splice(queue.indexOf(item), 1);
      return Promise.resolve();
    },
    refused: (item) => {
      made.refused.push(item);
      queue.splice(queue.indexOf(item), 1);
      return Promise.resolve();
    },
  };
  const collector = {
    post: async ([item]: Uint8Array) => {
      made.tries++;
      await made.answer(item as number);
    },
  };
  const sender = new Sender({ lane, collector, clock, random: seededRandom(1), log: silentLogger });
  return Object.assign(made, { sender });
}

test('items go in order, and the next one only after the answer to the last', async () => {
  const it = bench([1, 2, 3]);
  let under = 0;
  it.answer = async () => {
    expect(++under).toBe(1);
    await Promise.resolve();
    under--;
  };
  it.sender.start();
  await it.clock.advance(1);
  expect(it.taken).toEqual([1, 2, 3]);
  it.queue.push(4);
  it.sender.wake();
  await it.clock.advance(1);
  expect(it.taken).toEqual([1, 2, 3, 4]);
  await it.sender.stop();
});

test('while the collector is away the same item is tried with growing pauses, at most a minute', async () => {
  const it = bench([1, 2]);
  it.answer = () => Promise.reject(unavailable());
  it.sender.start();
  await it.clock.advance(10 * 60_000);
  expect(it.taken).toEqual([]);
  expect(it.tries).toBeGreaterThanOrEqual(13);
  expect(it.tries).toBeLessThan(35);
  it.answer = () => Promise.resolve();
  await it.clock.advance(60_000);
  expect(it.taken).toEqual([1, 2]);
  await it.sender.stop();
});

test('the collector says when to come again, and is not asked before', async () => {
  const it = bench([1]);
  it.answer = () => Promise.reject(unavailable({ retryAfterMs: 20_000 }));
  it.sender.start();
  await it.clock.advance(19_999);
  expect(it.tries).toBe(1);
  await it.clock.advance(2);
  expect(it.tries).toBe(2);
  await it.sender.stop();
});

test('a post that will never be taken does not hold up the next one', async () => {
  const it = bench([1, 2]);
  it.answer = (item) => (item === 1 ? Promise.reject(malformed()) : Promise.resolve());
  it.sender.start();
  await it.clock.advance(1);
  expect(it.refused).toEqual([1]);
  expect(it.taken).toEqual([2]);
  await it.sender.stop();
});

test('a failure that says neither yes nor no is tried ten times, then set aside', async () => {
  const it = bench([1, 2]);
  const internal = new MeshwardError('internal', 'a defect', { next: 'Look.' });
  it.answer = (item) => (item === 1 ? Promise.reject(internal) : Promise.resolve());
  it.sender.start();
  await it.clock.advance(20 * 60_000);
  expect(it.tries).toBe(11);
  expect(it.refused).toEqual([1]);
  expect(it.taken).toEqual([2]);
  await it.sender.stop();
});

test('a revoked peer keeps its posts and asks about once a minute', async () => {
  const it = bench([1]);
  it.answer = () => Promise.reject(new MeshwardError('peer-revoked', 'revoked', { next: 'Ask an operator.' }));
  it.sender.start();
  await it.clock.advance(10 * 60_000);
  expect(it.tries).toBeGreaterThan(5);
  expect(it.tries).toBeLessThan(12);
  expect(it.queue).toEqual([1]);
  it.answer = () => Promise.resolve();
  await it.clock.advance(90_000);
  expect(it.taken).toEqual([1]);
  await it.sender.stop();
});

test('a post without an answer is given up after the time limit and made again', async () => {
  const it = bench([1]);
  const clock = it.clock;
  let calls = 0;
  const signals: AbortSignal[] = [];
  const lane: Lane<number> = {
    name: 'peer',
    next: () => Promise.resolve(calls < 3 ? 1 : null),
    bodyOf: () => Uint8Array.of(1),
    sent: () => Promise.resolve(),
    refused: () => Promise.resolve(),
  };
  const collector = {
    post: (_body: Uint8Array, signal: AbortSignal) => {
      calls++;
      signals.push(signal);
      return calls > 1
        ? Promise.resolve()
        : new Promise<void>((_resolve, reject) =>
            signal.addEventListener('abort', () => reject(signal.reason as Error)),
          );
    },
  };
  const sender = new Sender({ lane, collector, clock, random: seededRandom(1), log: silentLogger });
  sender.start();
  await clock.advance(29_999);
  expect(calls).toBe(1);
  await clock.advance(1000);
  expect(calls).toBeGreaterThan(1);
  expect(signals[0]?.aborted).toBe(true);
  await sender.stop();
});

test('a paused sender says nothing, and goes on where it was', async () => {
  const it = bench([1]);
  it.sender.pause();
  it.sender.start();
  await it.clock.advance(60_000);
  expect(it.tries).toBe(0);
  it.sender.resume();
  await it.clock.advance(1);
  expect(it.taken).toEqual([1]);
  await it.sender.stop();
});

test('every failure has a meaning', () => {
  expect(classifyPostFailure(new TypeError('fetch failed'))).toEqual({ kind: 'later', atLeastMs: 0 });
  expect(classifyPostFailure(undefined)).toEqual({ kind: 'later', atLeastMs: 0 });
  expect(classifyPostFailure(unavailable({ retryAfterMs: 1e12 }))).toEqual({ kind: 'later', atLeastMs: 600_000 });
  expect(classifyPostFailure(malformed())).toEqual({ kind: 'refused' });
});
