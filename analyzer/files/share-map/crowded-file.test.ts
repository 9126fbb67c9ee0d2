import { describe, expect, it } from 'vitest';
import { defaultPolicy } from '#mesh/policy.ts';
import { batchOf, fileOf, peerOf, registrationOf, type ShareEvent } from '#mesh/testing/share-events.ts';
import { NativeShareMap } from './native-share-map.ts';
import { PeerTable } from './peer-table.ts';
import { mostOtherPlacements, type ShareMap } from './share-map.ts';
import { PlainShareMap } from './testing/plain-share-map.ts';

const everyShare = Array.from({ length: 256 }, (_, share): ShareEvent => ['stored', 1, share]);
/** Enough for every placement that the file may have, and three more. */
const peersWithEvery = 1 + mostOtherPlacements / 256 + 3;
const room = 256 + mostOtherPlacements;

describe.each([
  ['the native map', NativeShareMap],
  ['the plain map', PlainShareMap],
] as const)('a file of which many peers claim every share, in %s', (_, Map) => {
  function crowded(): { map: ShareMap; peers: PeerTable } {
    const peers = new PeerTable();
    const map = new Map({ peers, policyFor: (coding) => defaultPolicy(coding), maxFiles: 10, settleMs: 0 });
    for (let peer = 0; peer < peersWithEvery; peer++) {
      peers.setState(peerOf(peer), 'up');
      map.apply(batchOf({ peer, sequence: 1, events: [...everyShare, ['stored', 2, peer]] }), 0);
    }
    return { map, peers };
  }

  it('is known by so many placements, the others are refused and counted, and the batches go on', () => {
    const { map } = crowded();
    expect(map.placements(fileOf(1))).toHaveLength(room);
    expect(map.placements(fileOf(2))).toHaveLength(peersWithEvery);
    expect([map.placementCount, map.refusedPlacements, map.refusedFiles]).toEqual([room + peersWithEvery, 3 * 256, 0]);
  });

  it('takes others when some are gone, and still has its health', () => {
    const { map } = crowded();
    map.apply(batchOf({ peer: 3, sequence: 2, events: [['lost', 1, 0]] }), 0);
    map.apply(
      batchOf({
        peer: peersWithEvery - 1,
        sequence: 2,
        events: [
          ['stored', 1, 0],
          ['stored', 1, 1],
        ],
      }),
      0,
    );
    expect(map.placements(fileOf(1))).toHaveLength(room);
    expect(map.refusedPlacements).toBe(3 * 256 + 1);
    map.apply(batchOf({ peer: 0, sequence: 2, registrations: [registrationOf(1)] }), 0);
    expect(map.health(fileOf(1), 1000)).toMatchObject({ available: 6, grade: 'healthy' });
  });

  it('is loaded as it was, and takes no more after that', () => {
    const { map, peers } = crowded();
    const again = new Map({ peers, policyFor: (coding) => defaultPolicy(coding), maxFiles: 10, settleMs: 0 });
    again.load(map.takeChanges());
    expect(again.placementCount).toBe(room + peersWithEvery);
    again.apply(batchOf({ peer: peersWithEvery - 1, sequence: 2, events: [['stored', 1, 7]] }), 0);
    expect(again.refusedPlacements).toBe(1);
  });
});
