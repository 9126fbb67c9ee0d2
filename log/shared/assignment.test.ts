import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { assignPartitions, type HeldPartition } from './assignment.ts';

const group = fc
  .record({
    partitionCounts: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 3 }),
    members: fc.array(fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }), { minLength: 1, maxLength: 6 }),
    owners: fc.array(fc.option(fc.integer({ min: 0, max: 7 })), { minLength: 60, maxLength: 60 }),
  })
  .map(({ partitionCounts, members, owners }) => ({
    members: members.map((wants, index) => ({
      id: `m${index}`,
      topics: ['t0', 't1', 't2'].filter((_, topic) => wants[topic]),
    })),
    partitions: partitionCounts.flatMap((count, topic) =>
      Array.from({ length: count }, (_, partition): HeldPartition => {
        const owner = owners[topic * 20 + partition];
        return { topic: `t${topic}`, partition, owner: owner === null || owner === undefined ? null : `m${owner}` };
      }),
    ),
  }));

function after(partitions: readonly HeldPartition[], wanted: readonly (string | null)[]): HeldPartition[] {
  return partitions.map((held, index) => ({ ...held, owner: wanted[index] ?? null }));
}

test('every partition goes to one member that wants its topic, in counts that differ by at most one', () => {
  fc.assert(
    fc.property(group, ({ members, partitions }) => {
      const wanted = assignPartitions(members, partitions);
      for (const topic of ['t0', 't1', 't2']) {
        const sharers = members.filter((member) => member.topics.includes(topic)).map((member) => member.id);
        const owners = wanted.filter((_, index) => partitions[index]?.topic === topic);
        if (sharers.length === 0) {
          expect(owners.every((owner) => owner === null)).toBe(true);
        } else if (owners.length > 0) {
          expect(owners.every((owner) => owner !== null && sharers.includes(owner))).toBe(true);
          const counts = sharers.map((id) => owners.filter((owner) => owner === id).length);
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        }
      }
    }),
  );
});

test('an assignment that was carried out is kept as it is', () => {
  fc.assert(
    fc.property(group, ({ members, partitions }) => {
      const wanted = assignPartitions(members, partitions);
      expect(assignPartitions(members, after(partitions, wanted))).toEqual(wanted);
    }),
  );
});

test('when a member of one topic leaves, the others keep everything that they had', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 8 }),
      fc.integer({ min: 1, max: 40 }),
      fc.nat(),
      (memberCount, count, who) => {
        const members = Array.from({ length: memberCount }, (_, index) => ({ id: `m${index}`, topics: ['t'] }));
        const free = Array.from(
          { length: count },
          (_, partition): HeldPartition => ({ topic: 't', partition, owner: null }),
        );
        const settled = after(free, assignPartitions(members, free));
        const gone = `m${who % memberCount}`;
        const left = settled.map((held) => (held.owner === gone ? { ...held, owner: null } : held));
        const wanted = assignPartitions(
          members.filter((member) => member.id !== gone),
          left,
        );
        for (const [index, held] of left.entries()) {
          if (held.owner !== null) expect(wanted[index]).toBe(held.owner);
        }
      },
    ),
  );
});
