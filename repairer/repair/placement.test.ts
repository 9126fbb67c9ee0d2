import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '#mesh/clock.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { buildPlacementField, type PlacementPeer } from '#peers/placement-field.ts';
import { choosePlacement, type PlacementRequest, withPlaces } from './placement.ts';

function peerId(serial: number): PeerId {
  return Buffer.alloc(32, serial).toString('base64url') as PeerId;
}

function peer(serial: number, domains: Record<string, string> = {}, freeBytes = 1e12): PlacementPeer {
  return { peerId: peerId(serial), domains, freeBytes };
}

function request(overrides: Partial<PlacementRequest>): PlacementRequest {
  return {
    shareNumbers: [],
    shareBytes: 100,
    held: [],
    maxSharesPerPeer: 1,
    maxSharesPerDomain: 100,
    refused: new Set(),
    ...overrides,
  };
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, number) => number);

describe('placement', () => {
  it('gives every domain of every kind its part', () => {
    const peers = Array.from({ length: 24 }, (_, i) => peer(i, { zone: `z${i % 3}`, rack: `r${i % 6}` }));
    const { targets } = choosePlacement(
      buildPlacementField(peers),
      request({ shareNumbers: numbers(12) }),
      seededRandom(1),
    );
    const perZone = new Map<string, number>();
    const perRack = new Map<string, number>();
    for (const target of targets) {
      const { domains } = peers.find((candidate) => candidate.peerId === target.peerId) as PlacementPeer;
      const { zone, rack } = domains as { zone: string; rack: string };
      perZone.set(zone, (perZone.get(zone) ?? 0) + 1);
      perRack.set(rack, (perRack.get(rack) ?? 0) + 1);
    }
    expect([...perZone.values()]).toEqual([4, 4, 4]);
    expect([...perRack.values()]).toEqual([2, 2, 2, 2, 2, 2]);
  });

  it('counts what the file has already in a domain, also on peers that cannot be written to', () => {
    const peers = [peer(1, { zone: 'a' }), peer(2, { zone: 'a' }), peer(3, { zone: 'b' }), peer(4, { zone: 'b' })];
    const held = [1, 2, 3].map((shareNumber) => ({
      shareNumber,
      peerId: peerId(100 + shareNumber),
      domains: { zone: 'a' },
      usesPlace: true,
    }));
    const { targets } = choosePlacement(
      buildPlacementField(peers),
      request({ shareNumbers: [7, 8], held }),
      seededRandom(3),
    );
    expect(targets.map((target) => target.peerId).sort()).toEqual([peerId(3), peerId(4)].sort());
  });

  it('gives larger domains more of the shares', () => {
    const peers = Array.from({ length: 20 }, (_, i) => peer(i, { zone: i < 15 ? 'large' : 'small' }));
    const { targets } = choosePlacement(
      buildPlacementField(peers),
      request({ shareNumbers: numbers(8) }),
      seededRandom(5),
    );
    const inLarge = targets.filter(
      (target) => peers.findIndex((candidate) => candidate.peerId === target.peerId) < 15,
    ).length;
    expect(inLarge).toBe(6);
  });

  it('passes the limit of a domain only when there is no other peer, and says so', () => {
    const peers = [...numbers(6).map((i) => peer(i, { zone: 'a' })), peer(10, { zone: 'b' })];
    const few = choosePlacement(
      buildPlacementField(peers),
      request({ shareNumbers: numbers(3), maxSharesPerDomain: 2 }),
      seededRandom(1),
    );
    expect(few).toMatchObject({ unplaced: [], overDomainLimit: 0 });
    const many = choosePlacement(
      buildPlacementField(peers),
      request({ shareNumbers: numbers(5), maxSharesPerDomain: 2 }),
      seededRandom(1),
    );
    expect(many.unplaced).toEqual([]);
    expect(many.overDomainLimit).toBe(4);
  });

  it('places fewer shares rather than too many on a peer', () => {
    const peers = numbers(3).map((i) => peer(i));
    const choice = choosePlacement(buildPlacementField(peers), request({ shareNumbers: numbers(5) }), seededRandom(1));
    expect(choice.targets).toHaveLength(3);
    expect(choice.unplaced).toHaveLength(2);
  });

  it('moves shares on where only that gives all of them a place', () => {
    // Share 5 may go to either peer, share 6 only to peer 2: peer 1 holds a share 6 that does not count.
    const peers = [peer(1), peer(2)];
    const held = [{ shareNumber: 6, peerId: peerId(1), domains: {}, usesPlace: true }];
    for (let seed = 0; seed < 20; seed++) {
      const choice = choosePlacement(
        buildPlacementField(peers),
        request({ shareNumbers: [5, 6], held, maxSharesPerPeer: 2, refused: new Set() }),
        seededRandom(seed),
      );
      expect(choice.unplaced).toEqual([]);
      expect(choice.targets).toContainEqual({ shareNumber: 6, peerId: peerId(2) });
    }
  });

  it('is the same for the same random numbers', () => {
    const field = buildPlacementField(numbers(30).map((i) => peer(i, { rack: `r${i % 7}` })));
    const wanted = request({ shareNumbers: numbers(12) });
    expect(choosePlacement(field, wanted, seededRandom(9))).toEqual(choosePlacement(field, wanted, seededRandom(9)));
  });

  it('keeps every hard rule, and leaves out no share that has a place', () => {
    const scene = fc.record({
      peers: fc.uniqueArray(fc.record({ serial: fc.nat(20), zone: fc.nat(2), rack: fc.nat(5), rooms: fc.nat(3) }), {
        selector: (value) => value.serial,
        maxLength: 12,
      }),
      shares: fc.uniqueArray(fc.nat(15), { maxLength: 10 }),
      held: fc.array(fc.record({ shareNumber: fc.nat(15), serial: fc.nat(20) }), { maxLength: 10 }),
      refused: fc.array(fc.nat(20), { maxLength: 4 }),
      maxSharesPerPeer: fc.integer({ min: 1, max: 3 }),
      maxSharesPerDomain: fc.integer({ min: 1, max: 5 }),
      seed: fc.nat(),
    });
    fc.assert(
      fc.property(scene, (given) => {
        const peers = given.peers.map((each) =>
          peer(each.serial, { zone: `z${each.zone}`, rack: `r${each.rack}` }, each.rooms * 100),
        );
        const held = given.held.map((share) => ({
          shareNumber: share.shareNumber,
          peerId: peerId(share.serial),
          domains: peers.find((candidate) => candidate.peerId === peerId(share.serial))?.domains ?? {},
          usesPlace: true,
        }));
        const refused = new Set(given.refused.map(peerId));
        const wanted = request({ ...given, shareNumbers: given.shares, held, refused });
        const { targets, unplaced } = choosePlacement(buildPlacementField(peers), wanted, seededRandom(given.seed));

        expect([...targets.map((target) => target.shareNumber), ...unplaced].sort((a, b) => a - b)).toEqual(
          [...given.shares].sort((a, b) => a - b),
        );
        for (const target of targets) {
          const chosen = peers.find((candidate) => candidate.peerId === target.peerId) as PlacementPeer;
          const mine = targets.filter((other) => other.peerId === target.peerId).length;
          const before = held.filter((share) => share.peerId === target.peerId).length;
          expect(refused.has(target.peerId)).toBe(false);
          expect(held).not.toContainEqual(
            expect.objectContaining({ shareNumber: target.shareNumber, peerId: target.peerId }),
          );
          expect(mine + before).toBeLessThanOrEqual(given.maxSharesPerPeer);
          expect(mine * 100).toBeLessThanOrEqual(chosen.freeBytes);
        }
        expect(targets).toHaveLength(largestMatching(peers, wanted));
      }),
      { numRuns: 300 },
    );
  });
});

/** By brute force of augmenting paths over (peer, place) slots. */
function largestMatching(peers: readonly PlacementPeer[], wanted: PlacementRequest): number {
  const slots = peers.flatMap((candidate) => {
    const before = wanted.held.filter((share) => share.peerId === candidate.peerId).length;
    const places = Math.min(
      Math.max(0, wanted.maxSharesPerPeer - before),
      Math.floor(candidate.freeBytes / wanted.shareBytes),
    );
    return wanted.refused.has(candidate.peerId) ? [] : Array.from({ length: places }, () => candidate.peerId);
  });
  const shareOfSlot = new Map<number, number>();
  const find = (shareNumber: number, seen: Set<number>): boolean => {
    for (const [slot, id] of slots.entries()) {
      const holds = wanted.held.some((share) => share.peerId === id && share.shareNumber === shareNumber);
      if (holds || seen.has(slot)) continue;
      seen.add(slot);
      const other = shareOfSlot.get(slot);
      if (other === undefined || find(other, seen)) {
        shareOfSlot.set(slot, shareNumber);
        return true;
      }
    }
    return false;
  };
  return wanted.shareNumbers.filter((shareNumber) => find(shareNumber, new Set())).length;
}

describe('the places that shares use', () => {
  const at = (shareNumber: number, serial: number, counts = true) => ({
    shareNumber,
    peerId: peerId(serial),
    domains: {},
    counts,
  });
  const placesOf = (shares: ReturnType<typeof at>[]): string[] =>
    withPlaces(shares).flatMap(({ usesPlace, shareNumber, peerId: id }) =>
      usesPlace ? [`${shareNumber} on ${[1, 2, 3, 4].find((serial) => peerId(serial) === id)}`] : [],
    );

  it('are those of one copy of each number, on different peers where that can be', () => {
    expect(placesOf([at(0, 1), at(0, 2), at(0, 3), at(1, 1)])).toEqual(['0 on 2', '1 on 1']);
  });

  it('are none for shares that do not count', () => {
    expect(placesOf([at(0, 1, false), at(1, 2)])).toEqual(['1 on 2']);
  });

  it('leave the other peers free for new shares, though not for the number that they hold', () => {
    const peers = [peer(1), peer(2), peer(3)];
    const held = withPlaces([at(0, 1), at(0, 2), at(5, 3, false)]);
    const choose = (shareNumbers: number[]) =>
      choosePlacement(buildPlacementField(peers), request({ shareNumbers, held }), seededRandom(1));
    expect(
      choose([1, 2])
        .targets.map(({ peerId: id }) => id)
        .sort(),
    ).toEqual([peerId(2), peerId(3)].sort());
    expect(choose([5, 6]).targets).toEqual([
      { shareNumber: 5, peerId: peerId(2) },
      { shareNumber: 6, peerId: peerId(3) },
    ]);
  });

  it('use each number once, and as few peers twice as can be', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ shareNumber: fc.nat(6), serial: fc.integer({ min: 1, max: 9 }), counts: fc.boolean() })),
        (given) => {
          const shares = given.map(({ shareNumber, serial, counts }) => at(shareNumber, serial, counts));
          const placed = withPlaces(shares).filter((share) => share.usesPlace);
          const counted = new Set(given.filter((share) => share.counts).map((share) => share.shareNumber));
          expect(placed.map((share) => share.shareNumber).sort()).toEqual([...counted].sort());
          expect(placed.every((share) => share.counts)).toBe(true);
        },
      ),
    );
  });
});
