import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { InventoryPhase, PeerEventsRecordSchema, ShareEventsRecordSchema } from '../generated/events_pb.js';
import { peerEvent, shareBatchRecord, shareTick } from '../testing/records.ts';
import { batchOf, peerOf, registrationOf } from '../testing/share-events.ts';
import { readPeerEvents, readShareEvents } from './records.ts';

type ShareBatchInit = Parameters<typeof create<typeof ShareEventsRecordSchema>>[1];

const batchRecord = (value: object): Uint8Array => {
  const init = {
    body: { case: 'batch', value: { peerId: new Uint8Array(32), incarnation: 1n, sequence: 1n, ...value } },
  };
  return toBinary(ShareEventsRecordSchema, create(ShareEventsRecordSchema, init as ShareBatchInit));
};

describe('records of the log', () => {
  it('are read as they were written', () => {
    const batch = batchOf({
      peer: 3,
      sequence: 2 ** 40,
      events: [
        ['stored', 1, 255],
        ['corrupt', 2, 0],
      ],
      registrations: [registrationOf(1, { origin: 'derived', tag: 'gold', sizeBytes: 2 ** 45 })],
      deleted: [9],
      begin: 4,
    });
    expect(readShareEvents(shareBatchRecord(batch))).toEqual({ kind: 'batch', batch, unknown: null });
    expect(readShareEvents(shareTick(123))).toEqual({ kind: 'tick', atMs: 123 });
    expect(readPeerEvents(peerEvent(3, 1, 9, { says: 'drain', draining: true }))).toEqual({
      kind: 'event',
      peer: peerOf(3),
      incarnation: 1,
      sequence: 9,
      body: { kind: 'drain', draining: true },
    });
  });

  const index = new Uint8Array(16);
  it.each([
    ['nothing', new Uint8Array()],
    ['other bytes', new Uint8Array([255, 255, 255])],
    ['columns of different lengths', batchRecord({ storageIndexes: index, shareNumbers: index, kinds: index })],
    [
      'the kind of nothing',
      batchRecord({ storageIndexes: index, shareNumbers: new Uint8Array(1), kinds: new Uint8Array([0]) }),
    ],
    ['half a storage index', batchRecord({ deletedFiles: new Uint8Array(8) })],
    ['another peer id', batchRecord({ peerId: new Uint8Array(31) })],
    ['a sequence that numbers would round', batchRecord({ sequence: 2n ** 60n })],
    ['an inventory without generation', batchRecord({ inventory: { phase: InventoryPhase.END, generation: 0 } })],
    ['an inventory without phase', batchRecord({ inventory: { phase: 0, generation: 1 } })],
    [
      'a coding that is none',
      batchRecord({ manifests: [{ storageIndex: index, uebHash: new Uint8Array(32), k: 5, n: 4 }] }),
    ],
    ['a short hash', batchRecord({ manifests: [{ storageIndex: index, uebHash: new Uint8Array(31), k: 1, n: 4 }] })],
  ])('with %s are malformed', (_what, value) => {
    expect(() => readShareEvents(value)).toThrow(expect.objectContaining({ code: 'batch-malformed' }));
  });

  it('of peers with a port that is none, or no words, are malformed', () => {
    const event = (body: object) => {
      const value = { peerId: new Uint8Array(32), incarnation: 1n, sequence: 1n, body };
      const init = { body: { case: 'event', value } } as Parameters<typeof create<typeof PeerEventsRecordSchema>>[1];
      return toBinary(PeerEventsRecordSchema, create(PeerEventsRecordSchema, init));
    };
    for (const value of [event({ case: undefined }), event({ case: 'announce', value: { port: 65_536 } })]) {
      expect(() => readPeerEvents(value)).toThrow(expect.objectContaining({ code: 'batch-malformed' }));
    }
  });
});
