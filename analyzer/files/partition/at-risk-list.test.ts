import { fromBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { AtRiskFileSchema, FileGrade, ManifestOrigin } from '#mesh/generated/events_pb.js';
import { peerIdToBytes } from '#mesh/peer-id.ts';
import { defaultPolicy } from '#mesh/policy.ts';
import { storageIndexToBytes } from '#mesh/storage-index.ts';
import { fileOf, peerOf, registrationOf } from '#mesh/testing/share-events.ts';
import { healthOf } from '../share-map/health.ts';
import { PeerTable } from '../share-map/peer-table.ts';
import type { FileHealth } from '../share-map/share-map.ts';
import { AtRiskList, compareUrgency, type EntryFacts, type ListedNow, type ListRecord } from './at-risk-list.ts';

/** A 2-of-6 file (repaired below 4) with its first `available` shares on peers of their own. */
function healthWith(file: number, available: number, settling = false): FileHealth {
  const table = new PeerTable();
  const inputs = Array.from({ length: available }, (_, number) => {
    table.setState(peerOf(number), 'up');
    return { shareNumber: number, corrupt: false, peer: table.row(number) };
  });
  const registration = registrationOf(file, { tag: 'gold', sizeBytes: 77 });
  return healthOf(registration, defaultPolicy({ k: 2, n: 6 }), inputs, () => settling);
}

const facts = (): EntryFacts => ({
  atMs: 2000,
  ownerGeneration: 9,
  placements: [
    { shareNumber: 0, peer: peerOf(1), corrupt: false, available: true, counted: true },
    { shareNumber: 1, peer: peerOf(2), corrupt: false, available: false, counted: true },
    { shareNumber: 2, peer: peerOf(3), corrupt: true, available: false, counted: false },
  ],
  origin: 'owner',
  cause: 'because',
});

const read = (record: ListRecord) => fromBinary(AtRiskFileSchema, record.value as Uint8Array);

describe('the standing list', () => {
  it('counts what is on it by the grade that each would have were the silent peers up that may come back', () => {
    const list = new AtRiskList();
    const away = (file: number, available: number, counted: number): FileHealth => ({
      ...healthWith(file, available),
      counted,
    });
    list.update(away(1, 2, 3), -1, 1000);
    list.update(away(2, 0, 2), -1, 1000);
    list.update(away(3, 1, 5), -1, 1000);
    const filesOf = () =>
      Object.fromEntries(
        [...list.countedGrades()].flatMap(([grade, { files }]) => (files > 0 ? [[grade, files]] : [])),
      );
    expect(filesOf()).toEqual({ 'at-risk': 1, critical: 1 });
    expect(list.countedGrades().get('critical')).toEqual({ files: 1, bytes: 77 });
    list.update(away(2, 0, 3), -1, 2000);
    expect(filesOf()).toEqual({ 'at-risk': 2 });
    list.remove(fileOf(1));
    list.update(away(2, 4, 6), -1, 3000);
    expect(filesOf()).toEqual({});
  });

  it('counts what the topic had from when it is judged here', () => {
    const [before, after] = [new AtRiskList(), new AtRiskList()];
    const health = healthWith(1, 3);
    before.update(health, -1.5, 1000);
    const { key, value } = before.recordOf(fileOf(1), health, facts);
    after.load(key, value);
    expect([...after.countedGrades().values()].every(({ files }) => files === 0)).toBe(true);
    after.update(health, -1.5, 2000);
    after.update(health, -1.5, 3000);
    expect(after.countedGrades().get('at-risk')).toEqual({ files: 1, bytes: 77 });
  });

  it('lists a file that needs repair, with all that a repair needs', () => {
    const list = new AtRiskList();
    const health = healthWith(1, 3);
    list.update(health, -1.5, 1000);
    expect(list.takeUnwritten(10)).toEqual([fileOf(1)]);
    const record = list.recordOf(fileOf(1), health, facts);
    expect(record.key).toEqual(storageIndexToBytes(fileOf(1)));
    expect(read(record)).toMatchObject({
      manifest: { k: 2, n: 6, sizeBytes: 77n, tag: 'gold', origin: ManifestOrigin.OWNER },
      grade: FileGrade.AT_RISK,
      available: 3,
      counted: 3,
      margin: 1,
      placements: [
        { shareNumber: 0, peerId: peerIdToBytes(peerOf(1)), available: true },
        { shareNumber: 1, peerId: peerIdToBytes(peerOf(2)), available: false },
      ],
      cause: 'because',
      sinceMs: 1000n,
      updatedAtMs: 2000n,
      risk: -1.5,
      repairUpTo: 6,
      maxSharesPerPeer: 1,
      revision: 1n,
      ownerGeneration: 9n,
    });
  });

  it('keeps since when a file is listed, and counts its revisions', () => {
    const list = new AtRiskList();
    list.update(healthWith(1, 3), -1, 1000);
    list.recordOf(fileOf(1), healthWith(1, 3), facts);
    list.update(healthWith(1, 2), -0.5, 5000);
    expect(read(list.recordOf(fileOf(1), healthWith(1, 2), facts))).toMatchObject({ sinceMs: 1000n, revision: 2n });
  });

  it('takes a file off with a tombstone, once, and writes none for a file that never stood on it', () => {
    const list = new AtRiskList();
    list.update(healthWith(1, 3), -1, 0);
    list.update(healthWith(2, 6), -9, 0);
    expect(list.takeUnwritten(10)).toEqual([fileOf(1)]);
    list.update(healthWith(1, 5), -5, 0);
    expect(list.has(fileOf(1))).toBe(false);
    expect(list.takeUnwritten(10)).toEqual([fileOf(1)]);
    expect(list.recordOf(fileOf(1), healthWith(1, 5), facts)).toEqual({
      key: storageIndexToBytes(fileOf(1)),
      value: null,
    });
    list.update(healthWith(1, 6), -6, 0);
    list.remove(fileOf(1));
    expect(list.waiting).toBe(0);
  });

  it('lists no file that is settling, and takes one off that settles anew', () => {
    const list = new AtRiskList();
    list.update(healthWith(1, 1, true), 0, 0);
    expect([list.size, list.waiting]).toEqual([0, 0]);
    list.update(healthWith(1, 1), 0, 0);
    list.update(healthWith(1, 1, true), 0, 0);
    expect([list.size, list.waiting]).toEqual([0, 1]);
  });

  it('lets lost and critical files overtake what waits, and loses nothing that is put back', () => {
    const list = new AtRiskList();
    for (const file of [1, 2, 3]) list.update(healthWith(file, 3), -1, 0);
    list.update(healthWith(4, 1), 0, 0);
    expect(list.takeUnwritten(2)).toEqual([fileOf(4), fileOf(1)]);
    list.putBack([fileOf(4), fileOf(1)]);
    list.update(healthWith(3, 1), 0, 0);
    expect(new Set(list.takeUnwritten(2))).toEqual(new Set([fileOf(4), fileOf(3)]));
    expect(new Set(list.takeUnwritten(9))).toEqual(new Set([fileOf(1), fileOf(2)]));
    expect(list.waiting).toBe(0);
  });

  it('is what its records in the topic say, in their order', () => {
    const list = new AtRiskList();
    const records = [1, 2].map((file) => {
      list.update(healthWith(file, 3), -1.5, 1000);
      return list.recordOf(fileOf(file), healthWith(file, 3), facts);
    });
    list.remove(fileOf(1));
    records.push(list.recordOf(fileOf(1), undefined, facts));
    const loaded = new AtRiskList();
    for (const { key, value } of records) loaded.load(key, value);
    expect([...loaded.entries()]).toMatchObject([{ file: fileOf(2), grade: 'at-risk', margin: 1, log10Loss: -1.5 }]);
    expect(loaded.waiting).toBe(0);
    loaded.update(healthWith(2, 2), -1, 9000);
    expect(read(loaded.recordOf(fileOf(2), healthWith(2, 2), facts))).toMatchObject({ sinceMs: 1000n, revision: 2n });
  });

  it('orders by the probability of loss, then by margin', () => {
    const of = (log10Loss: number, margin: number, file: number) =>
      ({ file: fileOf(file), grade: 'lost', margin, log10Loss }) as const;
    const sorted = [of(-3, 2, 1), of(0, -1, 2), of(-1, 1, 3), of(0, -2, 4)].sort(compareUrgency);
    expect(sorted.map(({ file }) => file)).toEqual([4, 2, 3, 1].map(fileOf));
  });
});

describe('a listed file of which shares only move', () => {
  const placed = (...peers: readonly number[]) => {
    return peers.map((peer, shareNumber) => {
      return { shareNumber, peer: peerOf(peer), corrupt: false, available: true, counted: true };
    });
  };

  const now = (available: number, placements: ListedNow['placements']): ListedNow => ({
    health: healthWith(1, available),
    placements,
  });

  /** Written once with its shares on peers 1, 2 and 3. */
  function listed(): AtRiskList {
    const list = new AtRiskList();
    list.update(healthWith(1, 3), -1, 1000);
    list.takeUnwritten(10);
    list.recordOf(fileOf(1), healthWith(1, 3), () => ({ ...facts(), placements: placed(1, 2, 3) }));
    return list;
  }
  const column = (...files: readonly number[]) => Buffer.concat(files.map((file) => storageIndexToBytes(fileOf(file))));

  it('is written again once its placements are others, in whatever order they come', () => {
    const list = listed();
    list.touch(column(7, 1));
    list.lookAtTouched(10, () => now(3, placed(1, 2, 3).reverse()));
    expect(list.waiting).toBe(0);
    list.touch(column(1));
    list.lookAtTouched(10, () => now(3, placed(1, 2, 4)));
    expect(list.takeUnwritten(10)).toEqual([fileOf(1)]);
  });

  it('is looked at only where a batch or a lost inventory touched it, so many at a time', () => {
    const list = listed();
    list.update(healthWith(2, 3), -1, 1000);
    list.takeUnwritten(10);
    list.touch(column(7, 8));
    expect(list.touched).toBe(0);
    list.touchAll();
    list.lookAtTouched(1, () => now(3, placed(9)));
    expect([list.touched, list.waiting]).toEqual([1, 1]);
  });

  it('is not written where neither figures nor placements differ from what the topic has, as after a restart', () => {
    const before = new AtRiskList();
    before.update(healthWith(1, 3), -1, 1000);
    before.update(healthWith(2, 3), -1, 1000);
    const after = new AtRiskList();
    for (const file of before.takeUnwritten(10)) {
      const known = () => ({ ...facts(), placements: placed(1, 2, 3) });
      const { key, value } = before.recordOf(file, healthWith(file === fileOf(1) ? 1 : 2, 3), known);
      after.load(key, value);
    }
    after.update(healthWith(1, 3), -1, 5000);
    after.update(healthWith(2, 2), -1, 5000);
    after.lookAtTouched(10, (file) => now(file === fileOf(1) ? 3 : 2, placed(1, 2, 3)));
    expect(after.takeUnwritten(10)).toEqual([fileOf(2)]);
  });
});
