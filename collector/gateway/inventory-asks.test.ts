import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { expect, test, vi } from 'vitest';
import type { InMemoryLog } from '#log/in-memory.ts';
import { EnrolmentSchema, PeerEventsRecordSchema } from '#mesh/generated/events_pb.js';
import { type PeerId, peerIdFromBytes, peerIdToBytes } from '#mesh/peer-id.ts';
import { newLog, newOperator, newPeer, startGateway, testTopics } from './testing/gateway-under-test.ts';

async function report(log: InMemoryLog, asks: readonly (readonly [PeerId, number])[]): Promise<void> {
  const inventoryAsks = asks.map(([peer, request]) => ({ peerId: peerIdToBytes(peer), request: BigInt(request) }));
  const body = { case: 'report', value: { analyzer: 'a', atMs: 1n, inventoryAsks } } as const;
  const value = toBinary(PeerEventsRecordSchema, create(PeerEventsRecordSchema, { body }));
  await log.append(testTopics.peerEvents.name, [{ partition: 0, key: null, value }]);
}

/** Every request that the log has of each peer, in its order. */
function requestsIn(log: InMemoryLog, peer: PeerId): number[] {
  return log.all(testTopics.enrolments.name).flatMap(({ value }) => {
    if (value === null) return [];
    const { body } = fromBinary(EnrolmentSchema, value);
    if (body.case !== 'peer' || peerIdFromBytes(body.value.peerId) !== peer) return [];
    return [Number(body.value.settings?.inventoryRequest ?? 0n)];
  });
}

test('a peer that an analyzer names is asked once, however many collectors read it and however often it is said', async () => {
  const log = newLog();
  const gateways = [await startGateway({ log }), await startGateway({ log })] as const;
  const [peer, other] = [await newPeer(log, gateways[0]), await newPeer(log, gateways[1])];
  const client = gateways[1].client(peer);
  const before = await client.settings();
  await report(log, [[peer.peerId, 1]]);
  await vi.waitFor(async () =>
    expect(await client.settings(before?.version, 0)).toMatchObject({ inventoryRequest: 1 }),
  );
  await report(log, [[peer.peerId, 1]]);
  await report(log, [[other.peerId, 1]]);
  await vi.waitFor(() => expect(requestsIn(log, other.peerId)).toContain(1));
  expect(new Set(requestsIn(log, peer.peerId))).toEqual(new Set([0, 1]));
  expect(await client.settings()).toEqual({ ...before, inventoryRequest: 1 });
});

test('numbers that are not the next, peers that are not known or revoked, and what cannot be read ask nobody', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const operator = gateway.client(await newOperator(log));
  const [peer, revoked, last] = [await newPeer(log, gateway), await newPeer(log, gateway), await newPeer(log, gateway)];
  await operator.revokePeer(revoked.peerId, 'gone');
  await log.append(testTopics.peerEvents.name, [{ partition: 0, key: null, value: new Uint8Array([255, 1]) }]);
  await report(log, [
    [peer.peerId, 0],
    [peer.peerId, 2],
    [peer.peerId, 1_000_000],
    ['aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' as PeerId, 1],
    [revoked.peerId, 1],
    [last.peerId, 1],
  ]);
  await vi.waitFor(() => expect(requestsIn(log, last.peerId)).toContain(1));
  expect(new Set(requestsIn(log, peer.peerId))).toEqual(new Set([0]));
  expect(new Set(requestsIn(log, revoked.peerId))).toEqual(new Set([0]));
});
