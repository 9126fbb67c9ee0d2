import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareGrades, gradeOf } from '#mesh/grade.ts';
import type { Domains, PeerState } from '#mesh/peer-state.ts';
import { defaultPolicy } from '#mesh/policy.ts';
import { fileOf, peerOf, registrationOf } from '#mesh/testing/share-events.ts';
import { type HealthInput, healthOf, sameHealth, toleranceOf } from './health.ts';
import { PeerTable } from './peer-table.ts';
import type { FileHealth } from './share-map.ts';

interface Share {
  readonly share: number;
  readonly peer: number;
  readonly corrupt?: boolean;
}

interface PeerFields {
  readonly state?: PeerState;
  readonly domains?: Domains;
}

function inputsOf(shares: readonly Share[], peers: Readonly<Record<number, PeerFields>> = {}): readonly HealthInput[] {
  const table = new PeerTable();
  return shares.map(({ share, peer, corrupt = false }) => {
    const number = table.numberOf(peerOf(peer));
    table.setState(peerOf(peer), peers[peer]?.state ?? 'up');
    table.setDomains(peerOf(peer), peers[peer]?.domains ?? {});
    return { shareNumber: share, corrupt, peer: table.row(number) };
  });
}

function healthWith(k: number, n: number, inputs: Iterable<HealthInput>): FileHealth {
  return healthOf(registrationOf(1, { k, n }), defaultPolicy({ k, n }), inputs, () => false);
}

/** The fewest of the holders whose loss leaves fewer than k distinct shares, by trying all sets; one more than there are where none does. */
function fewestByBruteForce(k: number, shares: readonly { readonly share: number; readonly holder: string }[]): number {
  const holders = [...new Set(shares.map(({ holder }) => holder))];
  let fewest = holders.length + 1;
  for (let set = 0; set < 2 ** holders.length; set++) {
    const gone = holders.filter((_, i) => (set & (1 << i)) !== 0);
    const left = new Set(shares.filter(({ holder }) => !gone.includes(holder)).map(({ share }) => share));
    if (left.size < k) fewest = Math.min(fewest, gone.length);
  }
  return fewest;
}

describe('the health of a file', () => {
  it('counts distinct shares by what their peers are', () => {
    const states: readonly PeerState[] = ['up', 'draining', 'suspect', 'maintenance', 'down', 'departed'];
    const shares = states.map((_, number) => ({ share: number, peer: number }));
    const peers = Object.fromEntries(states.map((state, number) => [number, { state }]));
    expect(healthWith(2, 8, inputsOf(shares, peers))).toMatchObject({
      available: 2,
      counted: 3,
      retained: 5,
      margin: 0,
    });
  });

  it('counts a share that two peers hold once, and both peers', () => {
    const health = healthWith(
      1,
      4,
      inputsOf([
        { share: 0, peer: 1 },
        { share: 0, peer: 2 },
      ]),
    );
    expect(health).toMatchObject({ available: 1, retained: 1, distinctPeers: 2, happiness: 1 });
  });

  it('does not count corrupt shares, nor numbers that the coding does not have', () => {
    const shares = [
      { share: 0, peer: 1, corrupt: true },
      { share: 1, peer: 2 },
      { share: 4, peer: 3 },
    ];
    expect(healthWith(1, 4, inputsOf(shares))).toMatchObject({ available: 1, corrupt: 1, distinctPeers: 1 });
  });

  it('has a grade that never rises when its margin falls', () => {
    const coding = fc
      .integer({ min: 1, max: 256 })
      .chain((n) => fc.record({ n: fc.constant(n), k: fc.integer({ min: 1, max: n }) }));
    fc.assert(
      fc.property(coding, fc.nat(256), fc.nat(256), (coding, a, b) => {
        const policy = defaultPolicy(coding);
        const [less, more] = [Math.min(a, b, coding.n), Math.min(Math.max(a, b), coding.n)];
        expect(compareGrades(gradeOf(less, policy), gradeOf(more, policy))).toBeLessThanOrEqual(0);
        expect(gradeOf(coding.k - 1, policy)).toBe('lost');
        expect(gradeOf(coding.n, policy)).toBe('healthy');
      }),
    );
  });

  it('is the same as before only where all that anybody sees is', () => {
    const shares = [0, 1, 2].map((share) => ({ share, peer: share }));
    const registration = registrationOf(1, { k: 1, n: 4 });
    const policy = defaultPolicy({ k: 1, n: 4 });
    const of = (peers: Readonly<Record<number, PeerFields>>) =>
      healthOf(registration, policy, inputsOf(shares, peers), () => false);
    expect(sameHealth(of({}), of({}))).toBe(true);
    expect(sameHealth(of({}), of({ 0: { state: 'suspect' } }))).toBe(false);
    expect(sameHealth(of({ 0: { state: 'down' } }), of({ 0: { state: 'departed' } }))).toBe(false);
    expect(sameHealth(of({ 0: { domains: { zone: 'a' } } }), of({ 0: { domains: { zone: 'b' } } }))).toBe(true);
    expect(sameHealth(of({}), of({ 0: { domains: { zone: 'a' } } }))).toBe(false);
  });
});

describe('tolerance', () => {
  const shareNumbers = fc.uniqueArray(fc.nat(9), { minLength: 1, maxLength: 8 });
  const kOf = fc.integer({ min: 1, max: 6 });

  it('to peers and domains is exact where no share is held twice', () => {
    const peer = fc.nat(4);
    const zone = fc.constantFrom('a', 'b', 'c');
    fc.assert(
      fc.property(
        shareNumbers,
        fc.array(peer, { minLength: 8, maxLength: 8 }),
        fc.array(zone, { minLength: 5, maxLength: 5 }),
        kOf,
        (numbers, homes, zones, k) => {
          const shares = numbers.map((share, i) => ({ share, peer: homes[i] as number }));
          const peers = Object.fromEntries(zones.map((name, number) => [number, { domains: { zone: name } }]));
          const health = healthWith(k, 10, inputsOf(shares, peers));
          const byPeer = shares.map(({ share, peer }) => ({ share, holder: String(peer) }));
          const byZone = shares.map(({ share, peer }) => ({ share, holder: zones[peer] as string }));
          expect(health.tolerancePeers).toBe(fewestByBruteForce(k, byPeer));
          expect(health.toleranceDomains['zone'] ?? 0).toBe(fewestByBruteForce(k, byZone));
        },
      ),
    );
  });

  it('never promises more than there is where shares are held twice', () => {
    const placements = fc.uniqueArray(fc.record({ share: fc.nat(6), peer: fc.nat(4) }), {
      minLength: 1,
      maxLength: 14,
      selector: ({ share, peer }) => share * 10 + peer,
    });
    fc.assert(
      fc.property(placements, kOf, (shares, k) => {
        const health = healthWith(k, 10, inputsOf(shares));
        const byPeer = shares.map(({ share, peer }) => ({ share, holder: String(peer) }));
        expect(health.tolerancePeers).toBeLessThanOrEqual(fewestByBruteForce(k, byPeer));
        expect(health.tolerancePeers).toBeGreaterThanOrEqual(health.available >= k ? 1 : 0);
      }),
    );
  });

  it('of a file that cannot be recovered is none', () => {
    expect(toleranceOf([3, 2], -1)).toBe(0);
    expect(toleranceOf([1, 1, 1], 0)).toBe(1);
    expect(toleranceOf([3, 2, 1], 3)).toBe(2);
  });

  it('belongs to the file that it is of', () => {
    expect(healthWith(1, 2, []).storageIndex).toBe(fileOf(1));
  });
});
