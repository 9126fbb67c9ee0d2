/** Heartbeats of many peers share an append; what else a peer says has one of its own. */
import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { MeshwardError } from '#mesh/errors.ts';
import { AgentPostSchema, AnnounceSchema } from '#mesh/generated/events_pb.js';
import { peerIdToBytes } from '#mesh/peer-id.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import type { GatewayLog } from './service.ts';
import {
  heartbeatPost,
  newLog,
  newPeer,
  peerEventsIn,
  startGateway,
  testTopics,
} from './testing/gateway-under-test.ts';

/** A log that tells which keys came together, and may be made to wait or to fail. Ticks have no key. */
function watchedLog() {
  const memory = newLog();
  const together: string[][] = [];
  let before = (): Promise<void> => Promise.resolve();
  const log: GatewayLog = {
    follow: memory.follow.bind(memory),
    bounds: memory.bounds.bind(memory),
    async append(topic, records) {
      const keys = records.flatMap(({ key }) => (key === null ? [] : [Buffer.from(key).toString('base64url')]));
      if (topic === testTopics.peerEvents.name && keys.length > 0) {
        together.push(keys);
        await before();
      }
      return memory.append(topic, records);
    },
  };
  return { memory, log, together, beforeAppends: (run: () => Promise<void>) => (before = run) };
}

/** Time stands still: the first heartbeat goes at once, and a quarter of these posts do not wait for it. */
const config = { maxConcurrentPosts: 16 };
const peerNumbers = [1, 2, 3, 4, 5];

test('heartbeats of several peers are one append, and none is acknowledged before it is durable', async () => {
  const { memory, log, together, beforeAppends } = watchedLog();
  const gateway = await startGateway({ log, config, clock: new ManualClock() });
  const peers = await Promise.all(peerNumbers.map(() => newPeer(memory, gateway)));
  const durable = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  beforeAppends(() => {
    if (together.length === 2) begun.resolve();
    return durable.promise;
  });
  let acknowledged = 0;
  const posts = peers.map(async (peer) => {
    await gateway.client(peer).postEvents(heartbeatPost(peer));
    acknowledged++;
  });
  await begun.promise;
  expect(together.map((keys) => keys.length)).toEqual([1, 4]);
  expect(together.flat().sort()).toEqual(peers.map(({ peerId }) => peerId).sort());
  expect(acknowledged).toBe(0);
  durable.resolve();
  await Promise.all(posts);
  expect(peerEventsIn(memory)).toHaveLength(peers.length);
});

test('where their append fails each peer is told to come again, and what it sends then is taken', async () => {
  const { memory, log, beforeAppends } = watchedLog();
  const clock = new ManualClock();
  const gateway = await startGateway({ log, config, clock });
  const peers = await Promise.all(peerNumbers.map(() => newPeer(memory, gateway)));
  const post = (): Promise<unknown>[] => peers.map((peer) => gateway.client(peer).postEvents(heartbeatPost(peer)));
  beforeAppends(() => Promise.reject(new MeshwardError('log-full', 'no room', { next: 'wait', retryable: true })));
  for (const refused of await Promise.allSettled(post()))
    expect(refused).toMatchObject({ status: 'rejected', reason: { status: 503, code: 'log-full', retryable: true } });
  beforeAppends(() => Promise.resolve());
  clock.advanceSync(1000);
  expect(await Promise.all(post())).toEqual(peers.map(() => ({ accepted: 1 })));
});

test('what a peer says of itself besides waits for nobody', async () => {
  const { memory, log, together } = watchedLog();
  const gateway = await startGateway({ log });
  const peers = await Promise.all([1, 2].map(() => newPeer(memory, gateway)));
  await Promise.all(
    peers.map((peer) => {
      const value = {
        peerId: peerIdToBytes(peer.peerId),
        incarnation: 1n,
        sequence: 1n,
        body: { case: 'announce', value: create(AnnounceSchema, { name: 'a' }) } as const,
      };
      return gateway.client(peer).postEvents(create(AgentPostSchema, { body: { case: 'event', value } }));
    }),
  );
  expect(together.map((keys) => keys.length)).toEqual([1, 1]);
});
