import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasCode } from '#mesh/errors.ts';
import { crc32c } from './crc32c.ts';
import { decodeBatch, encodeBatch, findBatches, recordBytes } from './record-batch.ts';

const bytes = fc.uint8Array({ maxLength: 300 });
const record = fc.record({
  partition: fc.constant(0),
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.dictionary(
    fc.string().filter((name) => name !== '__proto__'),
    fc.string(),
    { noNullPrototype: true },
  ),
});
const bytesOf = (value: Uint8Array | null | undefined): number[] | null => (value ? [...value] : null);
const place = { producerId: 2n ** 40n, producerEpoch: 3, firstSequence: 2 ** 31 - 1 };

describe('CRC-32C', () => {
  test.each([
    ['123456789', 0xe3069283],
    ['', 0],
  ])('of %j is as published', (text, expected) => {
    expect(crc32c(Buffer.from(text))).toBe(expected);
  });

  test('of 32 zeros and of 32 ones is that of RFC 3720', () => {
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
  });
});

describe('a record batch', () => {
  test('comes back as it was written, from any offset on, in any compression', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { minLength: 1, maxLength: 20 }),
        fc.constantFrom('none', 'gzip'),
        fc.nat({ max: 25 }),
        async (records, compression, from) => {
          const batch = await encodeBatch(records, place, 1_700_000_000_123, compression);
          batch.writeBigInt64BE(5000n, 0);
          const decoded = await decodeBatch('t', 3, batch, 5000 + from);
          expect(decoded).toHaveLength(Math.max(0, records.length - from));
          for (const [index, one] of decoded.entries()) {
            const original = records[index + from];
            expect(one.offset).toBe(5000 + from + index);
            expect(one.appendedAtMs).toBe(1_700_000_000_123);
            expect(bytesOf(one.key)).toEqual(bytesOf(original?.key));
            expect(bytesOf(one.value)).toEqual(bytesOf(original?.value));
            expect(one.headers).toEqual(original?.headers);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('takes no more room than was counted for its records', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 50 }), async (records) => {
        const batch = await encodeBatch(records, place, 1, 'none');
        expect(batch.length).toBeLessThanOrEqual(61 + records.reduce((sum, one) => sum + recordBytes(one), 0));
      }),
    );
  });

  test('with a changed byte is told as damage', async () => {
    const batch = await encodeBatch([{ partition: 0, key: null, value: Buffer.from('precious') }], place, 1, 'none');
    for (const at of [16, 30, 61, batch.length - 1]) {
      const damaged = Buffer.from(batch);
      damaged[at] = (damaged[at] as number) ^ 1;
      await expect(decodeBatch('t', 0, damaged, 0)).rejects.toSatisfy((error) => hasCode(error, 'log-corrupt'));
    }
  });

  test('that only marks the end of a transaction has no records', async () => {
    const batch = await encodeBatch([{ partition: 0, key: null, value: null }], place, 1, 'none');
    batch.writeInt16BE(0x30, 21);
    batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
    expect(await decodeBatch('t', 0, batch, 0)).toEqual([]);
    expect(findBatches(batch)).toMatchObject([{ baseOffset: 0, nextOffset: 1 }]);
  });

  test('is found among others, how far it reached after compaction too; one that was cut off is not', async () => {
    const one = await encodeBatch([{ partition: 0, key: null, value: Buffer.from('a') }], place, 1, 'none');
    const other = Buffer.from(one);
    other.writeBigInt64BE(7n, 0);
    other.writeInt32BE(4, 23);
    const found = findBatches(Buffer.concat([one, other, one.subarray(0, one.length - 1)]));
    expect(found).toEqual([
      { start: 0, end: one.length, baseOffset: 0, nextOffset: 1 },
      { start: one.length, end: 2 * one.length, baseOffset: 7, nextOffset: 12 },
    ]);
  });
});
