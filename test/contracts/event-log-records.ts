/** Contract: what is appended is what is read, by offset and by following. */
import { describe, expect, test } from 'vitest';
import type { LogRecord } from '#log/port.ts';
import { hasCode } from '#mesh/errors.ts';
import { eventually, type MakeHarness, readAll, record, text, textOf } from './event-log-harness.ts';
import { stage } from './event-log-stage.ts';

export function describeRecords(makeHarness: MakeHarness): void {
  describe('records', () => {
    test('keep their order in each partition, under dense offsets from 0', async () => {
      const { log, open, topic } = await stage(makeHarness);
      // Not awaited one by one: the order of the calls is the order of the log.
      const answers = await Promise.all(
        Array.from({ length: 60 }, (_, i) =>
          log.append(topic, [record(i % 3, `a${i}`), record(i % 3, `b${i}`), record(3, `c${i}`)]),
        ),
      );
      const other = await open();
      for (let partition = 0; partition < 4; partition++) {
        const records = await readAll(other, topic, partition);
        expect(records.map((one) => one.offset)).toEqual(records.map((_, index) => index));
      }
      const first = await readAll(other, topic, 0);
      expect(first.map(textOf)).toEqual(Array.from({ length: 20 }, (_, i) => [`a${i * 3}`, `b${i * 3}`]).flat());
      expect((await readAll(other, topic, 3)).map(textOf)).toEqual(Array.from({ length: 60 }, (_, i) => `c${i}`));
      expect(answers[4]).toEqual([
        { partition: 1, offset: 2 },
        { partition: 1, offset: 3 },
        { partition: 3, offset: 4 },
      ]);
    });

    test('come back whole: keys, headers, times, empty and large values', async () => {
      const { log, open, topic } = await stage(makeHarness);
      const large = new Uint8Array(900 * 1024).map((_, index) => index * 31);
      const startedMs = Date.now();
      const headers = {
        traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
        'x-ünï': 'wert mit "quotes"',
        empty: '',
      };
      await log.append(topic, [
        { partition: 2, key: text('key'), value: text('value'), headers },
        { partition: 2, key: null, value: new Uint8Array(0) },
        { partition: 2, key: new Uint8Array([0, 255, 1]), value: large },
      ]);
      const records = await readAll(await open(), topic, 2);
      expect(records).toHaveLength(3);
      const [a, b, c] = records as [LogRecord, LogRecord, LogRecord];
      expect(a).toMatchObject({ topic, partition: 2, offset: 0, headers });
      expect(textOf(a)).toBe('value');
      expect(Buffer.from(a.key as Uint8Array).toString()).toBe('key');
      expect(b.key).toBeNull();
      expect(b.value).toHaveLength(0);
      expect(b.headers).toEqual({});
      expect([...(c.key as Uint8Array)]).toEqual([0, 255, 1]);
      expect(Buffer.compare(c.value as Uint8Array, large)).toBe(0);
      for (const one of records) {
        expect(one.appendedAtMs).toBeGreaterThanOrEqual(startedMs - 1000);
        expect(one.appendedAtMs).toBeLessThanOrEqual(Date.now() + 1000);
      }
    });

    test("may be views into a larger buffer, which stays the caller's", async () => {
      const { log, topic } = await stage(makeHarness);
      const buffer = Buffer.from('....payload....');
      await log.append(topic, [{ partition: 0, key: null, value: buffer.subarray(4, 11) }]);
      expect(buffer.toString()).toBe('....payload....');
      expect((await readAll(log, topic, 0)).map(textOf)).toEqual(['payload']);
    });

    test('are read in parts of about maxBytes, at least one, none at the end', async () => {
      const { log, topic } = await stage(makeHarness);
      await log.append(
        topic,
        Array.from({ length: 20 }, (_, i) => record(0, String(i).padStart(2, '0').repeat(5000))),
      );
      const one = await log.read(topic, 0, 3, 1);
      expect(one[0]?.offset).toBe(3);
      const some = await log.read(topic, 0, 0, 35_000);
      expect(some.length).toBeGreaterThan(1);
      expect(some.length).toBeLessThan(20);
      expect(await log.read(topic, 0, 20, 1000)).toEqual([]);
      expect(await log.read(topic, 1, 0, 1000)).toEqual([]);
    });

    test('that the topic cannot hold are refused, and nothing of their append is kept', async () => {
      const { log, topic } = await stage(makeHarness);
      await expect(log.append(topic, [record(0, 'kept back'), record(4, 'no such partition')])).rejects.toSatisfy(
        (error) => hasCode(error, 'bad-input'),
      );
      await expect(log.append(topic, [record(0, null, 'tombstone')])).rejects.toSatisfy((error) =>
        hasCode(error, 'bad-input'),
      );
      expect((await log.bounds(topic)).map((bounds) => bounds.nextOffset)).toEqual([0, 0, 0, 0]);
      expect(await log.partitionCount(topic)).toBe(4);
    });
  });

  describe('following', () => {
    test('from the first record hands over what is there, then what other clients append', async () => {
      const { log, open, topic } = await stage(makeHarness);
      await log.append(
        topic,
        Array.from({ length: 40 }, (_, i) => record(i % 4, `old${i}`)),
      );
      const seen: LogRecord[] = [];
      const following = await (await open()).follow(
        [topic],
        'first',
        async (_topic, _partition, records) => void seen.push(...records),
      );
      await following.caughtUp;
      expect(seen.map(textOf).sort()).toEqual(Array.from({ length: 40 }, (_, i) => `old${i}`).sort());
      await log.append(topic, [record(1, 'new')]);
      await eventually(() => seen.some((one) => textOf(one) === 'new'), 'the new record is handed over');
      await following.close();
      await following.ended;
    });

    test('from the next record or from offsets hands over no others', async () => {
      const { log, topic } = await stage(makeHarness);
      await log.append(
        topic,
        Array.from({ length: 12 }, (_, i) => record(i % 4, `old${i}`)),
      );
      const next: string[] = [];
      const fromOffsets: string[] = [];
      const a = await log.follow([topic], 'next', async (_t, _p, records) => void next.push(...records.map(textOf)));
      await a.caughtUp;
      const offsets = new Map([[topic, [3, 2, 0, 3]]]);
      const b = await log.follow(
        [topic],
        offsets,
        async (_t, _p, records) => void fromOffsets.push(...records.map(textOf)),
      );
      await b.caughtUp;
      expect(next).toEqual([]);
      expect(fromOffsets.sort()).toEqual(['old10', 'old2', 'old6', 'old9']);
      await log.append(topic, [record(2, 'new')]);
      await eventually(() => next.length > 0 && fromOffsets.includes('new'), 'both followers see the new record');
      expect(next).toEqual(['new']);
      await Promise.all([a.close(), b.close()]);
    });

    test('calls the handler once at a time for a partition, and waits for it', async () => {
      const { log, topic } = await stage(makeHarness);
      const running = new Map<number, number>();
      let overlaps = 0;
      let handed = 0;
      const following = await log.follow([topic], 'first', async (_t, partition, records) => {
        running.set(partition, (running.get(partition) ?? 0) + 1);
        if ((running.get(partition) ?? 0) > 1) overlaps++;
        await new Promise((resolve) => setImmediate(resolve));
        handed += records.length;
        running.set(partition, 0);
      });
      for (let i = 0; i < 30; i++) await log.append(topic, [record(0, `x${i}`), record(1, `y${i}`)]);
      await eventually(() => handed === 60, 'all records are handed over');
      expect(overlaps).toBe(0);
      await following.close();
    });

    test('ends with the failure of its handler', async () => {
      const { log, topic } = await stage(makeHarness);
      await log.append(topic, [record(0, 'x')]);
      const following = await log.follow([topic], 'first', () => Promise.reject(new Error('cannot take it')));
      await expect(following.ended).rejects.toThrow('cannot take it');
      await expect(following.caughtUp).rejects.toThrow();
    });

    test('from beyond the end is refused: the offsets are of another topic', async () => {
      const { log, topic } = await stage(makeHarness);
      const beyond = log.follow([topic], new Map([[topic, [0, 7, 0, 0]]]), () => Promise.resolve());
      await expect(beyond).rejects.toSatisfy((error) => hasCode(error, 'log-truncated'));
    });
  });

  describe('closing', () => {
    test('while busy settles every append, keeps what was acknowledged, and refuses what comes later', async () => {
      const { log, open, topic } = await stage(makeHarness);
      const following = await log.follow([topic], 'first', () => Promise.resolve());
      await log.join('some-group', [topic], {
        assigned: () => Promise.resolve(undefined),
        revoked: () => Promise.resolve(),
        records: () => Promise.resolve(),
      });
      const appends = Array.from({ length: 50 }, (_, i) => log.append(topic, [record(0, `v${i}`)]));
      const closed = log.close();
      const outcomes = await Promise.allSettled(appends);
      await closed;
      await following.ended;
      const kept = new Set((await readAll(await open(), topic, 0)).map(textOf));
      for (const [index, outcome] of outcomes.entries()) {
        if (outcome.status === 'fulfilled') expect(kept).toContain(`v${index}`);
        else expect(hasCode(outcome.reason, 'log-closed')).toBe(true);
      }
      await expect(log.append(topic, [record(0, 'late')])).rejects.toSatisfy((error) => hasCode(error, 'log-closed'));
      await log.close();
    });
  });
}
