/** What a newer release writes is taken by this one: what is known counts, what is not is passed over, kept, or told. */
import { create, fromBinary, toBinary, toJson } from '@bufbuild/protobuf';
import * as fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { AtRiskList } from '#analyzer/files/partition/at-risk-list.ts';
import { PeerTable } from '#analyzer/files/share-map/peer-table.ts';
import { PlainShareMap } from '#analyzer/files/share-map/testing/plain-share-map.ts';
import { MemoryStore } from '#analyzer/testing/memory-store.ts';
import { peers, TestMesh } from '#analyzer/testing/mesh.ts';
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
} from '#collector/gateway/testing/gateway-under-test.ts';
import { errorOf, rawRequest } from '#collector/gateway/testing/raw-request.ts';
import { readPeerEvents, readShareEvents } from '#mesh/events/records.ts';
import type { PeerBatch } from '#mesh/events/share-batch.ts';
import {
  AgentPostSchema,
  AtRiskFileSchema,
  EnrolledPeerSchema,
  type Enrolment,
  EnrolmentSchema,
  FileGrade,
  PeerEventSchema,
  ShareBatchSchema,
  ShareEventsRecordSchema,
} from '#mesh/generated/events_pb.js';
import { peerIdToBytes } from '#mesh/peer-id.ts';
import { defaultPolicy } from '#mesh/policy.ts';
import { shareBatchRecord } from '#mesh/testing/records.ts';
import { type BatchFields, batchOf, fileOf, registrationOf } from '#mesh/testing/share-events.ts';
import { parseAtRiskEntry } from '#repairer/queue/at-risk.ts';
import { nested, withNewBody, withNewFields } from './newer.ts';
import { sampleAtRisk, samplePeerBytes, sampleShareEvents } from './samples.ts';

const protobuf = { 'content-type': 'application/x-protobuf' };
const atMs = 1_700_000_000_000;

/** A batch as its record stands in the log, with kinds that the tests' types do not allow. */
function recordOf(fields: BatchFields, kinds: readonly number[]): Uint8Array {
  const batch = batchOf(fields);
  return shareBatchRecord({ ...batch, kinds: Uint8Array.from(kinds) });
}

function batchIn(record: Uint8Array): PeerBatch {
  const value = readShareEvents(record);
  if (value.kind !== 'batch') throw new Error('not a batch');
  return value.batch;
}

describe('at a collector', () => {
  test('fields of a newer release are passed over, and go no further', async () => {
    const log = newLog();
    const gateway = await startGateway({ log });
    const peer = await newPeer(log, gateway);
    const post = batchPost(peer);
    const batch = toBinary(ShareBatchSchema, post.body.value as never);
    const body = withNewFields(nested(1, withNewFields(batch)));
    const answer = await rawRequest(`${gateway.url}/v1/events`, peer, { body, headers: protobuf });
    expect([answer.status, JSON.parse(answer.text)]).toEqual([200, { accepted: 8 }]);
    const records = batchesIn(log);
    expect(records.reduce((sum, each) => sum + each.batch.kinds.length, 0)).toBe(8);
    for (const each of records) expect(each.batch.$unknown).toBeUndefined();
    const json = { ...(toJson(AgentPostSchema, heartbeatPost(peer)) as object), signature: 'new', event2: 1 };
    const asJson = { method: 'POST', body: JSON.stringify(json), headers: { 'content-type': 'application/json' } };
    expect((await rawRequest(`${gateway.url}/v1/events`, peer, asJson)).status).toBe(200);
    expect(peerEventsIn(log)).toHaveLength(1);
  });

  test('share events of a newer kind pass, as often as dead letters would be kept of their peer', async () => {
    const log = newLog();
    const gateway = await startGateway({ log });
    const peer = await newPeer(log, gateway);
    const client = gateway.client(peer);
    const newer = (sequence: number) => {
      const post = batchPost(peer, { sequence });
      if (post.body.case === 'batch') post.body.value.kinds[3] = 200;
      return post;
    };
    expect(await client.postEvents(newer(1))).toEqual({ accepted: 8 });
    expect(
      batchesIn(log)
        .flatMap(({ batch }) => [...batch.kinds])
        .filter((kind) => kind === 200),
    ).toHaveLength(1);
    const rest = Array.from({ length: 40 }, (_, i) => i + 2);
    const answers: unknown[] = [];
    for (const sequence of rest) {
      answers.push(await client.postEvents(newer(sequence)).catch((error: unknown) => error));
      if (answers.at(-1) instanceof Error) break;
    }
    expect(answers.at(-1)).toMatchObject({ status: 429, code: 'peer-limit', retryable: true });
    expect(await client.postEvents(heartbeatPost(peer))).toEqual({ accepted: 1 });
    expect(deadLettersIn(log)).toEqual([]);
  });

  test.each(['protobuf', 'json'] as const)('a peer event of a newer kind is kept and refused as %s', async (form) => {
    const log = newLog();
    const gateway = await startGateway({ log });
    const peer = await newPeer(log, gateway);
    const order = { peerId: peerIdToBytes(peer.peerId), incarnation: 1n, sequence: 1n };
    const event = create(PeerEventSchema, order);
    const body =
      form === 'protobuf'
        ? nested(2, withNewBody(toBinary(PeerEventSchema, event)))
        : JSON.stringify({ event: { ...(toJson(PeerEventSchema, event) as object), rebalance: { toZone: 'birch' } } });
    const headers = form === 'protobuf' ? protobuf : { 'content-type': 'application/json' };
    const answer = await rawRequest(`${gateway.url}/v1/events`, peer, { body, headers });
    expect([answer.status, errorOf(answer).code]).toEqual([400, 'event-unknown']);
    expect(deadLettersIn(log)).toMatchObject([
      {
        reasonCode: 'event-unknown',
        source: 'gateway',
        peerId: order.peerId,
        payload: new Uint8Array(Buffer.from(body as Uint8Array)),
      },
    ]);
    expect(await gateway.client(peer).postEvents(heartbeatPost(peer, 2))).toEqual({ accepted: 1 });
  });

  test('what a newer release has written of a peer stays when this one changes its entry', async () => {
    const log = newLog();
    const gateway = await startGateway({ log });
    const peer = await newPeer(log, gateway);
    const operator = gateway.client(await newOperator(log));
    const topic = testTopics.enrolments.name;
    const entryOf = () => {
      const records = log
        .all(topic)
        .filter(({ key }) => Buffer.compare(key as Uint8Array, peerIdToBytes(peer.peerId)) === 0);
      return records.at(-1)?.value as Uint8Array;
    };
    const known = fromBinary(EnrolmentSchema, entryOf()).body.value as Extract<
      Enrolment['body'],
      { case: 'peer' }
    >['value'];
    const settings = nested(8, withNewFields(new Uint8Array()));
    const newer = withNewFields(Buffer.concat([toBinary(EnrolledPeerSchema, known), settings]));
    await log.append(topic, [{ partition: 0, key: peerIdToBytes(peer.peerId), value: nested(1, newer) }]);
    await operator.changeSettings(peer.peerId, { heartbeatMs: 7000 });
    await operator.requestInventory(peer.peerId);
    await operator.revokePeer(peer.peerId, 'lent');
    await operator.restorePeer(peer.peerId);
    const { body } = fromBinary(EnrolmentSchema, entryOf());
    if (body.case !== 'peer') throw new Error('the entry is no peer any more');
    expect(body.value).toMatchObject({ revoked: false, settings: { heartbeatMs: 7000, inventoryRequest: 1n } });
    expect(body.value.$unknown).toHaveLength(4);
    expect(body.value.settings?.$unknown).toHaveLength(4);
  });
});

describe('in records of the log', () => {
  test('fields of a newer release change nothing', () => {
    const { 'batch-of-owner': batch, tick } = sampleShareEvents();
    if (batch?.body.case !== 'batch') throw new Error('no batch');
    const known = toBinary(ShareEventsRecordSchema, batch);
    const newer = withNewFields(nested(1, withNewFields(toBinary(ShareBatchSchema, batch.body.value))));
    expect(readShareEvents(newer)).toEqual(readShareEvents(known));
    const newTick = withNewFields(toBinary(ShareEventsRecordSchema, tick as NonNullable<typeof tick>));
    expect(readShareEvents(newTick)).toMatchObject({ kind: 'tick' });
  });

  test('a body of a newer release is unknown, not malformed', () => {
    const unknown = expect.objectContaining({ code: 'event-unknown', remainder: null });
    const event = create(PeerEventSchema, { peerId: samplePeerBytes, incarnation: 1n, sequence: 1n });
    expect(() => readShareEvents(withNewBody())).toThrow(unknown);
    expect(() => readPeerEvents(withNewBody())).toThrow(unknown);
    expect(() => readPeerEvents(nested(1, withNewBody(toBinary(PeerEventSchema, event))))).toThrow(unknown);
  });

  test('events of known kinds are taken, the others are set aside, and none is lost or moved', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 255 }), { maxLength: 30 }), (kinds) => {
        const events = kinds.map((_, i) => ['stored', i, i] as const);
        const { kind: _kind, ...read } = readShareEvents(recordOf({ peer: 1, sequence: 9, events }, kinds)) as Extract<
          ReturnType<typeof readShareEvents>,
          { kind: 'batch' }
        >;
        const rows = (keep: (kind: number) => boolean) => kinds.flatMap((kind, i) => (keep(kind) ? [[kind, i]] : []));
        const zip = (batch: Pick<PeerBatch, 'kinds' | 'shareNumbers'>) =>
          [...batch.kinds].map((kind, i) => [kind, batch.shareNumbers[i]]);
        expect(zip(read.batch)).toEqual(rows((kind) => kind <= 4));
        if (kinds.every((kind) => kind <= 4)) {
          expect(read.unknown).toBeNull();
          return;
        }
        const { body } = fromBinary(ShareEventsRecordSchema, read.unknown?.remainder as Uint8Array);
        if (body.case !== 'batch') throw new Error('no batch was set aside');
        expect(zip(body.value)).toEqual(rows((kind) => kind > 4));
        expect(body.value).toMatchObject({ incarnation: 1n, sequence: 9n });
        expect(body.value.storageIndexes.length).toBe(16 * body.value.kinds.length);
      }),
    );
  });

  test('an inventory in a phase of a newer release is set aside; the events beside it are taken', () => {
    const batch = create(ShareBatchSchema, {
      peerId: samplePeerBytes,
      incarnation: 1n,
      sequence: 1n,
      storageIndexes: new Uint8Array(16),
      shareNumbers: new Uint8Array(1),
      kinds: Uint8Array.from([1]),
      inventory: { phase: 7 as never, generation: 3 },
    });
    const record = create(ShareEventsRecordSchema, { body: { case: 'batch', value: batch } });
    const read = readShareEvents(toBinary(ShareEventsRecordSchema, record));
    if (read.kind !== 'batch') throw new Error('no batch');
    expect(read.batch.kinds).toHaveLength(1);
    const { body } = fromBinary(ShareEventsRecordSchema, read.unknown?.remainder as Uint8Array);
    expect(body.value).toMatchObject({ inventory: { phase: 7, generation: 3 }, kinds: new Uint8Array() });
  });
});

describe('an inventory that names shares in a newer way', () => {
  const newMap = () =>
    new PlainShareMap({ peers: new PeerTable(), policyFor: defaultPolicy, settleMs: 0, maxFiles: 100 });
  const shares = (map: PlainShareMap, file: number) =>
    map.placements(fileOf(file)).map(({ shareNumber }) => shareNumber);

  test.each([
    ['in its first batch', 2],
    ['in its last batch', 3],
  ])('takes nothing away %s; the next one does, where all of it is known', (_where, newerBatch) => {
    const map = newMap();
    const say = (fields: BatchFields, newer: boolean) => {
      const { kinds } = batchOf(fields);
      map.apply(
        batchIn(recordOf(fields, newer ? [...kinds].map((kind, i) => (i === 0 ? 77 : kind)) : [...kinds])),
        atMs,
      );
    };
    say(
      { peer: 1, sequence: 1, registrations: [registrationOf(1)], events: [0, 1, 2].map((n) => ['stored', 1, n]) },
      false,
    );
    say({ peer: 1, sequence: 2, begin: 5, events: [['stored', 1, 0]] }, newerBatch === 2);
    say({ peer: 1, sequence: 3, end: 5, events: [['stored', 1, 1]] }, newerBatch === 3);
    expect(shares(map, 1)).toEqual([0, 1, 2]);
    say({ peer: 1, sequence: 4, begin: 6, events: [['stored', 1, 0]] }, false);
    say({ peer: 1, sequence: 5, end: 6, events: [['stored', 1, 1]] }, false);
    expect(shares(map, 1)).toEqual([0, 1]);
  });
});

describe('at an analyzer', () => {
  let mesh: TestMesh | null = null;
  afterEach(() => mesh?.close());

  test('a batch with events of a newer kind counts but for those, which become one dead letter', async () => {
    const opened = await TestMesh.open();
    mesh = opened;
    await mesh.announce();
    await mesh.put([1]);
    const partition = mesh.partitionOf(fileOf(1));
    const fields: BatchFields = {
      peer: 0,
      sequence: 900,
      events: [
        ['lost', 1, 0],
        ['stored', 1, 1],
      ],
    };
    const key = peerIdToBytes(batchOf(fields).peer);
    await mesh.log.append(mesh.topics.shareEvents.name, [{ partition, key, value: recordOf(fields, [3, 99]) }]);
    await mesh.pass(2000, peers);
    const running = await mesh.start(new MemoryStore(() => opened.wallMs));
    await mesh.seenBy(running);
    expect(running.analyzer.file(fileOf(1))?.health.available).toBe(5);
    const letters = await mesh.deadLetters();
    expect(letters).toMatchObject([{ reasonCode: 'event-unknown', peerId: key }]);
    const { body } = fromBinary(ShareEventsRecordSchema, letters[0]?.payload as Uint8Array);
    expect(body.value).toMatchObject({ kinds: Uint8Array.from([99]), sequence: 900n });
  });
});

describe('an at-risk entry of another release', () => {
  const entry = (change: { grade?: number; available?: number } = {}) =>
    toBinary(AtRiskFileSchema, create(AtRiskFileSchema, { ...sampleAtRisk()['at-risk'], ...change } as never));

  test('means the same with fields that this one does not know', () => {
    expect(parseAtRiskEntry(withNewFields(entry()))).toEqual(parseAtRiskEntry(entry()));
  });

  test.each([
    [2, 'lost'],
    [3, 'critical'],
    [4, 'at-risk'],
  ])('with a grade that this one does not know and %i of 3 needed shares is repaired as %s', (available, grade) => {
    expect(parseAtRiskEntry(entry({ grade: 77, available })).grade).toBe(grade);
  });

  test('stays on the list of an analyzer that takes the partition over', () => {
    const list = new AtRiskList();
    const key = sampleAtRisk()['at-risk']?.manifest?.storageIndex as Uint8Array;
    list.load(key, withNewFields(entry({ grade: 77 })));
    expect(list.size).toBe(1);
    expect(fromBinary(AtRiskFileSchema, entry({ grade: FileGrade.LOST })).grade).toBe(FileGrade.LOST);
  });
});
