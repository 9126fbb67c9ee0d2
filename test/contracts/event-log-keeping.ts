/** Contract: what a topic keeps, and what it says about what it no longer keeps. */
import { describe, expect, test } from 'vitest';
import { hasCode } from '#mesh/errors.ts';
import { eventually, type MakeHarness, RecordingMember, readAll, record, textOf } from './event-log-harness.ts';
import { stage } from './event-log-stage.ts';

export function describeKeeping(makeHarness: MakeHarness): void {
  describe('compaction', () => {
    test('keeps the newest record of each key and lets older ones go, in order and under their offsets', async () => {
      const { log, topic } = await stage(makeHarness, { compacted: true, partitions: 1 });
      for (let round = 0; round < 5; round++) {
        await log.append(
          topic,
          ['a', 'b', 'c', ...(round === 0 ? ['rare'] : [])].map((key) => record(0, `${key}${round}`, key)),
        );
      }
      const kept = await eventually(async () => {
        await log.append(topic, [record(0, 'filler', 'filler')]);
        const records = await readAll(log, topic, 0);
        return records.filter((one) => textOf(one).startsWith('a')).length === 1 ? records : false;
      }, 'older records of key a go');
      expect(kept.map(textOf).filter((value) => value !== 'filler')).toEqual(['rare0', 'a4', 'b4', 'c4']);
      expect(kept.find((one) => textOf(one) === 'rare0')?.offset).toBe(3);
      const bounds = await log.bounds(topic);
      expect(kept.at(-1)?.offset).toBe((bounds[0]?.nextOffset ?? 0) - 1);
    });

    test('does not mix keys of different partitions', async () => {
      const { log, topic } = await stage(makeHarness, { compacted: true, partitions: 2 });
      await log.append(topic, [record(0, 'zero', 'same'), record(1, 'one', 'same')]);
      expect((await readAll(log, topic, 0)).map(textOf)).toEqual(['zero']);
      expect((await readAll(log, topic, 1)).map(textOf)).toEqual(['one']);
    });

    test('hands tombstones over and then lets them go; a key may come back', async () => {
      const { log, topic } = await stage(makeHarness, { compacted: true, partitions: 1 });
      const seen: string[] = [];
      const following = await log.follow(
        [topic],
        'first',
        async (_t, _p, records) => void seen.push(...records.map(textOf)),
      );
      await log.append(topic, [record(0, 'alive', 'k'), record(0, 'other', 'o')]);
      await log.append(topic, [record(0, null, 'k')]);
      await eventually(() => seen.includes('(tombstone)'), 'the tombstone is handed over');
      await eventually(async () => {
        await log.append(topic, [record(0, 'filler', 'filler')]);
        return !(await readAll(log, topic, 0)).some((one) => one.value === null || textOf(one) === 'alive');
      }, 'the tombstone goes');
      await log.append(topic, [record(0, 'again', 'k')]);
      const values = (await readAll(log, topic, 0)).map(textOf);
      expect(values).toContain('again');
      expect(values).toContain('other');
      await following.close();
    });

    test('lets a follower and a group reach the end although offsets are missing', async () => {
      const { log, topic, group } = await stage(makeHarness, { compacted: true, partitions: 1 });
      for (let i = 0; i < 10; i++) await log.append(topic, [record(0, `v${i}`, 'k')]);
      const following = await log.follow([topic], 'first', () => Promise.resolve());
      await following.caughtUp;
      const member = await RecordingMember.join(log, group, topic);
      await eventually(() => member.values.includes('v9'), 'the group gets the newest record');
      await following.close();
    });

    test('takes no record without a key', async () => {
      const { log, topic } = await stage(makeHarness, { compacted: true });
      await expect(log.append(topic, [record(0, 'x')])).rejects.toSatisfy((error) => hasCode(error, 'bad-input'));
    });
  });

  describe('retention', () => {
    test('by size removes the oldest records first, and reads below say log-truncated', async () => {
      const { log, topic } = await stage(makeHarness, { partitions: 1, retentionBytes: 100_000 });
      let sent = 0;
      const first = await eventually(async () => {
        await log.append(
          topic,
          Array.from({ length: 10 }, () => record(0, String(sent++).padStart(6, '0').repeat(500))),
        );
        const firstOffset = (await log.bounds(topic))[0]?.firstOffset ?? 0;
        return firstOffset > 0 ? firstOffset : false;
      }, 'the oldest records go');
      await expect(log.read(topic, 0, 0, 1000)).rejects.toSatisfy((error) => hasCode(error, 'log-truncated'));
      const kept = await readAll(log, topic, 0);
      expect(kept[0]?.offset).toBeGreaterThanOrEqual(first);
      expect(kept.map((one) => one.offset)).toEqual(kept.map((_, index) => (kept[0]?.offset ?? 0) + index));
      expect(textOf(kept.at(-1) as { value: Uint8Array })).toBe(
        String(sent - 1)
          .padStart(6, '0')
          .repeat(500),
      );
    });

    test('by age may remove everything, and offsets go on', async () => {
      const { log, open, topic } = await stage(makeHarness, { partitions: 1, retentionMs: 300 });
      await log.append(topic, [record(0, 'a'), record(0, 'b'), record(0, 'c')]);
      await eventually(async () => (await log.bounds(topic))[0]?.firstOffset === 3, 'all records go');
      await log.close();
      const again = await open();
      expect(await again.bounds(topic)).toEqual([{ partition: 0, firstOffset: 3, nextOffset: 3 }]);
      expect(await again.append(topic, [record(0, 'd')])).toEqual([{ partition: 0, offset: 3 }]);
    });

    test('tells a group what it took before it was read, and goes on at the first record kept', async () => {
      const { log, topic, group } = await stage(makeHarness, { partitions: 1, retentionMs: 300 });
      const early = await RecordingMember.join(log, group, topic);
      await log.append(topic, [record(0, 'a')]);
      await eventually(async () => (await log.committed(group, topic))[0] === 1, 'the first record is committed');
      await early.membership.leave();
      await log.append(topic, [record(0, 'b'), record(0, 'c')]);
      await eventually(async () => (await log.bounds(topic))[0]?.firstOffset === 3, 'all records go');
      await log.append(topic, [record(0, 'd')]);
      const late = await RecordingMember.join(log, group, topic);
      await eventually(() => late.values.includes('d'), 'the group goes on');
      expect(late.truncations).toEqual([{ partition: 0, fromOffset: 1, firstOffset: 3 }]);
      expect(late.values).toEqual(['d']);
    });

    test('fails a follower whose records it took, or tells it where it asks for that', async () => {
      const { log, topic } = await stage(makeHarness, { partitions: 1, retentionMs: 300 });
      await log.append(topic, [record(0, 'a'), record(0, 'b')]);
      await eventually(async () => (await log.bounds(topic))[0]?.firstOffset === 2, 'all records go');
      const from = new Map([[topic, [1]]]);
      const strict = await log.follow([topic], from, () => Promise.resolve());
      await expect(strict.ended).rejects.toSatisfy((error) => hasCode(error, 'log-truncated'));
      const told: number[] = [];
      const lenient = await log.follow([topic], from, () => Promise.resolve(), {
        truncated: async (_topic, partition, fromOffset, firstOffset) =>
          void told.push(partition, fromOffset, firstOffset),
      });
      await lenient.caughtUp;
      expect(told).toEqual([0, 1, 2]);
      await lenient.close();
    });
  });
}
