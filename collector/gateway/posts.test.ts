import { create, toBinary, toJson, toJsonString } from '@bufbuild/protobuf';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { hasCode, MeshwardError } from '#mesh/errors.ts';
import { AgentPostSchema, AnnounceSchema, ManifestOrigin, ShareBatchSchema } from '#mesh/generated/events_pb.js';
import { maxPostBytes } from '#mesh/limits.ts';
import { createPeerIdentity } from '#tahoe/identity/key-folder.ts';
import type { GatewayLog } from './service.ts';
import {
  batchesIn,
  batchPost,
  deadLettersIn,
  heartbeatPost,
  newLog,
  newOperator,
  newPeer,
  peerEventsIn,
  startGateway,
  testTopics,
} from './testing/gateway-under-test.ts';
import { errorOf, rawRequest } from './testing/raw-request.ts';

const protobuf = { 'content-type': 'application/x-protobuf' };

test('a batch is durable in its partitions before it is acknowledged, in Protobuf as in JSON', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const peer = await newPeer(log, gateway);
  const client = gateway.client(peer);
  expect(await client.postEvents(batchPost(peer, { sequence: 1, eventCount: 40 }))).toEqual({ accepted: 40 });
  const first = batchesIn(log).map(({ record, batch }) => ({ partition: record.partition, batch }));
  expect(first.map(({ partition, batch }) => [partition, batch.kinds.length])).toEqual([
    [0, 10],
    [1, 10],
    [2, 10],
    [3, 10],
  ]);

  const again = batchPost(peer, { sequence: 2, eventCount: 40 });
  const answer = await rawRequest(`${gateway.url}/v1/events`, peer, {
    body: toJsonString(AgentPostSchema, again),
    headers: { 'content-type': 'application/json' },
  });
  expect([answer.status, answer.text]).toEqual([200, '{"accepted":40}']);
  const second = batchesIn(log)
    .filter(({ batch }) => batch.sequence === 2n)
    .map(({ record, batch }) => ({ partition: record.partition, batch: { ...batch, sequence: 1n } }));
  expect(second).toEqual(first);
});

test("a peer's manifests are derived, and its key and trace go with the records", async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const peer = await newPeer(log, gateway);
  const post = batchPost(peer);
  const { value: batch } = post.body as { value: ReturnType<typeof create<typeof ShareBatchSchema>> };
  batch.manifests = create(ShareBatchSchema, {
    manifests: [
      {
        storageIndex: new Uint8Array(16),
        uebHash: new Uint8Array(32),
        k: 1,
        n: 2,
        origin: ManifestOrigin.OWNER,
        tag: 'x',
      },
    ],
  }).manifests;
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  await gateway.client(peer).postEvents(post, { traceparent });
  const written = batchesIn(log);
  expect(written.flatMap(({ batch }) => batch.manifests)).toMatchObject([{ origin: ManifestOrigin.DERIVED, tag: '' }]);
  for (const { record } of written) {
    expect(Buffer.from(record.key ?? []).toString('base64url')).toBe(peer.peerId);
    expect(record.headers['traceparent']).toBe(traceparent);
  }
});

test('an announcement cannot move a peer out of the failure domains that enrolment bound it to', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const peer = await newPeer(log, gateway, { zone: 'a' });
  const post = heartbeatPost(peer);
  if (post.body.case === 'event') {
    const value = create(AnnounceSchema, { domains: { zone: 'b', rack: 'r1' }, name: 'n' });
    post.body.value.body = { case: 'announce', value };
  }
  await gateway.client(peer).postEvents(post);
  expect(peerEventsIn(log)[0]?.body).toMatchObject({ case: 'announce', value: { domains: { zone: 'a', rack: 'r1' } } });
});

test('an unknown peer is refused before its body is read, and the attempt is kept without it', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const stranger = await createPeerIdentity();
  await expect(gateway.client(stranger).postEvents(batchPost(stranger))).rejects.toMatchObject({
    status: 401,
    code: 'peer-unknown',
  });
  expect(batchesIn(log)).toEqual([]);
  expect(deadLettersIn(log)).toMatchObject([{ reasonCode: 'peer-unknown', payload: new Uint8Array() }]);
  const answer = await rawRequest(`${gateway.url}/v1/events`, null, { body: new Uint8Array(3), headers: protobuf });
  expect([answer.status, errorOf(answer).code]).toEqual([401, 'peer-unknown']);
});

test('a revoked peer is refused at its very next post, on the same connection', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const peer = await newPeer(log, gateway);
  const client = gateway.client(peer);
  const operator = gateway.client(await newOperator(log));
  await client.postEvents(heartbeatPost(peer, 1));
  await operator.revokePeer(peer.peerId, 'stolen');
  await expect(client.postEvents(heartbeatPost(peer, 2))).rejects.toMatchObject({ status: 403, code: 'peer-revoked' });
  await expect(client.settings()).rejects.toMatchObject({ code: 'peer-revoked' });
  await operator.restorePeer(peer.peerId);
  expect(await client.postEvents(heartbeatPost(peer, 2))).toEqual({ accepted: 1 });
  expect(peerEventsIn(log)).toHaveLength(2);
});

test('a peer cannot speak for another one', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const [liar, victim] = [await newPeer(log, gateway), await newPeer(log, gateway)];
  for (const post of [batchPost(victim), heartbeatPost(victim)]) {
    await expect(gateway.client(liar).postEvents(post)).rejects.toMatchObject({
      status: 403,
      code: 'peer-impersonation',
    });
  }
  expect([batchesIn(log), peerEventsIn(log)]).toEqual([[], []]);
  const letters = deadLettersIn(log).map((letter) => [
    letter.reasonCode,
    Buffer.from(letter.peerId).toString('base64url'),
  ]);
  expect(letters).toEqual([
    ['peer-impersonation', liar.peerId],
    ['peer-impersonation', liar.peerId],
  ]);
});

test('what was sent twice is acknowledged and not appended again, what is of an earlier start is refused; lanes are apart', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const peer = await newPeer(log, gateway);
  const client = gateway.client(peer);
  const order = [
    [1, 1],
    [1, 2],
    [2, 1],
  ] as const;
  for (const [incarnation, sequence] of order) {
    expect(await client.postEvents(batchPost(peer, { incarnation, sequence }))).toEqual({ accepted: 8 });
  }
  const before = batchesIn(log).length;
  expect(await client.postEvents(batchPost(peer, { incarnation: 2, sequence: 1 }))).toEqual({
    accepted: 0,
    duplicate: true,
  });
  for (const sequence of [1, 2, 99]) {
    await expect(client.postEvents(batchPost(peer, { incarnation: 1, sequence }))).rejects.toMatchObject({
      code: 'peer-outdated',
    });
  }
  expect(batchesIn(log)).toHaveLength(before);
  expect(await client.postEvents(heartbeatPost(peer, 1))).toEqual({ accepted: 1 });
});

test('a gateway that did not see the first one appends again: only what is certain is left out', async () => {
  const log = newLog();
  const gateways = [await startGateway({ log }), await startGateway({ log })] as const;
  const peer = await newPeer(log, gateways[0]);
  await gateways[0].client(peer).postEvents(batchPost(peer));
  const once = batchesIn(log).length;
  expect(await gateways[1].client(peer).postEvents(batchPost(peer))).toEqual({ accepted: 8 });
  expect(batchesIn(log)).toHaveLength(2 * once);
});

test('an empty batch is acknowledged and leaves nothing in the log', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const peer = await newPeer(log, gateway);
  expect(await gateway.client(peer).postEvents(batchPost(peer, { eventCount: 0 }))).toEqual({ accepted: 0 });
  expect(batchesIn(log)).toEqual([]);
});

test('a malformed post gets 400 and is kept as it came, cut at the configured size', async () => {
  const log = newLog();
  const gateway = await startGateway({ log, config: { deadLetterPayloadBytes: 10 } });
  const peer = await newPeer(log, gateway);
  const body = Buffer.from('this is not a post at all');
  const answer = await rawRequest(`${gateway.url}/v1/events`, peer, { body, headers: protobuf });
  expect([answer.status, errorOf(answer).code, errorOf(answer).retryable]).toEqual([400, 'batch-malformed', false]);
  const [letter] = deadLettersIn(log);
  expect(letter).toMatchObject({
    reasonCode: 'batch-malformed',
    payloadBytes: BigInt(body.length),
    contentType: protobuf['content-type'],
  });
  expect(Buffer.from(letter?.payload ?? []).toString()).toBe('this is no');
  expect(Buffer.from(letter?.peerId ?? []).toString('base64url')).toBe(peer.peerId);
});

test('arbitrary bodies are always answered with 4xx and kept or counted, and the gateway goes on', async () => {
  const log = newLog();
  const gateway = await startGateway({ log, config: { postsPerSecond: 10_000 } });
  const peer = await newPeer(log, gateway);
  const body = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 400 }),
    fc.json().map((text) => Buffer.from(text)),
    fc.json().map((text) => Buffer.from(`{"batch":{"peerId":${text}}}`)),
  );
  const type = fc.constantFrom(
    'application/x-protobuf',
    'application/json',
    'text/plain',
    'application/x-protobuf; v=1',
    '',
  );
  await fc.assert(
    fc.asyncProperty(body, type, async (bytes, contentType) => {
      const answer = await rawRequest(`${gateway.url}/v1/events`, peer, {
        body: bytes,
        headers: contentType === '' ? {} : { 'content-type': contentType },
      });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
      expect(errorOf(answer).next).not.toBe('');
    }),
    { numRuns: 60 },
  );
  const letters = deadLettersIn(log).length;
  expect(letters).toBeGreaterThanOrEqual(20);
  expect(letters).toBeLessThan(60); // one peer's share of letters is limited; the rest is counted
  expect(await gateway.client(peer).postEvents(batchPost(peer))).toEqual({ accepted: 8 });
});

test('a body above the limit gets 413 and is kept by its size alone', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const peer = await newPeer(log, gateway);
  const answer = await rawRequest(`${gateway.url}/v1/events`, peer, {
    headers: { ...protobuf, 'content-length': String(maxPostBytes + 1), expect: '100-continue' },
  }).catch((error: unknown) => error as Error);
  expect(answer).toMatchObject({ status: 413 });
  expect(deadLettersIn(log)).toMatchObject([
    { reasonCode: 'batch-too-large', payload: new Uint8Array(), payloadBytes: BigInt(maxPostBytes + 1) },
  ]);
});

test.each(['log-unavailable', 'log-full'] as const)(
  'when the log fails with %s nothing is acknowledged, and the retry succeeds',
  async (code) => {
    const log = newLog();
    let failing = false;
    const flaky: GatewayLog = {
      follow: log.follow.bind(log),
      bounds: log.bounds.bind(log),
      append: (topic, records) =>
        failing && topic === testTopics.shareEvents.name
          ? Promise.reject(new MeshwardError(code, 'no', { next: 'wait', retryable: true }))
          : log.append(topic, records),
    };
    const gateway = await startGateway({ log: flaky });
    const peer = await newPeer(log, gateway);
    failing = true;
    const refused = await rawRequest(`${gateway.url}/v1/events`, peer, {
      body: toBinary(AgentPostSchema, batchPost(peer)),
      headers: protobuf,
    });
    expect([refused.status, errorOf(refused).code, errorOf(refused).retryable]).toEqual([503, code, true]);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    await expect(gateway.client(peer).postEvents(batchPost(peer))).rejects.toMatchObject({
      code,
      retryable: true,
      retryAfterMs: 2000,
    });
    failing = false;
    expect(await gateway.client(peer).postEvents(batchPost(peer))).toEqual({ accepted: 8 });
  },
);

test('a malformed post that cannot be kept is not refused for good: the peer is to send it again', async () => {
  const log = newLog();
  const flaky: GatewayLog = {
    follow: log.follow.bind(log),
    bounds: log.bounds.bind(log),
    append: (topic, records) =>
      topic === testTopics.deadLetters.name
        ? Promise.reject(new MeshwardError('log-unavailable', 'no', { next: 'wait', retryable: true }))
        : log.append(topic, records),
  };
  const gateway = await startGateway({ log: flaky });
  const peer = await newPeer(log, gateway);
  const answer = await rawRequest(`${gateway.url}/v1/events`, peer, { body: new Uint8Array([1]), headers: protobuf });
  expect([answer.status, errorOf(answer).code]).toEqual([503, 'log-unavailable']);
});

test('a peer beyond its rate of posts or events gets 429 with a time to wait; others do not', async () => {
  const log = newLog();
  const gateway = await startGateway({ log, config: { postsPerSecond: 3, eventsPerSecond: 1000 } });
  const [eager, calm] = [await newPeer(log, gateway), await newPeer(log, gateway)];
  const client = gateway.client(eager);
  const posts = await Promise.allSettled(
    [1, 2, 3, 4, 5, 6].map((sequence) => client.postEvents(heartbeatPost(eager, sequence))),
  );
  const refused = posts.flatMap((post) => (post.status === 'rejected' ? [post.reason as unknown] : []));
  expect(refused.length).toBeGreaterThanOrEqual(2);
  for (const error of refused) {
    expect(hasCode(error, 'peer-limit')).toBe(true);
    expect(error).toMatchObject({ status: 429, retryable: true, retryAfterMs: 1000 });
  }
  const calmClient = gateway.client(calm);
  expect(await calmClient.postEvents(batchPost(calm, { sequence: 1, eventCount: 20_000 }))).toEqual({
    accepted: 20_000,
  });
  await expect(calmClient.postEvents(batchPost(calm, { sequence: 2, eventCount: 10_000 }))).rejects.toMatchObject({
    status: 429,
  });
});

test('with a slow log posts are under way up to the limit; more are told to come again, and heartbeats still pass', async () => {
  const log = newLog();
  const durable = Promise.withResolvers<void>();
  let waiting = 0;
  const arrived = Promise.withResolvers<void>();
  const slow: GatewayLog = {
    follow: log.follow.bind(log),
    bounds: log.bounds.bind(log),
    append: async (topic, records) => {
      if (topic === testTopics.shareEvents.name) {
        if (++waiting === 3) arrived.resolve();
        await durable.promise;
      }
      return log.append(topic, records);
    },
  };
  const gateway = await startGateway({ log: slow, config: { maxConcurrentPosts: 4 } });
  const peers = await Promise.all(Array.from({ length: 4 }, () => newPeer(log, gateway)));
  const [a, b, c, d] = peers as [(typeof peers)[0], (typeof peers)[0], (typeof peers)[0], (typeof peers)[0]];
  const large = { eventCount: 10_000 };
  const held = [a, b, c].map((peer) => gateway.client(peer).postEvents(batchPost(peer, large)));
  await arrived.promise;
  await expect(gateway.client(d).postEvents(batchPost(d, large))).rejects.toMatchObject({
    status: 503,
    code: 'service-busy',
    retryAfterMs: 1000,
  });
  expect(await gateway.client(d).postEvents(heartbeatPost(d))).toEqual({ accepted: 1 });
  durable.resolve();
  expect(await Promise.all(held)).toEqual([{ accepted: 10_000 }, { accepted: 10_000 }, { accepted: 10_000 }]);
  expect(await gateway.client(d).postEvents(batchPost(d, large))).toEqual({ accepted: 10_000 });
});

test('what is not taken never repeats what was sent', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const peer = await newPeer(log, gateway);
  const secret = 'c2VjcmV0LXN3aXNzbnVt';
  const post = toJson(AgentPostSchema, heartbeatPost(peer)) as { event: Record<string, unknown> };
  const answer = await rawRequest(`${gateway.url}/v1/events`, peer, {
    body: JSON.stringify({ event: { ...post.event, incarnation: secret } }),
    headers: { 'content-type': 'application/json' },
  });
  expect(answer.status).toBe(400);
  expect(answer.text).not.toContain(secret);
});
