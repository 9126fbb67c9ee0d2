/** Contract: consumer groups share partitions, resume from commits, and fence who lost a partition. */
import { describe, expect, test } from 'vitest';
import type { AssignedPartition } from '#log/port.ts';
import { hasCode } from '#mesh/errors.ts';
import { eventually, type MakeHarness, RecordingMember, record } from './event-log-harness.ts';
import { stage } from './event-log-stage.ts';

function shared(members: readonly RecordingMember[], count: number): boolean {
  const owned = members.flatMap((member) => [...member.owned.keys()]);
  const sizes = members.map((member) => member.owned.size);
  return owned.length === count && new Set(owned).size === count && Math.max(...sizes) - Math.min(...sizes) <= 1;
}

export function describeGroups(makeHarness: MakeHarness): void {
  describe('groups', () => {
    test('resume from what was committed, and hand over again what was not', async () => {
      const { log, open, topic, group } = await stage(makeHarness, { partitions: 1 });
      await log.append(
        topic,
        ['a', 'b', 'c', 'd'].map((value) => record(0, value)),
      );
      expect(await log.committed(group, topic)).toEqual([null]);
      const first = await RecordingMember.join(log, group, topic, false);
      await eventually(() => first.received.length === 4, 'all four records come');
      await first.membership.commit(first.owned.get(0) as AssignedPartition, 2);
      expect(await (await open()).committed(group, topic)).toEqual([2]);
      await first.membership.leave();
      await first.membership.ended;
      const second = await RecordingMember.join(await open(), group, topic);
      await eventually(() => second.received.length === 2, 'the uncommitted records come again');
      expect(second.values).toEqual(['c', 'd']);
      expect(second.assignments[0]?.committedOffset).toBe(2);
      await eventually(async () => (await log.committed(group, topic))[0] === 4, 'the rest is committed');
      expect((await log.bounds(topic))[0]).toEqual({ partition: 0, firstOffset: 0, nextOffset: 4 });
    });

    test('begin where `assigned` says', async () => {
      const { log, topic, group } = await stage(makeHarness, { partitions: 1 });
      await log.append(
        topic,
        ['a', 'b', 'c'].map((value) => record(0, value)),
      );
      const member = new RecordingMember();
      member.commits = false;
      const assigned = member.assigned.bind(member);
      const starting = Object.assign(Object.create(member) as RecordingMember, {
        assigned: async (partitions: readonly AssignedPartition[]) => {
          await assigned(partitions);
          return new Map([[`${topic}/0`, 2]]);
        },
      });
      const membership = await log.join(group, [topic], starting);
      await eventually(() => member.received.length > 0, 'records come');
      expect(member.values).toEqual(['c']);
      await membership.leave();
    });

    test('are apart from each other', async () => {
      const { log, topic, group } = await stage(makeHarness, { partitions: 2 });
      await log.append(topic, [record(0, 'a'), record(1, 'b')]);
      const one = await RecordingMember.join(log, group, topic);
      const other = await RecordingMember.join(log, `${group}-other`, topic);
      await eventually(() => one.received.length === 2 && other.received.length === 2, 'both groups get everything');
    });

    test('share partitions evenly as members come and go; each change of hands has a greater generation', async () => {
      const { log, open, topic, group } = await stage(makeHarness, { partitions: 6 });
      const clients = [log, await open(), await open()];
      const members: RecordingMember[] = [];
      for (const client of clients) {
        members.push(await RecordingMember.join(client, group, topic));
        await eventually(() => shared(members, 6), `${members.length} members share`);
      }
      const kept = new Set(members[1]?.owned.values());
      await members[2]?.membership.leave();
      await eventually(() => shared(members.slice(0, 2), 6), 'two members share');
      for (const partition of kept) expect(members[1]?.owned.get(partition.partition)).toEqual(partition);
      await members[0]?.membership.leave();
      await eventually(() => shared(members.slice(1, 2), 6), 'one member has all');
      const generations = new Map<number, number[]>();
      for (const { partition, generation } of members.flatMap((member) => member.assignments)) {
        generations.set(partition, [...(generations.get(partition) ?? []), generation]);
      }
      for (const seen of generations.values()) expect(new Set(seen).size).toBe(seen.length);
      for (let partition = 0; partition < 6; partition++) {
        expect(members[1]?.owned.get(partition)?.generation).toBe(Math.max(...(generations.get(partition) ?? [])));
      }
    });

    test('deliver everything while members come and go', async () => {
      const { log, open, topic, group } = await stage(makeHarness, { partitions: 4 });
      const members = [await RecordingMember.join(log, group, topic)];
      const sent: string[] = [];
      for (let round = 0; round < 12; round++) {
        const values = [0, 1, 2, 3].map((partition) => `r${round}p${partition}`);
        await log.append(
          topic,
          values.map((value, partition) => record(partition, value)),
        );
        sent.push(...values);
        if (round === 3) members.push(await RecordingMember.join(await open(), group, topic));
        if (round === 7) await members[0]?.membership.leave();
      }
      await eventually(() => {
        const received = new Set(members.flatMap((member) => member.values));
        return sent.every((value) => received.has(value));
      }, 'every record is received by some member');
    });

    test('give a partition to its next owner only after the last one has let go', async () => {
      const { log, open, topic, group } = await stage(makeHarness, { partitions: 2 });
      const first = await RecordingMember.join(log, group, topic);
      await eventually(() => first.owned.size === 2, 'the first member has both');
      const release = Promise.withResolvers<void>();
      first.holdRevoked = release.promise;
      const second = await RecordingMember.join(await open(), group, topic);
      await eventually(() => first.revokedCalls === 1, 'the first member is told');
      await log.append(topic, [record(0, 'x'), record(1, 'y')]);
      const stays = first.owned.size === 2 && second.assignments.length === 0;
      expect(stays).toBe(true);
      release.resolve();
      await eventually(() => second.owned.size === 1 && first.owned.size === 1, 'each has one');
      await eventually(() => second.received.length === 1, 'the second member gets its records');
    });

    test('say at once that a partition is to go, while records of it are still being taken', async () => {
      const { log, open, topic, group } = await stage(makeHarness, { partitions: 1 });
      await log.append(topic, [record(0, 'x')]);
      const told: string[] = [];
      const gone = Promise.withResolvers<void>();
      const first = await log.join(group, [topic], {
        assigned: () => Promise.resolve(undefined),
        revoking: ({ partition }) => {
          told.push(`revoking ${partition}`);
          gone.resolve();
        },
        revoked: (partitions) => {
          told.push(`revoked ${partitions.map(({ partition }) => partition).join()}`);
          return Promise.resolve();
        },
        records: async () => {
          told.push('records');
          await gone.promise;
        },
      });
      await eventually(() => told.length === 1, 'the first member is busy with the record');
      const leaving = first.leave();
      const second = await RecordingMember.join(await open(), group, topic);
      await leaving;
      expect(told).toEqual(['records', 'revoking 0', 'revoked 0']);
      await eventually(() => second.values.includes('x'), 'the second member gets the record');
    });

    test('refuse commits for what was revoked, with log-fenced', async () => {
      const { log, open, topic, group } = await stage(makeHarness, { partitions: 2 });
      await log.append(topic, [record(0, 'x'), record(1, 'y')]);
      const first = await RecordingMember.join(log, group, topic, false);
      await eventually(() => first.received.length === 2, 'the first member has both');
      const before = new Map(first.owned);
      const second = await RecordingMember.join(await open(), group, topic, false);
      const moved = await eventually(() => [...second.owned.keys()][0], 'one partition moves');
      const stale = before.get(moved) as AssignedPartition;
      expect(second.owned.get(moved)?.generation).toBeGreaterThan(stale.generation);
      await expect(first.membership.commit(stale, 1)).rejects.toSatisfy((error) => hasCode(error, 'log-fenced'));
      await second.membership.commit(second.owned.get(moved) as AssignedPartition, 1);
      expect((await log.committed(group, topic))[moved]).toBe(1);
      const stays = [...first.owned.values()][0] as AssignedPartition;
      await first.membership.commit(stays, 1);
      await first.membership.leave();
      await expect(first.membership.commit(stays, 1)).rejects.toSatisfy((error) => hasCode(error, 'log-fenced'));
    });

    test('end a membership whose consumer fails; another member takes over', async () => {
      const { log, open, topic, group } = await stage(makeHarness, { partitions: 1 });
      await log.append(topic, [record(0, 'x')]);
      const failing = await log.join(group, [topic], {
        assigned: () => Promise.resolve(undefined),
        revoked: () => Promise.resolve(),
        records: () => Promise.reject(new Error('cannot take it')),
      });
      await expect(failing.ended).rejects.toThrow('cannot take it');
      const member = await RecordingMember.join(await open(), group, topic);
      await eventually(() => member.values.includes('x'), 'the other member gets the record');
    });
  });
}
