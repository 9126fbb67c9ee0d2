import { describe, expect, test } from 'vitest';
import { hasCode } from '#mesh/errors.ts';
import type { PartitionBounds } from '../port.ts';
import { crc32c } from './crc32c.ts';
import { KafkaFeed } from './partition-feed.ts';
import { encodeBatch } from './record-batch.ts';
import type { FetchAnswer } from './requests.ts';

const noName = { producerId: -1n, producerEpoch: -1, firstSequence: -1 };

async function batchAt(
  offset: number,
  values: readonly string[],
  lastOffset = offset + values.length - 1,
): Promise<Buffer> {
  const records = values.map((value) => ({ partition: 0, key: null, value: Buffer.from(value) }));
  const batch = await encodeBatch(records, noName, 1, 'none');
  batch.writeBigInt64BE(BigInt(offset), 0);
  // The last offset stands under the checksum: written again where compaction took records at the end.
  if (lastOffset !== offset + values.length - 1) {
    batch.writeInt32BE(lastOffset - offset, 23);
    batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
  }
  return batch;
}

function answer(...batches: Buffer[]): FetchAnswer {
  return {
    topic: 't',
    partition: 0,
    errorCode: 0,
    highWatermark: 100,
    stableEnd: 100,
    firstOffset: 0,
    aborted: [],
    batches: Buffer.concat(batches),
  };
}

function feedAt(offset: number, bounds: Partial<PartitionBounds> = {}, fetchBytes = 1000): KafkaFeed {
  return new KafkaFeed('t', 0, offset, 0, {
    fetchBytes,
    bounds: () => Promise.resolve({ partition: 0, firstOffset: 0, nextOffset: 0, ...bounds }),
    changed: () => undefined,
    handedOver: () => undefined,
    passedOver: () => undefined,
  });
}

const running = (): AbortSignal => new AbortController().signal;
const textsOf = (read: { records: readonly { value: Uint8Array | null }[] } | null): string[] =>
  (read?.records ?? []).map(({ value }) => Buffer.from(value ?? []).toString());

describe('a feed', () => {
  test('goes over offsets that compaction took, at the start, between and at the end, without calling it a loss', async () => {
    const feed = feedAt(3);
    feed.take(answer(await batchAt(5, ['a', 'b']), await batchAt(20, ['c'], 29)));
    const read = await feed.next(running());
    expect(textsOf(read)).toEqual(['a', 'b', 'c']);
    expect(read).toMatchObject({ position: 30, firstOffset: 0 });
    expect(feed.fetchOffset).toBe(30);
  });

  test('leaves out what lies before its position in the first batch', async () => {
    const feed = feedAt(6);
    feed.take(answer(await batchAt(4, ['a', 'b', 'c', 'd'])));
    expect(textsOf(await feed.next(running()))).toEqual(['c', 'd']);
  });

  test('tells where the first record kept lies beyond its position, and goes on there', async () => {
    const feed = feedAt(3, { firstOffset: 10, nextOffset: 12 });
    feed.outOfRange();
    expect(feed.isHungry).toBe(false);
    expect(await feed.next(running())).toEqual({ records: [], position: 10, firstOffset: 10 });
    expect(feed.isHungry).toBe(true);
    expect(feed.fetchOffset).toBe(10);
  });

  test('fails where its position lies beyond the end: the topic is another one', async () => {
    const feed = feedAt(30, { firstOffset: 0, nextOffset: 12 });
    feed.outOfRange();
    await expect(feed.next(running())).rejects.toSatisfy((error) => hasCode(error, 'log-truncated'));
  });

  test('asks again where the broker knows better by now', async () => {
    const feed = feedAt(5, { firstOffset: 0, nextOffset: 12 });
    feed.outOfRange();
    const next = feed.next(running());
    await new Promise((resolve) => setImmediate(resolve));
    expect(feed.isHungry).toBe(true);
    feed.take(answer(await batchAt(5, ['a'])));
    expect(textsOf(await next)).toEqual(['a']);
  });

  test('hands over about as much as it was told at a time, and asks for no more until it is taken', async () => {
    const feed = feedAt(0, {}, 150);
    feed.take(
      answer(await batchAt(0, ['x'.repeat(100)]), await batchAt(1, ['y'.repeat(100)]), await batchAt(2, ['z'])),
    );
    expect(feed.isHungry).toBe(false);
    expect(await feed.next(running())).toMatchObject({ position: 2 });
    expect(feed.isHungry).toBe(false);
    expect(textsOf(await feed.next(running()))).toEqual(['z']);
    expect(feed.isHungry).toBe(true);
  });

  test('asks for more where one batch is larger than what it asked for', async () => {
    const feed = feedAt(0, {}, 150);
    const large = await batchAt(0, ['x'.repeat(400)]);
    feed.take(answer(large.subarray(0, 150)));
    expect(feed.isHungry).toBe(true);
    expect(feed.maxBytes).toBe(300);
  });

  test('reads a damaged batch again, and then passes it over, after handing over what stands before it', async () => {
    const feed = feedAt(0);
    const damaged = await batchAt(1, ['b']);
    damaged[damaged.length - 2] = 0x7f;
    feed.take(answer(await batchAt(0, ['a']), damaged));
    expect(textsOf(await feed.next(running()))).toEqual(['a']);
    const passing = feed.next(running());
    for (let tries = 0; tries < 2; tries++) {
      for (let turns = 0; turns < 20 && !feed.isHungry; turns++) await new Promise((resolve) => setImmediate(resolve));
      expect(feed.fetchOffset).toBe(1);
      feed.take(answer(damaged, await batchAt(2, ['c'])));
    }
    const passed = await passing;
    expect(passed).toMatchObject({ records: [], position: 2, unreadable: { offset: 1, nextOffset: 2 } });
    expect(hasCode(passed?.unreadable?.error, 'log-corrupt')).toBe(true);
    expect(textsOf(await feed.next(running()))).toEqual(['c']);
  });

  test('passes over at once what is of no known codec: to ask again would change nothing', async () => {
    const feed = feedAt(0);
    const foreign = await batchAt(0, ['a', 'b']);
    foreign.writeInt16BE(5, 21);
    foreign.writeUInt32BE(crc32c(foreign.subarray(21)), 17);
    feed.take(answer(foreign, await batchAt(2, ['c'])));
    expect(await feed.next(running())).toMatchObject({ position: 2, unreadable: { offset: 0, nextOffset: 2 } });
    expect(textsOf(await feed.next(running()))).toEqual(['c']);
  });

  test('leaves out what aborted transactions wrote, and nothing else of the same producer', async () => {
    const feed = feedAt(0);
    const of = async (offset: number, values: readonly string[], producerId: bigint, attributes: number) => {
      const batch = await batchAt(offset, values);
      batch.writeInt16BE(attributes, 21);
      batch.writeBigInt64BE(producerId, 43);
      batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
      return batch;
    };
    feed.take({
      ...answer(
        await of(0, ['kept'], 7n, 0x10),
        await of(1, ['mark'], 7n, 0x30),
        await of(2, ['aborted'], 7n, 0x10),
        await of(3, ['of another'], 8n, 0x10),
        await of(4, ['in no transaction'], 7n, 0),
        await of(5, ['mark'], 7n, 0x30),
        await of(6, ['kept too'], 7n, 0x10),
      ),
      aborted: [{ producerId: 7n, firstOffset: 2 }],
    });
    const read = await feed.next(running());
    expect(textsOf(read)).toEqual(['kept', 'of another', 'in no transaction', 'kept too']);
    expect(read?.position).toBe(7);
  });

  test('ends when it is stopped or closed, waiting or not', async () => {
    const stopping = new AbortController();
    const feed = feedAt(0);
    const next = feed.next(stopping.signal);
    stopping.abort();
    expect(await next).toBeNull();
    const closed = feed.next(running());
    feed.close();
    expect(await closed).toBeNull();
    expect(feed.isHungry).toBe(false);
  });
});
