/**
 * Who is to have which partition after a round of the group protocol: a function of what the members say, worked out by
 * the one that the coordinator made leader.
 *
 * A partition that a member still claims is given to nobody else, whoever is to have it next: its owner finds that it is no
 * longer to have it, lets go in its own time and joins the next round without the claim; then it is free.
 *
 * Generations: a partition that changes hands gets `base + round`, one that stays keeps its own. Rounds are Kafka's own
 * generations of the group: they grow from round to round as long as Kafka knows the group, also over restarts of all its
 * members and of the coordinator, and each is one leader's alone. The base stands in for the lives of the group before:
 * Kafka forgets a group some time after its last member and offset, and counts from 1 again. It is the time when the
 * group was first seen, in seconds since the epoch, greater than any round before; every member carries it, and every commit (see group-wire.ts). It
 * never shrinks, so a generation that was given is never given again.
 */
import { partitionKey } from '../port.ts';
import { assignPartitions } from '../shared/assignment.ts';
import type { HeldUnder } from '../shared/member.ts';

export interface GroupMember {
  readonly id: string;
  readonly topics: readonly { readonly name: string; readonly partitions: number }[];
  /** What it has and has not let go of. */
  readonly claims: readonly HeldUnder[];
  /** The greatest base that it knows; 0 where it knows none. */
  readonly base: number;
}

/**
 * @param base at least the base of every member, and above 0.
 * @param round of this assignment; above those of all earlier ones under this base.
 * @returns what each member is to have, by member id.
 */
export function planRound(
  members: readonly GroupMember[],
  base: number,
  round: number,
): ReadonlyMap<string, readonly HeldUnder[]> {
  const inOrder = [...members].sort((a, b) => (a.id < b.id ? -1 : 1));
  const owners = claimants(inOrder);
  const partitions = partitionsOf(inOrder).map(({ topic, partition }) => {
    return { topic, partition, owner: owners.get(partitionKey(topic, partition))?.id ?? null };
  });
  const wanted = assignPartitions(
    inOrder.map(({ id, topics }) => ({ id, topics: topics.map(({ name }) => name) })),
    partitions,
  );
  const plan = new Map<string, HeldUnder[]>(inOrder.map(({ id }) => [id, []]));
  for (const [index, { topic, partition, owner }] of partitions.entries()) {
    const next = wanted[index] ?? null;
    if (next === null || (owner !== null && owner !== next)) continue;
    const held = owners.get(partitionKey(topic, partition));
    plan.get(next)?.push({ topic, partition, generation: held?.generation ?? base + round });
  }
  return plan;
}

/** Whose claim counts: where there are two, that of the greater generation. */
function claimants(members: readonly GroupMember[]): Map<string, { id: string; generation: number }> {
  const owners = new Map<string, { id: string; generation: number }>();
  for (const { id, claims } of members) {
    for (const { topic, partition, generation } of claims) {
      const key = partitionKey(topic, partition);
      if (generation > (owners.get(key)?.generation ?? Number.NEGATIVE_INFINITY)) owners.set(key, { id, generation });
    }
  }
  return owners;
}

function partitionsOf(members: readonly GroupMember[]): { topic: string; partition: number }[] {
  const counts = new Map<string, number>();
  for (const { name, partitions } of members.flatMap(({ topics }) => topics))
    counts.set(name, Math.max(partitions, counts.get(name) ?? 0));
  return [...counts].flatMap(([topic, count]) =>
    Array.from({ length: count }, (_, partition) => ({ topic, partition })),
  );
}
