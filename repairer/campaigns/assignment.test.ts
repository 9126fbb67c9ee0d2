import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sampleDefinition } from '#mesh/campaigns/testing/samples.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { type PeerState, peerStates } from '#mesh/peer-state.ts';
import { type Assignment, assign, type FileToAssign } from './assignment.ts';

const n = 10;
const policy = { repairUpTo: 9, maxSharesPerPeer: 1, maxSharesPerDomain: 4 };
const peerIdOf = (i: number): PeerId => `peer-${i}` as PeerId;

const file = fc.array(fc.record({ shareNumber: fc.nat(n - 1), peer: fc.nat(11) }), { maxLength: 20 }).map(
  (shares): FileToAssign => ({
    n,
    policy,
    placements: shares.map(({ shareNumber, peer }) => ({ shareNumber, peerId: peerIdOf(peer) })),
  }),
);
const states = fc.array(fc.constantFrom(...peerStates), { minLength: 12, maxLength: 12 });

function lookup(of: readonly PeerState[]) {
  return (peerId: PeerId) => {
    const i = Number(peerId.slice(5));
    const state = of[i];
    return state === undefined ? undefined : { state, domains: { zone: `z${i % 3}` } };
  };
}

/** The file once the assignment was carried out, each number on a peer that it lets take it. */
function carriedOut(given: FileToAssign, assignment: Assignment, of: readonly PeerState[]): FileToAssign {
  if (assignment.kind !== 'repair') return given;
  const targets = of.flatMap((state, i) => (state === 'up' && !assignment.avoids(peerIdOf(i)) ? [peerIdOf(i)] : []));
  const added = [...assignment.numbers].flatMap((shareNumber) => {
    const [peerId] = targets;
    return peerId === undefined ? [] : [{ shareNumber, peerId }];
  });
  return { ...given, placements: [...given.placements, ...added] };
}

describe('what a campaign does with a file', () => {
  test('a repair does nothing where enough counts, and asks for the target where not', () => {
    fc.assert(
      fc.property(file, states, fc.integer({ min: 1, max: 12 }), (given, of, upTo) => {
        const peerOf = lookup(of);
        const counted = new Set(
          given.placements
            .filter(({ peerId }) => ['up', 'suspect', 'maintenance'].includes(peerOf(peerId)?.state ?? ''))
            .map(({ shareNumber }) => shareNumber),
        ).size;
        const assignment = assign(sampleDefinition({ upTo }), given, peerOf);
        expect(assignment.kind).toBe(counted >= Math.min(n, upTo) ? 'nothing' : 'repair');
        if (assignment.kind === 'repair') expect(assignment.upTo).toBe(Math.min(n, upTo));
      }),
    );
  });

  test('a drain places exactly what only the leaving peers hold, on none of them, and then has nothing more to do', () => {
    fc.assert(
      fc.property(file, states, fc.uniqueArray(fc.nat(11), { minLength: 1, maxLength: 3 }), (given, of, leaving) => {
        const leave = leaving.map(peerIdOf);
        const definition = sampleDefinition({ kind: 'drain', leave });
        const peerOf = lookup(of);
        const assignment = assign(definition, given, peerOf);
        if (assignment.kind !== 'repair') return;
        for (const peerId of leave) expect(assignment.avoids(peerId)).toBe(true);
        for (const number of assignment.numbers) {
          expect(given.placements.some((share) => share.shareNumber === number && leave.includes(share.peerId))).toBe(
            true,
          );
        }
        const isPossible = of.some((state, i) => state === 'up' && !leaving.includes(i));
        if (isPossible) expect(assign(definition, carriedOut(given, assignment, of), peerOf).kind).toBe('nothing');
      }),
    );
  });

  test('a replacement gives all of it to the new peer, and to no other', () => {
    const [old, onto, other] = [peerIdOf(0), peerIdOf(1), peerIdOf(2)];
    const placements = [3, 4].map((shareNumber) => ({ shareNumber, peerId: old }));
    const definition = sampleDefinition({ kind: 'replace', leave: [old], onto });
    const assignment = assign(definition, { n, policy, placements }, lookup(Array<PeerState>(12).fill('up')));
    expect(assignment).toMatchObject({ kind: 'repair', maxSharesPerPeer: 2, numbers: new Set([3, 4]) });
    if (assignment.kind !== 'repair') throw new Error('unexpected');
    expect([old, onto, other].map(assignment.avoids)).toEqual([true, false, true]);
  });

  test('a rebalance leaves no domain with more numbers of its own than the policy lets it have', () => {
    fc.assert(
      fc.property(file, states, (given, of) => {
        const peerOf = lookup(of);
        const definition = sampleDefinition({ kind: 'rebalance', domainKind: 'zone' });
        const assignment = assign(definition, given, peerOf);
        if (assignment.kind !== 'repair') return;
        expect(assignment.numbers.size).toBeGreaterThan(0);
        const isPossible = of.some((state, i) => state === 'up' && !assignment.avoids(peerIdOf(i)));
        const after = carriedOut(given, assignment, of);
        if (isPossible) expect(assign(definition, after, peerOf).kind).toBe('nothing');
      }),
    );
  });
});
