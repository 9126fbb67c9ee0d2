import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { peerIdFromBytes, peerIdToBytes } from '#mesh/peer-id.ts';
import { type BatchFields, batchOf, peerOf, registrationOf } from '#mesh/testing/share-events.ts';
import { PeerIdIndex } from './peer-id-index.ts';
import { PeerProgress } from './peer-progress.ts';
import { PeerTable } from './peer-table.ts';

describe('the progress of peers', () => {
  let progress: PeerProgress;
  let sequence: number;
  beforeEach(() => {
    progress = new PeerProgress();
    sequence = 0;
  });
  const take = (fields: Omit<BatchFields, 'sequence'>) => progress.take(batchOf({ ...fields, sequence: ++sequence }));

  it('takes each batch once and in order', () => {
    expect(take({ peer: 1 })).toMatchObject({ generation: 0, endsInventory: false });
    expect(progress.take(batchOf({ peer: 1, sequence: 1 }))).toBeNull();
    expect(progress.take(batchOf({ peer: 1, incarnation: 2, sequence: 1 }))).not.toBeNull();
    expect(progress.take(batchOf({ peer: 1, sequence: 9 }))).toBeNull();
  });

  it('ends an inventory that has begun, and no other', () => {
    expect(take({ peer: 1, end: 3 })).toMatchObject({ endsInventory: false });
    expect(take({ peer: 1, begin: 3 })).toMatchObject({ generation: 3, endsInventory: false });
    expect(take({ peer: 1, end: 2 })).toMatchObject({ generation: 3, endsInventory: false });
    expect(take({ peer: 1, end: 3 })).toMatchObject({ generation: 3, endsInventory: true });
  });

  it('lets a torn inventory end without effect: of one peer, or of all', () => {
    for (const peer of [1, 2]) take({ peer, begin: 1 });
    progress.tearInventories(peerOf(1));
    expect(take({ peer: 1, end: 1 })).toMatchObject({ generation: 0, endsInventory: false });
    expect(take({ peer: 2, end: 1 })).toMatchObject({ endsInventory: true });
    for (const peer of [1, 2]) take({ peer, begin: 2 });
    progress.tearInventories(null);
    for (const peer of [1, 2]) expect(take({ peer, end: 2 })?.endsInventory).toBe(false);
  });

  it('remembers who owes an inventory, over a restart too, until one was begun and ended', () => {
    take({ peer: 1, begin: 1 });
    progress.takeChanged();
    progress.oweInventories([peerOf(1), peerOf(2)]);
    expect(progress.takeChanged().map(({ peer, owesInventory }) => [peer, owesInventory])).toEqual([
      [peerOf(1), true],
      [peerOf(2), true],
    ]);
    const restarted = new PeerProgress();
    restarted.load([1, 2].map((number) => progress.find(peerOf(number))).filter((order) => order !== undefined));
    for (const each of [progress, restarted]) {
      expect([...each.owing]).toEqual([peerOf(1), peerOf(2)]);
      each.take(batchOf({ peer: 1, sequence: 10, end: 1 }));
      each.take(batchOf({ peer: 1, sequence: 11, begin: 2 }));
      expect([...each.owing]).toEqual([peerOf(1), peerOf(2)]);
      each.take(batchOf({ peer: 1, sequence: 12, end: 2 }));
      expect([...each.owing]).toEqual([peerOf(2)]);
    }
  });

  describe('of collectors, which speak for owners under an id of their own', () => {
    const owner = (peer: number, fields: Partial<BatchFields> = {}) =>
      progress.take(batchOf({ peer, sequence: 1, registrations: [registrationOf(1)], ...fields }));

    it('is in order, over a restart too', () => {
      expect([owner(200), owner(200), owner(200, { sequence: 2, registrations: [], deleted: [1] })]).toEqual([
        { generation: 0, endsInventory: false },
        null,
        { generation: 0, endsInventory: false },
      ]);
      const stored = progress.takeChanged();
      expect(stored).toMatchObject([{ peer: peerOf(200), sequence: 2, speaksForOwners: true }]);
      const restarted = new PeerProgress();
      restarted.load(stored);
      expect(restarted.take(batchOf({ peer: 200, sequence: 1, registrations: [registrationOf(1)] }))).toBeNull();
      expect(restarted.takeChanged()).toEqual([]);
    });

    it('is kept of those that were at work last, however often collectors start', () => {
      owner(1);
      for (let start = 1000; start < 1255; start++) owner(start);
      owner(1, { sequence: 2 });
      for (let start = 2000; start < 2100; start++) owner(start);
      expect(owner(1, { sequence: 2 })).toBeNull();
      expect(owner(2099)).toBeNull();
      // One that was at work longest ago is not known any more, here or in the store.
      expect(progress.takeChanged()).toHaveLength(256);
      expect(owner(1000)).not.toBeNull();
    });

    it('is that of a peer as soon as it holds shares; a peer that sends a manifest stays one', () => {
      owner(3);
      take({ peer: 3, incarnation: 2, events: [['stored', 1, 0]] });
      expect(progress.takeChanged().map(({ peer }) => peer)).toEqual([peerOf(3)]);
      take({ peer: 4, registrations: [registrationOf(1, { origin: 'derived' })] });
      expect(progress.takeChanged().map(({ peer }) => peer)).toEqual([peerOf(4)]);
    });
  });
});

describe('an index of peer ids', () => {
  it('gives every id the number that it was added under, however alike ids are', () => {
    const id = fc.uint8Array({ minLength: 32, maxLength: 32, max: 2 });
    fc.assert(
      fc.property(fc.uniqueArray(id, { maxLength: 300, selector: (bytes) => bytes.join() }), (ids) => {
        const index = new PeerIdIndex();
        const all = new Uint8Array((ids.length + 1) * 32);
        ids.forEach((bytes, i) => all.set(bytes, i * 32));
        all.fill(9, ids.length * 32);
        const column = new Uint32Array(all.buffer);
        for (const bytes of ids) index.add(bytes);
        expect(ids.map((_, i) => index.find(column, i))).toEqual(ids.map((_, i) => i));
        expect(index.find(column, ids.length)).toBeUndefined();
        expect(Buffer.from(index.bytes).equals(Buffer.from(all.subarray(0, ids.length * 32)))).toBe(true);
      }),
    );
  });

  it('leads columns of ids to the numbers of the peer table, and adds those that are new', () => {
    const table = new PeerTable();
    table.numberOf(peerOf(5));
    const ids = Buffer.concat([peerOf(6), peerOf(5), peerOf(6)].map(peerIdToBytes));
    expect([...table.numbersOf(ids)]).toEqual([1, 0, 1]);
    expect(table.row(1).peer).toBe(peerIdFromBytes(ids.subarray(0, 32)));
  });
});
