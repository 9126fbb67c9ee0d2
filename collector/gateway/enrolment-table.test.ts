import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import type { AppendRecord, LogRecord } from '#log/port.ts';
import { EnrolledPeerSchema, EnrolmentTokenSchema } from '#mesh/generated/events_pb.js';
import { type PeerId, peerIdFromBytes } from '#mesh/peer-id.ts';
import {
  claimRecord,
  operatorRecord,
  parseEnrolmentKey,
  peerRecord,
  tokenRecord,
  tokenTombstone,
} from './enrolment-records.ts';
import { EnrolmentTable } from './enrolment-table.ts';

const id = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const peerId = (fill: number): PeerId => peerIdFromBytes(id(fill));
const nonce = (fill: number): Uint8Array => new Uint8Array(16).fill(fill);
const token = create(EnrolmentTokenSchema, { tokenSha256: id(9), expiresAtMs: 5n });
const tokenHash = Buffer.from(id(9)).toString('hex');
const peer = (change: { revoked?: boolean; name?: string } = {}) =>
  create(EnrolledPeerSchema, { peerId: id(1), ...change });

function tableOf(records: readonly (AppendRecord & { offset?: number })[]): EnrolmentTable {
  const table = new EnrolmentTable();
  for (const [i, record] of records.entries()) {
    table.apply({ topic: 't', headers: {}, appendedAtMs: 0, offset: i, ...record } satisfies LogRecord);
  }
  return table;
}

test('the first claim in the log has the token, and a record that is seen twice changes nothing', () => {
  const claims = [claimRecord(token, peerId(1), nonce(1)), claimRecord(token, peerId(2), nonce(2))];
  const table = tableOf([tokenRecord(token), ...claims, { ...(claims[1] as AppendRecord), offset: 1 }]);
  expect(table.claims(tokenHash).map((claim) => claim.peerId)).toEqual([peerId(1), peerId(2)]);
});

test('a change that crossed a revocation does not undo it; one that had seen it does', () => {
  const crossed = tableOf([
    peerRecord(peer(), -1),
    peerRecord(peer({ revoked: true }), 0),
    peerRecord(peer({ name: 'new' }), 0),
  ]);
  expect(crossed.peer(peerId(1))?.peer).toMatchObject({ name: 'new', revoked: true });
  expect(crossed.counts).toEqual({ enrolled: 0, revoked: 1 });
  const restored = tableOf([peerRecord(peer(), -1), peerRecord(peer({ revoked: true }), 0), peerRecord(peer(), 1)]);
  expect(restored.peer(peerId(1))?.peer.revoked).toBe(false);
  expect(restored.counts).toEqual({ enrolled: 1, revoked: 0 });
});

test('after compaction the newest record of a peer counts as it is', () => {
  const table = tableOf([{ ...peerRecord(peer({ name: 'last' }), 41), offset: 42 }]);
  expect(table.peer(peerId(1))?.peer).toMatchObject({ name: 'last', revoked: false });
  expect(table.nextOffset).toBe(43);
});

test('tombstones take tokens and claims away', () => {
  const table = tableOf([
    tokenRecord(token),
    claimRecord(token, peerId(1), nonce(1)),
    claimRecord(token, peerId(2), nonce(2)),
    tokenTombstone(id(9)),
    tokenTombstone(id(9), nonce(1)),
  ]);
  expect(table.token(tokenHash)).toBeUndefined();
  expect(table.claims(tokenHash).map((claim) => claim.peerId)).toEqual([peerId(2)]);
});

test('what cannot be read is passed over and counted, and what follows is read', () => {
  const table = tableOf([
    { partition: 0, key: id(3), value: new Uint8Array([255, 255]) },
    { partition: 0, key: new Uint8Array([1, 2]), value: null },
    { partition: 0, key: null, value: new Uint8Array() },
    operatorRecord(peerId(5), 'op', false),
  ]);
  expect(table.unreadable).toBe(3);
  expect(table.operator(peerId(5))?.name).toBe('op');
});

test('keys of the four kinds are told apart by shape', () => {
  const kinds = [
    peerRecord(peer(), -1),
    operatorRecord(peerId(1), '', false),
    tokenRecord(token),
    claimRecord(token, peerId(1), nonce(1)),
  ];
  expect(kinds.map((record) => parseEnrolmentKey(record.key as Uint8Array)?.kind)).toEqual([
    'peer',
    'operator',
    'token',
    'claim',
  ]);
});
