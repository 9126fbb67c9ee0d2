import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { PeerTable } from '#analyzer/files/share-map/peer-table.ts';
import { PlainShareMap } from '#analyzer/files/share-map/testing/plain-share-map.ts';
import { listLetters } from '#collector/dead-letters/letters.ts';
import { type ReplayOutcome, replayLetters } from '#collector/dead-letters/replay.ts';
import { peerRecord } from '#collector/gateway/enrolment-records.ts';
import { newLog, testTopics as topics } from '#collector/gateway/testing/gateway-under-test.ts';
import type { InMemoryLog } from '#log/in-memory.ts';
import { readShareEvents } from '#mesh/events/records.ts';
import {
  AgentPostSchema,
  DeadLetterSchema,
  EnrolledPeerSchema,
  PeerEventsRecordSchema,
  ShareEventKind,
} from '#mesh/generated/events_pb.js';
import { peerIdToBytes } from '#mesh/peer-id.ts';
import { defaultPolicy } from '#mesh/policy.ts';
import { partitionOfStorageIndex, storageIndexToBytes } from '#mesh/storage-index.ts';
import { shareBatchRecord } from '#mesh/testing/records.ts';
import { type BatchFields, batchOf, fileOf, registrationOf } from '#mesh/testing/share-events.ts';

const topic = topics.shareEvents.name;
const clock = { nowMs: () => 1_700_000_000_000, monotonicMs: () => 0, after: () => () => undefined };
const peerId = peerIdToBytes(batchOf({ peer: 1, sequence: 1 }).peer);

async function meshWithPeer(change: { revoked?: boolean } = {}): Promise<InMemoryLog> {
  const log = newLog();
  const peer = create(EnrolledPeerSchema, { peerId, name: 'one', domains: { zone: 'alder' }, ...change });
  await log.append(topics.enrolments.name, [peerRecord(peer, -1)]);
  return log;
}

interface LetterFields {
  readonly payload: Uint8Array;
  readonly source?: string;
  readonly contentType?: string;
  readonly payloadBytes?: bigint;
  readonly peerId?: Uint8Array;
}

async function letterIs(log: InMemoryLog, fields: LetterFields): Promise<void> {
  const { payload, payloadBytes = BigInt(payload.length), ...rest } = fields;
  const common = { source: 'gateway', contentType: 'application/x-protobuf', peerId, reasonCode: 'batch-malformed' };
  const letter = create(DeadLetterSchema, { ...common, ...rest, payload, payloadBytes });
  await log.append(topics.deadLetters.name, [{ partition: 0, key: null, value: toBinary(DeadLetterSchema, letter) }]);
}

async function replay(log: InMemoryLog, flags: { dryRun?: boolean; again?: boolean } = {}): Promise<ReplayOutcome[]> {
  const letters = await listLetters(log, topics.deadLetters.name, {}, 100);
  return Array.fromAsync(replayLetters(letters, { log, topics, clock, dryRun: false, again: false, ...flags }));
}

function postOf(kinds: readonly number[], change: { peerId?: Uint8Array; sequence?: bigint } = {}): Uint8Array {
  const storageIndexes = Buffer.concat(kinds.map((_, i) => storageIndexToBytes(fileOf(i))));
  const value = {
    peerId,
    incarnation: 1n,
    sequence: 5n,
    storageIndexes,
    shareNumbers: Uint8Array.from(kinds, (_, i) => i),
    kinds: Uint8Array.from(kinds),
    manifests: [
      { storageIndex: storageIndexToBytes(fileOf(0)), uebHash: new Uint8Array(32), k: 2, n: 6, sizeBytes: 1n },
    ],
    ...change,
  };
  return toBinary(AgentPostSchema, create(AgentPostSchema, { body: { case: 'batch', value } }));
}

const partitionOf = (file: number) =>
  partitionOfStorageIndex(storageIndexToBytes(fileOf(file)), 0, topics.shareEvents.partitions);

/** A record that an analyzer could not read when it came, and its letter. */
async function unread(log: InMemoryLog, fields: BatchFields, taken = true): Promise<void> {
  const value = shareBatchRecord(batchOf(fields));
  const key = peerIdToBytes(batchOf(fields).peer);
  const [at] = taken ? await log.append(topic, [{ partition: partitionOf(1), key, value }]) : [];
  await letterIs(log, { payload: value, peerId: key, source: `${topic}/${partitionOf(1)}@${at?.offset ?? 0}` });
}

const shareRecords = (log: InMemoryLog) => log.all(topic);

test('a post goes the way that the collector would send it, once, and its letter is marked', async () => {
  const log = await meshWithPeer();
  await letterIs(log, { payload: postOf([1, 2, 3, 4]) });
  expect(await replay(log, { dryRun: true })).toMatchObject([{ outcome: 'would-append', effect: 'by-order' }]);
  expect(shareRecords(log)).toEqual([]);
  const [outcome] = await replay(log);
  expect(outcome).toMatchObject({ number: 0, outcome: 'appended', topic, records: shareRecords(log).length });
  const parts = shareRecords(log).filter(({ key }) => Buffer.compare(key as Uint8Array, peerId) === 0);
  const kinds = parts.flatMap(({ value }) => {
    const read = readShareEvents(value as Uint8Array);
    return read.kind === 'batch' ? [...read.batch.kinds] : [];
  });
  expect(kinds.sort()).toEqual([1, 2, 3, 4]);
  for (const { headers } of shareRecords(log))
    expect(headers['meshward-replay-of']).toBe(`${topics.deadLetters.name}@0`);
  expect(await listLetters(log, topics.deadLetters.name, {}, 9)).toMatchObject([{ number: 0, replayed: { topic } }]);
  expect(await replay(log)).toMatchObject([{ outcome: 'replayed-before' }]);
});

test('a replay that is made twice changes an analyzer’s map once; its manifests hold though the peer went on', async () => {
  const log = await meshWithPeer();
  const map = new PlainShareMap({ peers: new PeerTable(), policyFor: defaultPolicy, settleMs: 0, maxFiles: 100 });
  let read = 0;
  const apply = () => {
    const applied = shareRecords(log)
      .slice(read)
      .map(({ value }) => {
        const each = readShareEvents(value as Uint8Array);
        return each.kind === 'batch' ? map.apply(each.batch, 1).applied : false;
      });
    read = shareRecords(log).length;
    return applied;
  };
  // The peer's batch 5 was refused; its batch 6 said that share 0 of file 0 is gone again.
  const later = batchOf({ peer: 1, sequence: 6, events: [['lost', 0, 0]] });
  await log.append(topic, [{ partition: partitionOf(0), key: peerId, value: shareBatchRecord(later) }]);
  apply();
  await letterIs(log, { payload: postOf([ShareEventKind.STORED]) });
  await replay(log);
  expect(apply().filter(Boolean)).toHaveLength(1);
  expect(map.placements(fileOf(0))).toEqual([]);
  expect(map.find(fileOf(0))?.registration?.origin).toBe('derived');
  await replay(log, { again: true });
  expect(apply().filter(Boolean)).toEqual([]);
});

test.each([
  ['cut', { payload: postOf([1]), payloadBytes: 70_000n }, 'bad-input', /of its 70000 bytes/],
  ['withheld', { payload: new Uint8Array(), payloadBytes: 9n }, 'bad-input', /nothing of it was kept/],
  ['still malformed', { payload: postOf([0]) }, 'batch-malformed', /no kind/],
  ['still unknown', { payload: postOf([1, 77]) }, 'event-unknown', /not known/],
  ['of no form', { payload: postOf([1]), contentType: 'text/plain' }, 'bad-input', /content type/],
  ['of nobody', { payload: postOf([1]), peerId: new Uint8Array() }, 'bad-input', /nobody/],
  ['for another peer', { payload: postOf([1], { peerId: new Uint8Array(32) }) }, 'peer-impersonation', /another peer/],
  ['of a stranger', { payload: postOf([1]), peerId: new Uint8Array(32).fill(9) }, 'peer-unknown', /not enrolled/],
  ['of an enrolment', { payload: postOf([1]), source: `${topics.enrolments.name}/0@3` }, 'bad-input', /not replayed/],
  ['of a partition that is none', { payload: postOf([1]), source: `${topic}/99@3` }, 'bad-input', /no partition/],
] as const)(
  'a letter that is %s is refused and told, and those beside it are taken',
  async (_what, letter, code, reason) => {
    const log = await meshWithPeer();
    await letterIs(log, letter);
    await letterIs(log, { payload: postOf([1]) });
    const outcomes = await replay(log);
    expect(outcomes[0]).toMatchObject({
      number: 0,
      outcome: 'refused',
      code,
      reason: expect.stringMatching(reason) as string,
    });
    expect(outcomes[1]).toMatchObject({ number: 1, outcome: 'appended' });
    expect(await listLetters(log, topics.deadLetters.name, {}, 9)).toMatchObject([{ number: 1 }, { replayed: null }]);
  },
);

test('a peer that was revoked since is not believed', async () => {
  const log = await meshWithPeer({ revoked: true });
  await letterIs(log, { payload: postOf([1]) });
  await unread(log, { peer: 1, sequence: 3, events: [['stored', 1, 1]] });
  const outcomes = await replay(log);
  expect(outcomes.map((each) => each.outcome === 'refused' && each.code)).toEqual(['peer-revoked', 'peer-revoked']);
});

test('a record of the log counts where its peer said nothing later, and is overruled where it did', async () => {
  const log = await meshWithPeer();
  await unread(log, { peer: 200, sequence: 8, registrations: [registrationOf(1)] });
  await unread(log, { peer: 1, sequence: 3, events: [['stored', 1, 1]] });
  await unread(log, { peer: 1, sequence: 4, events: [['stored', 1, 2]] });
  const before = shareRecords(log).length;
  expect(await replay(log)).toMatchObject([
    { outcome: 'appended', effect: 'counts', records: 1 },
    { outcome: 'overruled' },
    { outcome: 'appended', effect: 'counts', records: 1 },
  ]);
  const again = shareRecords(log).slice(before);
  expect(again.map(({ partition }) => partition)).toEqual([partitionOf(1), partitionOf(1)]);
  expect(again[1]?.value).toEqual(shareRecords(log)[2]?.value);
});

test('what was left of a batch that was taken is overruled by that batch', async () => {
  const log = await meshWithPeer();
  const fields: BatchFields = {
    peer: 1,
    sequence: 3,
    events: [
      ['stored', 1, 1],
      ['stored', 1, 2],
    ],
  };
  await log.append(topic, [{ partition: partitionOf(1), key: peerId, value: shareBatchRecord(batchOf(fields)) }]);
  const rest = batchOf({ ...fields, events: [['stored', 1, 2]] });
  await letterIs(log, { payload: shareBatchRecord(rest), source: `${topic}/${partitionOf(1)}@0` });
  expect(await replay(log)).toEqual([{ number: 0, outcome: 'overruled' }]);
});

test('an operator’s word about a peer counts whenever it is said', async () => {
  const log = await meshWithPeer();
  const value = { peerId, incarnation: 0n, sequence: 0n, body: { case: 'drain', value: { draining: true } } as const };
  const payload = toBinary(PeerEventsRecordSchema, create(PeerEventsRecordSchema, { body: { case: 'event', value } }));
  await letterIs(log, { payload, source: `${topics.peerEvents.name}/0@17` });
  expect(await replay(log)).toMatchObject([{ outcome: 'appended', topic: topics.peerEvents.name, effect: 'counts' }]);
  const [record] = log.all(topics.peerEvents.name);
  expect(fromBinary(PeerEventsRecordSchema, record?.value as Uint8Array).body.case).toBe('event');
});
