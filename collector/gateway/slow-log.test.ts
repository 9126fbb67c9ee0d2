/** A log that takes long, or never answers: what waits is bounded, senders are told when to come again, and readiness says so. */
import { toBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { type AgentPost, AgentPostSchema } from '#mesh/generated/events_pb.js';
import { silentLogger } from '#mesh/logger.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { createPeerIdentity } from '#tahoe/identity/key-folder.ts';
import { collectorPort } from '../agent/collector-port.ts';
import { type Lane, Sender } from '../agent/sender.ts';
import {
  batchesIn,
  batchPost,
  heartbeatPost,
  newLog,
  newPeer,
  nurlOf,
  startGateway,
  testTopics,
} from './testing/gateway-under-test.ts';
import { hangingLog } from './testing/hanging-log.ts';
import { type RawAnswer, rawRequest } from './testing/raw-request.ts';

const maxConcurrentPosts = 16;
const batchesAtOnce = 12; // the last quarter is for small bodies
const eventCount = 5000;
const bytesOfBatch = eventCount * 18;

/** What came, and a way to await so many. */
class Arrivals<T> {
  readonly all: T[] = [];
  #waiting: { readonly count: number; readonly reached: () => void } | null = null;

  add(one: T): void {
    this.all.push(one);
    if (this.#waiting !== null && this.all.length >= this.#waiting.count) this.#waiting.reached();
  }

  until(count: number): Promise<void> {
    return new Promise((reached) => {
      this.#waiting = { count, reached };
      if (this.all.length >= count) reached();
    });
  }
}

test('while the log does not answer, posts wait up to the limit, all others are told when to come again, and nothing is lost', async () => {
  const memory = newLog();
  const log = hangingLog(memory);
  const clock = new ManualClock();
  const underTest = await startGateway({ log, clock, config: { maxConcurrentPosts } });
  const peers = await Promise.all(Array.from({ length: 40 }, () => newPeer(log, underTest)));
  const callers = peers.map((peer) => ({ peer, client: underTest.client(peer) }));
  log.hang(testTopics.shareEvents.name);

  const refused = new Arrivals<unknown>();
  const settled = callers.map(async ({ peer, client }) => {
    try {
      await client.postEvents(batchPost(peer, { eventCount }));
    } catch (error) {
      refused.add(error);
    }
  });
  await Promise.all([log.untilWaiting(batchesAtOnce), refused.until(peers.length - batchesAtOnce)]);
  for (const error of refused.all)
    expect(error).toMatchObject({ status: 503, code: 'service-busy', retryable: true, retryAfterMs: 1000 });
  expect(log.waiting.appends).toBe(batchesAtOnce);
  expect(log.waiting.bytes).toBeLessThan(batchesAtOnce * bytesOfBatch * 1.1);

  // They come again and again, for as long as it takes: no more waits than before.
  for (let round = 0; round < 3; round++) {
    const again = await Promise.allSettled(
      callers.map(({ peer, client }) => client.postEvents(batchPost(peer, { sequence: 2, eventCount }))),
    );
    expect(again.every(({ status }) => status === 'rejected')).toBe(true);
  }
  expect(log.mostWaiting.appends).toBe(batchesAtOnce);

  expect(underTest.gateway.health()).toEqual({ ready: true, reasons: [] });
  clock.advanceSync(10_001);
  expect(underTest.gateway.health()).toMatchObject({
    ready: false,
    reasons: [expect.stringMatching(/^the log has not answered an append for 10 s/)],
  });
  for (const { peer, client } of callers.slice(0, 4)) {
    expect(await client.postEvents(heartbeatPost(peer))).toEqual({ accepted: 1 });
    // Those that come within a moment wait for each other, and time stands still.
    clock.advanceSync(100);
  }

  log.goOn();
  await Promise.all(settled);
  expect(underTest.gateway.health()).toEqual({ ready: true, reasons: [] });
  for (const { peer, client } of callers) await client.postEvents(batchPost(peer, { eventCount }));
  const written = batchesIn(memory).map(({ batch }) => Buffer.from(batch.peerId).toString('base64url'));
  expect(new Set(written)).toEqual(new Set(peers.map(({ peerId }) => peerId)));
});

test('refused bodies whose dead letters wait for the log have places like all others', async () => {
  const memory = newLog();
  const log = hangingLog(memory);
  const underTest = await startGateway({ log, config: { maxConcurrentPosts } });
  const peers = await Promise.all(Array.from({ length: 4 }, () => newPeer(log, underTest)));
  log.hang(testTopics.deadLetters.name);
  const malformed = new Uint8Array(100_000).fill(0xff);
  const busy = new Arrivals<RawAnswer>();
  const answers = peers.flatMap((peer) =>
    Array.from({ length: 6 }, async () => {
      const answer = await rawRequest(`${underTest.url}/v1/events`, peer, {
        body: malformed,
        headers: { 'content-type': 'application/x-protobuf' },
      });
      if (answer.status === 503) busy.add(answer);
      return answer.status;
    }),
  );
  await Promise.all([log.untilWaiting(batchesAtOnce), busy.until(answers.length - batchesAtOnce)]);
  expect(busy.all.every(({ headers }) => headers['retry-after'] === '1')).toBe(true);
  expect(log.mostWaiting.appends).toBe(batchesAtOnce);
  log.goOn();
  expect((await Promise.all(answers)).filter((status) => status === 400)).toHaveLength(batchesAtOnce);
});

test('strangers and those who want to enrol wait apart from the posts of peers', async () => {
  const memory = newLog();
  const log = hangingLog(memory);
  const underTest = await startGateway({ log, config: { maxConcurrentPosts: 2 } });
  const peer = await newPeer(log, underTest);
  await underTest.client(peer).postEvents(batchPost(peer));
  log.hang(testTopics.deadLetters.name, testTopics.enrolments.name);
  const stranger = await createPeerIdentity();
  const strange = Array.from({ length: 3 }, () =>
    rawRequest(`${underTest.url}/v1/events`, stranger, { body: toBinary(AgentPostSchema, heartbeatPost(stranger)) }),
  );
  await log.untilWaiting(3);
  const held = underTest
    .client(stranger)
    .enrol({ token: 'none', name: '', domains: {}, nurl: nurlOf(stranger), capacityBytes: 0 })
    .catch((error: unknown) => error);
  expect(await underTest.client(peer).postEvents(batchPost(peer, { sequence: 2 }))).toEqual({ accepted: 8 });
  log.goOn();
  expect((await Promise.all(strange)).map(({ status }) => status)).toEqual([401, 401, 401]);
  expect(await held).toMatchObject({ code: 'token-invalid' });
});

test('an agent comes again when the collector said so, not before, and its post is taken then', async () => {
  const memory = newLog();
  const log = hangingLog(memory);
  const underTest = await startGateway({ log, config: { maxConcurrentPosts: 1 } });
  const [first, second] = [await newPeer(log, underTest), await newPeer(log, underTest)];
  log.hang(testTopics.shareEvents.name);
  const held = underTest.client(first).postEvents(batchPost(first, { eventCount }));
  await log.untilWaiting(1);

  const clock = new ManualClock();
  const answers: string[] = [];
  let answered = Promise.withResolvers<void>();
  const queue = [batchPost(second, { eventCount })];
  const lane: Lane<AgentPost> = {
    name: 'shares',
    next: () => Promise.resolve(queue[0] ?? null),
    bodyOf: (post) => toBinary(AgentPostSchema, post),
    sent: () => Promise.resolve(void queue.shift()),
    refused: () => Promise.reject(new Error('it was set aside')),
  };
  const sender = new Sender({
    lane,
    collector: collectorPort(underTest.client(second)),
    clock,
    random: () => 0,
    log: silentLogger,
    limits: { firstPauseMs: 1 },
    onAnswer({ ok, code }) {
      answers.push(ok ? 'taken' : code);
      answered.resolve();
      answered = Promise.withResolvers();
    },
  });
  let next = answered.promise;
  sender.start();
  await next;
  expect(answers).toEqual(['service-busy']);
  await clock.advance(999);
  expect(answers).toEqual(['service-busy']);
  log.goOn();
  await held;
  next = answered.promise;
  await clock.advance(1);
  await next;
  expect(answers).toEqual(['service-busy', 'taken']);
  await sender.stop();
  expect(batchesIn(memory).some(({ batch }) => Buffer.from(batch.peerId).toString('base64url') === second.peerId)).toBe(
    true,
  );
});
