import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { MemberSpec } from '../shared/member.ts';
import { GroupFile } from './group-file.ts';
import { ownIdentity } from './process-identity.ts';

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'meshward-groups-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function openGroups(directory = newDirectory()) {
  const time = { nowMs: 1000 };
  const groups = new GroupFile(directory, { lockTimeoutMs: 1000, process: ownIdentity(), nowMs: () => time.nowMs });
  onTestFinished(() => groups.close());
  return { groups, time, directory };
}

function member(id: string): MemberSpec {
  return { id, group: 'g', topics: [{ name: 't', partitions: 2 }], sessionTimeoutMs: 100, revokeTimeoutMs: 500 };
}

function generations(groups: GroupFile, id: string): number[] | null {
  return groups.owned(id, 'g')?.map((owned) => owned.generation) ?? null;
}

test('a member that was silent for longer than its session is replaced, and fenced', () => {
  const { groups, time } = openGroups();
  groups.join(member('a'));
  expect(generations(groups, 'a')).toEqual([1, 1]);
  groups.join(member('b'));
  time.nowMs += 101;
  groups.heartbeat('b', 'g');
  expect(generations(groups, 'a')).toBeNull();
  expect(generations(groups, 'b')).toEqual([2, 2]);
  expect(groups.commit('a', 'g', { topic: 't', partition: 0, generation: 1 }, 5)).toBe(false);
  expect(groups.commit('b', 'g', { topic: 't', partition: 0, generation: 1 }, 5)).toBe(false);
  expect(groups.commit('b', 'g', { topic: 't', partition: 0, generation: 2 }, 5)).toBe(true);
  expect(groups.heartbeat('a', 'g')).toBeNull();
  expect(groups.committed('g', 't', 2)).toEqual([5, null]);
});

test('a heartbeat in time keeps a member, also when another one looks', () => {
  const { groups, time } = openGroups();
  groups.join(member('a'));
  groups.join(member('b'));
  for (let i = 0; i < 5; i++) {
    time.nowMs += 60;
    expect(groups.heartbeat('a', 'g')).not.toBeNull();
    expect(groups.heartbeat('b', 'g')).not.toBeNull();
  }
});

test('an owner keeps a called-back partition until it releases it, or takes too long', () => {
  const { groups, time } = openGroups();
  groups.join(member('a'));
  groups.join(member('b'));
  expect(groups.owned('a', 'g')?.filter((owned) => owned.revoking)).toHaveLength(1);
  expect(generations(groups, 'b')).toEqual([]);
  for (let i = 0; i < 5; i++) {
    time.nowMs += 90;
    groups.heartbeat('a', 'g');
    groups.heartbeat('b', 'g');
  }
  expect(generations(groups, 'b')).toEqual([]);
  time.nowMs += 90;
  groups.heartbeat('a', 'g');
  groups.heartbeat('b', 'g');
  expect(generations(groups, 'b')).toEqual([2]);
  expect(generations(groups, 'a')).toEqual([1]);
});

test('generations and commits survive that every member is gone and the file is opened anew', () => {
  const { groups, directory } = openGroups();
  groups.join(member('a'));
  groups.commit('a', 'g', { topic: 't', partition: 1, generation: 1 }, 7);
  groups.leave('a', 'g');
  const again = openGroups(directory).groups;
  again.join(member('b'));
  expect(again.owned('b', 'g')?.map(({ generation, committedOffset }) => [generation, committedOffset])).toEqual([
    [2, null],
    [2, 7],
  ]);
});

test('members from before a reboot are dead, although their clock was ahead of ours', () => {
  const { groups, time } = openGroups();
  time.nowMs = 1_000_000;
  groups.join(member('a'));
  time.nowMs = 10;
  groups.join(member('b'));
  expect(generations(groups, 'a')).toBeNull();
  expect(generations(groups, 'b')).toEqual([2, 2]);
});
