/** Contract: what holds when processes are killed or frozen. Kill times come from a printed seed (CONTRACT_SEED repeats it). */
import { describe, expect, test } from 'vitest';
import type { EventLog } from '#log/port.ts';
import { seededRandom } from '#mesh/clock.ts';
import { eventually, type MakeHarness, RecordingMember, readAll, record, textOf } from './event-log-harness.ts';
import { stage } from './event-log-stage.ts';

const seed = Number(process.env['CONTRACT_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

export function describeKilledProcesses(makeHarness: MakeHarness): void {
  describe(`killed and frozen processes (seed ${seed})`, () => {
    test('kill -9 of appenders: every acknowledged record is there once it was acknowledged, none is invented, order holds', async () => {
      const random = seededRandom(seed);
      const { log, topic, spawn } = await stage(makeHarness, { partitions: 3 });
      const acknowledged: string[] = [];
      for (let round = 0; round < 4; round++) {
        const children = [0, 1].map((index) =>
          spawn((topic) => ({ role: 'append', topic, name: `c${round}.${index}` })),
        );
        const enough = 3 + Math.floor(random() * 40);
        await eventually(
          () => children.every((child) => child.of('acknowledged').length >= enough),
          'appends are acknowledged',
        );
        await Promise.all(children.map((child) => child.kill()));
        for (const child of children) acknowledged.push(...child.of('acknowledged').flatMap((report) => report.values));
      }
      const kept = await keptInOrder(log, topic);
      expect(acknowledged.filter((value) => !kept.has(value))).toEqual([]);
      // Appends are whole: of an append that was cut off, all five records are there or none. What was sent last may still be on its way
      // into the log, partition by partition, while it is read.
      await eventually(async () => {
        const sizes = new Map<string, number>();
        for (const value of await keptInOrder(log, topic)) {
          const append = value.slice(0, value.lastIndexOf('/'));
          sizes.set(append, (sizes.get(append) ?? 0) + 1);
        }
        return [...sizes.values()].every((size) => size === 5);
      }, 'appends are whole');
    });

    test('kill -9 of a member: its partitions move under greater generations, and nothing uncommitted is missed', async () => {
      const random = seededRandom(seed + 1);
      const { log, topic, group, spawn } = await stage(makeHarness, { partitions: 4 });
      const survivor = await RecordingMember.join(log, group, topic);
      const victims = [0, 1].map(() => spawn((topic, group) => ({ role: 'consume', topic, group })));
      await eventually(() => victims.every((child) => child.owned.length > 0), 'all three members have partitions');
      const sent: string[] = [];
      const enough = 5 + Math.floor(random() * 20);
      for (let i = 0; victims.some((child) => child.of('received').length < enough); i++) {
        const values = [0, 1, 2, 3].map((partition) => `v${i}p${partition}`);
        await log.append(
          topic,
          values.map((value, partition) => record(partition, value)),
        );
        sent.push(...values);
      }
      const lost = victims.flatMap((child) => child.owned);
      await Promise.all(victims.map((child) => child.kill()));
      await eventually(() => survivor.owned.size === 4, 'the survivor has all partitions');
      for (const { partition, generation } of lost) {
        expect(survivor.owned.get(partition)?.generation).toBeGreaterThan(generation);
      }
      await eventually(() => {
        const received = new Set([
          ...survivor.values,
          ...victims.flatMap((child) => child.of('received').map((one) => one.value)),
        ]);
        return sent.every((value) => received.has(value));
      }, 'every record was received by somebody');
      await eventually(async () => {
        const committed = await log.committed(group, topic);
        return (await log.bounds(topic)).every(({ partition, nextOffset }) => committed[partition] === nextOffset);
      }, 'everything is committed');
    });

    test('a frozen member is replaced; when it wakes its commits are fenced, it is told revoked, and it joins again', async () => {
      const { log, topic, group, spawn } = await stage(makeHarness, { partitions: 2 });
      const zombie = spawn((topic, group) => ({ role: 'consume', topic, group }));
      await eventually(() => zombie.owned.length === 2, 'the child has both partitions');
      await log.append(topic, [record(0, 'a'), record(1, 'b')]);
      await eventually(() => zombie.of('received').length === 2, 'the child has read');
      await eventually(
        async () => (await log.committed(group, topic)).every((offset) => offset === 1),
        'the child has committed',
      );
      const before = zombie.owned;
      zombie.process.kill('SIGSTOP');
      const heir = await RecordingMember.join(log, group, topic);
      await eventually(() => heir.owned.size === 2, 'the heir has both partitions');
      for (const { partition, generation } of before)
        expect(heir.owned.get(partition)?.generation).toBeGreaterThan(generation);
      await log.append(topic, [record(0, 'c'), record(1, 'd')]);
      await eventually(() => heir.received.length === 2, 'the heir reads on');
      expect(heir.values.sort()).toEqual(['c', 'd']);
      zombie.command('commit');
      zombie.process.kill('SIGCONT');
      await eventually(() => zombie.of('commit-failed').length >= 2, 'its commits fail');
      expect(new Set(zombie.of('commit-failed').map((report) => report.code))).toEqual(new Set(['log-fenced']));
      await eventually(() => zombie.of('revoked').length > 0, 'it is told');
      await eventually(() => zombie.owned.length === 1 && heir.owned.size === 1, 'it has joined again');
      const committed = await log.committed(group, topic);
      expect(committed).toEqual([2, 2]);
    });
  });
}

/** The values that are there, each of which must be what a child says, behind what it said before. */
async function keptInOrder(log: EventLog, topic: string): Promise<ReadonlySet<string>> {
  const kept = new Set<string>();
  for (let partition = 0; partition < 3; partition++) {
    const lastOf = new Map<string, number>();
    for (const one of await readAll(log, topic, partition)) {
      const value = textOf(one);
      const [name, sequence, index] = value.split('/') as [string, string, string];
      const place = Number(sequence) * 5 + Number(index);
      expect(value).toMatch(/^c[0-3]\.[01]\/\d+\/[0-4]$/);
      expect(place, `${name} in order`).toBeGreaterThan(lastOf.get(name) ?? -1);
      lastOf.set(name, place);
      kept.add(value);
    }
  }
  return kept;
}
