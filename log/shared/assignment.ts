/** Who owns which partition: a function of the members and of what each holds now, the same in every process. */

export interface AssignmentMember {
  readonly id: string;
  readonly topics: readonly string[];
}

export interface HeldPartition {
  readonly topic: string;
  readonly partition: number;
  readonly owner: string | null;
}

/**
 * The wanted owner of each partition (null where no member wants the topic), in the order of `partitions`.
 *
 * Even: in each topic the counts of two members that want it differ by at most one, and the members with the smaller total
 * get the odd ones. Sticky: a member keeps what it holds up to its share, so only what evenness needs moves.
 *
 * @param members in the order in which they joined; it breaks ties.
 * @param partitions of all topics of the group, in any order.
 */
export function assignPartitions(
  members: readonly AssignmentMember[],
  partitions: readonly HeldPartition[],
): (string | null)[] {
  const wanted: (string | null)[] = partitions.map(() => null);
  const totals = new Map(members.map((member) => [member.id, 0]));
  for (const topic of [...new Set(partitions.map((held) => held.topic))].sort()) {
    const indexes = [...partitions.keys()]
      .filter((index) => partitions[index]?.topic === topic)
      .sort((a, b) => (partitions[a]?.partition ?? 0) - (partitions[b]?.partition ?? 0));
    const sharers = members.filter((member) => member.topics.includes(topic));
    if (sharers.length === 0) continue;
    const shares = sharesOf(
      sharers,
      indexes.length,
      totals,
      (id) => indexes.filter((index) => partitions[index]?.owner === id).length,
    );
    for (const index of indexes) {
      const owner = partitions[index]?.owner ?? null;
      const left = owner === null ? undefined : shares.get(owner);
      if (owner === null || left === undefined || left === 0) continue;
      shares.set(owner, left - 1);
      wanted[index] = owner;
    }
    const open = indexes.filter((index) => wanted[index] === null);
    for (const member of sharers) {
      for (let left = shares.get(member.id) ?? 0; left > 0; left--) wanted[open.shift() as number] = member.id;
    }
    for (const index of indexes) {
      const owner = wanted[index] as string;
      totals.set(owner, (totals.get(owner) ?? 0) + 1);
    }
  }
  return wanted;
}

/** How many partitions of one topic each sharer gets: the odd ones go to the smallest total, then to who holds most already. */
function sharesOf(
  sharers: readonly AssignmentMember[],
  count: number,
  totals: ReadonlyMap<string, number>,
  heldBy: (id: string) => number,
): Map<string, number> {
  const base = Math.floor(count / sharers.length);
  const odd = count % sharers.length;
  const byClaim = sharers
    .map((member, order) => ({ id: member.id, order, total: totals.get(member.id) ?? 0, held: heldBy(member.id) }))
    .sort((a, b) => a.total - b.total || b.held - a.held || a.order - b.order);
  return new Map(byClaim.map(({ id }, rank) => [id, base + (rank < odd ? 1 : 0)]));
}
