/** What the leader of a round does for the others. */
import type { CommittedPlace } from './group-calls.ts';
import { type GroupMember, planRound } from './group-plan.ts';
import { decodeSubscription, encodeAssignment } from './group-wire.ts';
import type { Requests, Responses } from './requests.ts';

interface Commits {
  committed(
    partitions: readonly { readonly topic: string; readonly partition: number }[],
  ): Promise<readonly CommittedPlace[]>;
}

/**
 * @param ownBase the greatest base that this member has heard of, 0 for none.
 * @returns what each member is told. @throws what reading the group's commits fails with.
 */
export async function planAsLeader(
  commits: Commits,
  round: number,
  joined: Responses['JoinGroup']['members'],
  ownBase: number,
  nowMs: number,
): Promise<Requests['SyncGroup']['groupAssignment']> {
  const members = joined.map(({ memberId, memberMetadata }) => decodeSubscription(memberId, memberMetadata));
  const base = await findBase(commits, members, ownBase, nowMs);
  return [...planRound(members, base, round)].map(([memberId, partitions]) => {
    return { memberId, memberAssignment: encodeAssignment({ base, partitions }) };
  });
}

/** The greatest that a member knows, else that a commit tells, else the time: a group that nobody remembers. */
async function findBase(
  commits: Commits,
  members: readonly GroupMember[],
  ownBase: number,
  nowMs: number,
): Promise<number> {
  const known = Math.max(ownBase, ...members.map(({ base }) => base));
  if (known > 0) return known;
  const counts = new Map<string, number>();
  for (const { name, partitions } of members.flatMap(({ topics }) => topics))
    counts.set(name, Math.max(partitions, counts.get(name) ?? 0));
  const partitions = [...counts].flatMap(([topic, count]) =>
    Array.from({ length: count }, (_, partition) => ({ topic, partition })),
  );
  const stored = (await commits.committed(partitions)).reduce((most, { base }) => Math.max(most, base), 0);
  return stored > 0 ? stored : Math.max(1, Math.trunc(nowMs / 1000));
}
