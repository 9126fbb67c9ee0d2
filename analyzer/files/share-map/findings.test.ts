/** What readers find, in both share maps. */
import { describe, expect, it } from 'vitest';
import { defaultPolicy } from '#mesh/policy.ts';
import { storageIndexToBytes } from '#mesh/storage-index.ts';
import { batchOf, fileOf, peerOf, registrationOf } from '#mesh/testing/share-events.ts';
import { NativeShareMap } from './native-share-map.ts';
import { PeerTable } from './peer-table.ts';
import type { ShareMap } from './share-map.ts';
import { PlainShareMap } from './testing/plain-share-map.ts';

const coding = { k: 1, n: 3 };
const finding = (peer: number, shareNumber: number) => ({
  storageIndex: storageIndexToBytes(fileOf(1)),
  peer: peerOf(peer),
  shareNumber,
  reader: 'test',
  reason: '',
});

describe.each([
  ['native', NativeShareMap],
  ['plain', PlainShareMap],
])('a finding in the %s share map', (_name, Map) => {
  /** Shares 0 and 1 of file 1, on peers 0 and 1. */
  function mapOfTwo(): ShareMap {
    const table = new PeerTable();
    const map: ShareMap = new Map({ peers: table, policyFor: defaultPolicy, settleMs: 0, maxFiles: 10 });
    for (const peer of [0, 1]) {
      table.setState(peerOf(peer), 'up');
      map.apply(
        batchOf({ peer, sequence: 1, events: [['stored', 1, peer]], registrations: [registrationOf(1, coding)] }),
        0,
      );
    }
    map.takeChanges();
    return map;
  }
  const health = (map: ShareMap): [number, number] => {
    const { available, corrupt } = map.health(fileOf(1), 1) ?? { available: -1, corrupt: -1 };
    return [available, corrupt];
  };

  it('takes the share out of what counts, and is kept', () => {
    const map = mapOfTwo();
    map.sweep(1);
    expect(map.applyFinding(finding(1, 1))).toBe(true);
    expect(health(map)).toEqual([1, 1]);
    expect(map.lookAtTouched(1).map(({ storageIndex }) => storageIndex)).toEqual([fileOf(1)]);
    expect(map.takeChanges().placements).toMatchObject([{ shareNumber: 1, state: 'corrupt' }]);
    expect(map.applyFinding(finding(1, 1))).toBe(false);
  });

  it('holds over what the peer names in inventories, until it has verified the share', () => {
    const map = mapOfTwo();
    map.applyFinding(finding(1, 1));
    map.apply(batchOf({ peer: 1, sequence: 2, events: [['stored', 1, 1]], begin: 1 }), 1);
    map.apply(batchOf({ peer: 1, sequence: 3, events: [['stored', 1, 1]], end: 1 }), 1);
    expect(health(map)).toEqual([1, 1]);
    map.apply(batchOf({ peer: 1, sequence: 4, events: [['verified', 1, 1]] }), 1);
    expect(health(map)).toEqual([2, 0]);
  });

  it('within an inventory takes away no share that it named', () => {
    const map = mapOfTwo();
    map.apply(batchOf({ peer: 1, sequence: 2, events: [['stored', 1, 1]], begin: 1 }), 1);
    map.applyFinding(finding(1, 1));
    map.apply(batchOf({ peer: 1, sequence: 3, end: 1 }), 1);
    expect(health(map)).toEqual([1, 1]);
  });

  it('brings nothing that is not known', () => {
    const map = mapOfTwo();
    expect(map.applyFinding(finding(1, 2))).toBe(false);
    expect(map.applyFinding({ ...finding(1, 1), storageIndex: storageIndexToBytes(fileOf(9)) })).toBe(false);
    expect([map.placementCount, map.fileCount]).toEqual([2, 1]);
  });
});
