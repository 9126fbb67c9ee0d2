import { expect, test } from 'vitest';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { maxLeap } from './incarnations.ts';
import {
  batchesIn,
  batchPost,
  deadLettersIn,
  heartbeatPost,
  newLog,
  newOperator,
  newPeer,
  nurlOf,
  peerEventsIn,
  startGateway,
} from './testing/gateway-under-test.ts';

test('a peer that counts lower than it was heard is told so, by every collector, and nothing of it is dropped in silence', async () => {
  const log = newLog();
  const first = await startGateway({ log });
  const peer = await newPeer(log, first);
  await first.client(peer).postEvents(heartbeatPost(peer, 1, 7));
  await first.client(peer).postEvents(batchPost(peer, { incarnation: 7 }));
  const second = await startGateway({ log, clock: new ManualClock() });
  const outdated = { status: 409, code: 'peer-outdated', retryable: false };
  await expect(second.client(peer).postEvents(heartbeatPost(peer, 1, 1))).rejects.toMatchObject(outdated);
  await expect(second.client(peer).postEvents(batchPost(peer, { incarnation: 6 }))).rejects.toMatchObject(outdated);
  expect(await second.client(peer).settings()).toMatchObject({ lastIncarnation: 7 });
  const operator = second.client(await newOperator(log));
  expect(await operator.directory()).toMatchObject([{ outdatedAtMs: 1_700_000_000_000 }]);
  expect(deadLettersIn(log)).toEqual([]);

  await second.client(peer).postEvents(heartbeatPost(peer, 1, 8));
  expect(await operator.directory()).toMatchObject([{ outdatedAtMs: 0 }]);
  expect(peerEventsIn(log)).toHaveLength(2);
  expect(batchesIn(log).map(({ batch }) => batch.incarnation)).not.toContain(6n);
});

test('batches that waited in a spool are taken behind events of a later start', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const peer = await newPeer(log, gateway);
  const client = gateway.client(peer);
  await client.postEvents(batchPost(peer, { incarnation: 1 }));
  await client.postEvents(heartbeatPost(peer, 1, 2));
  expect(await client.postEvents(batchPost(peer, { incarnation: 1, sequence: 2 }))).toEqual({ accepted: 8 });
  expect(await client.postEvents(batchPost(peer, { incarnation: 2, sequence: 1 }))).toEqual({ accepted: 8 });
});

test('a count that leaps is refused, and does not use up the key', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const peer = await newPeer(log, gateway);
  const client = gateway.client(peer);
  for (const incarnation of [Number.MAX_SAFE_INTEGER, maxLeap + 1])
    await expect(client.postEvents(heartbeatPost(peer, 1, incarnation))).rejects.toMatchObject({
      code: 'batch-malformed',
      message: expect.stringContaining('leaps'),
    });
  expect(await client.postEvents(heartbeatPost(peer, 1, 1))).toEqual({ accepted: 1 });
  expect(await client.settings()).toMatchObject({ lastIncarnation: 1 });
});

test('a peer says where it is served now, with its own key and for itself alone', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const [peer, other] = [await newPeer(log, gateway), await newPeer(log, gateway)];
  const moved = nurlOf(peer).replace(/:\d+\//, ':7777/');
  const client = gateway.client(peer);
  expect(await client.changeAddress(moved)).toEqual({ changed: true });
  expect(await client.changeAddress(moved)).toEqual({ changed: false });
  await expect(gateway.client(other).changeAddress(moved)).rejects.toMatchObject({ code: 'peer-impersonation' });
  const peers = await gateway.client(await newOperator(log)).directory();
  expect(peers.find(({ peerId }) => peerId === peer.peerId)?.nurl).toBe(moved);
});
