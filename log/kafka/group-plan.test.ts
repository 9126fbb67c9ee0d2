import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { HeldUnder } from '../shared/member.ts';
import { type GroupMember, planRound } from './group-plan.ts';

const topics = [
  { name: 'events', partitions: 7 },
  { name: 'ticks', partitions: 3 },
] as const;

/** A group as it lives: members join, leave, die, let go late, or never take part with what they were given. */
const action = fc.record({
  kind: fc.constantFrom('join', 'die', 'round', 'round', 'let go', 'restart all', 'round'),
  which: fc.nat({ max: 5 }),
  topics: fc.constantFrom([topics[0]], [topics[1]], [topics[0], topics[1]]),
});

interface Living {
  readonly id: string;
  readonly topics: readonly { name: string; partitions: number }[];
  claims: HeldUnder[];
  /** Told by the last round to let go of these, and has not yet. */
  unwanted: HeldUnder[];
  base: number;
}

const keyOf = ({ topic, partition }: HeldUnder): string => `${topic}/${partition}`;

function round(members: readonly Living[], base: number, number: number): void {
  const said: GroupMember[] = members.map((one) => ({
    id: one.id,
    topics: one.topics,
    claims: one.claims,
    base: one.base,
  }));
  const plan = planRound(said, base, number);
  for (const one of members) {
    const given = plan.get(one.id) as readonly HeldUnder[];
    const kept = new Set(given.map((held) => `${keyOf(held)}@${held.generation}`));
    one.unwanted = one.claims.filter((held) => !kept.has(`${keyOf(held)}@${held.generation}`));
    one.claims = [...one.unwanted, ...given];
    one.base = base;
  }
}

describe('a plan', () => {
  test('gives a partition to one member at a time, and under a greater generation each time it changes hands', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        let members: Living[] = [];
        let rounds = 0;
        let joined = 0;
        const base = 1000;
        const lastOwner = new Map<string, { id: string; generation: number }>();
        for (const { kind, which, topics: wanted } of actions) {
          const one = members[which % Math.max(1, members.length)];
          if (kind === 'join') members.push({ id: `m${joined++}`, topics: wanted, claims: [], unwanted: [], base: 0 });
          if (kind === 'die' && one !== undefined) members = members.filter((other) => other !== one);
          if (kind === 'restart all') members = [];
          if (kind === 'let go' && one !== undefined) {
            one.claims = one.claims.filter((held) => !one.unwanted.includes(held));
            one.unwanted = [];
          }
          if (kind !== 'round') continue;
          round(members, base, ++rounds);
          const owners = new Map<string, string>();
          for (const { id, claims } of members) {
            for (const held of claims) {
              expect(owners.get(keyOf(held)), `${keyOf(held)} has one owner`).toBeUndefined();
              owners.set(keyOf(held), id);
              const before = lastOwner.get(keyOf(held));
              if (before?.id === id && before.generation === held.generation) continue;
              expect(held.generation).toBeGreaterThan(before?.generation ?? 0);
              lastOwner.set(keyOf(held), { id, generation: held.generation });
            }
          }
        }
      }),
    );
  });

  test('becomes even and complete once everybody has let go, and then stays as it is', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 6 }), { minLength: 1, maxLength: 6 }), (sizes) => {
        let number = 0;
        let members: Living[] = [];
        for (const size of sizes) {
          const count = Math.max(1, size);
          members = Array.from({ length: count }, (_, i) => {
            return members[i] ?? { id: `m${number}-${i}`, topics, claims: [], unwanted: [], base: 0 };
          });
          for (let rounds = 0; rounds < 3; rounds++) {
            round(members, 5, ++number);
            for (const one of members) {
              one.claims = one.claims.filter((held) => !one.unwanted.includes(held));
              one.unwanted = [];
            }
          }
          for (const { name, partitions } of topics) {
            const counts = members.map(({ claims }) => claims.filter(({ topic }) => topic === name).length);
            expect(counts.reduce((sum, held) => sum + held, 0)).toBe(partitions);
            expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
          }
          const settled = members.map(({ claims }) => [...claims]);
          round(members, 5, ++number);
          expect(members.map(({ claims }) => claims.toSorted(byPlace))).toEqual(
            settled.map((held) => held.toSorted(byPlace)),
          );
        }
      }),
    );
  });

  test('gives away nothing that a member still claims, though another one is to have it', () => {
    const held = [0, 1].map((partition) => ({ topic: 'events', partition, generation: 3 }));
    const two = [{ name: 'events', partitions: 2 }];
    const members = [
      { id: 'old', topics: two, claims: held, base: 1 },
      { id: 'new', topics: two, claims: [], base: 0 },
    ];
    const plan = planRound(members, 1, 9);
    expect(plan.get('new')).toEqual([]);
    expect(plan.get('old')).toHaveLength(1);
    const kept = plan.get('old') as HeldUnder[];
    const next = planRound([{ ...(members[0] as GroupMember), claims: kept }, members[1] as GroupMember], 1, 10);
    expect(next.get('old')).toEqual(kept);
    expect(next.get('new')).toMatchObject([{ generation: 11 }]);
  });

  test('believes the claim of the greater generation where two members claim the same', () => {
    const one = [{ name: 'events', partitions: 1 }];
    const claim = (generation: number): HeldUnder[] => [{ topic: 'events', partition: 0, generation }];
    const plan = planRound(
      [
        { id: 'a', topics: one, claims: claim(4), base: 1 },
        { id: 'b', topics: one, claims: claim(6), base: 1 },
      ],
      1,
      9,
    );
    expect(plan.get('a')).toEqual([]);
    expect(plan.get('b')).toEqual(claim(6));
  });
});

function byPlace(a: HeldUnder, b: HeldUnder): number {
  return a.topic.localeCompare(b.topic) || a.partition - b.partition;
}
