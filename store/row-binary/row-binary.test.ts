import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { peerIdFromBytes } from '#mesh/peer-id.ts';
import { storageIndexFromBytes } from '#mesh/storage-index.ts';
import {
  choice,
  digest,
  flag,
  float32,
  int16,
  list,
  nullable,
  peerId,
  record,
  storageIndex,
  text,
  timestamp,
  uint8,
  uint64,
  uint64Sum,
  uuid,
} from './columns.ts';
import { EndOfBytes, RowBinaryReader } from './reader.ts';
import { readRow, readRowBatches, snakeCase, writeRow } from './table.ts';
import { RowBinaryWriter } from './writer.ts';

const columns = {
  index: storageIndex,
  peer: peerId,
  hash: digest,
  small: uint8,
  large: uint64,
  margin: int16,
  ratio: nullable(float32),
  word: choice(['lost', 'critical', 'healthy'] as const),
  yes: flag,
  at: timestamp,
  id: uuid,
  name: text,
  shares: list(uint8),
  domains: record(text),
};

const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
const row = fc.record({
  index: bytes(16).map((value) => storageIndexFromBytes(value)),
  peer: bytes(32).map((value) => peerIdFromBytes(value)),
  hash: bytes(32).map((value) => new Uint8Array(value)),
  small: fc.integer({ min: 0, max: 255 }),
  large: fc.maxSafeNat(),
  margin: fc.integer({ min: -0x8000, max: 0x7fff }),
  ratio: fc.option(fc.float({ noNaN: true, noDefaultInfinity: true })),
  word: fc.constantFrom('lost' as const, 'critical' as const, 'healthy' as const),
  yes: fc.boolean(),
  at: fc.integer({ min: 0, max: 4_000_000_000_000 }),
  id: fc.uuid(),
  name: fc.string({ unit: 'grapheme' }),
  shares: fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 300 }),
  domains: fc.dictionary(
    fc.string({ minLength: 1 }).filter((key) => key !== '__proto__'),
    fc.string(),
  ),
});

type TestRow = typeof row extends fc.Arbitrary<infer T> ? T : never;

function encode(rows: readonly TestRow[]): Uint8Array {
  const out = new RowBinaryWriter(16);
  for (const one of rows) writeRow(out, columns, one);
  return out.finish();
}

describe('RowBinary', () => {
  test('a row that was written is read back the same', () => {
    fc.assert(
      fc.property(row, (written) => {
        const input = new RowBinaryReader(encode([written]));
        expect(readRow(input, columns)).toEqual({ ...written, domains: { ...written.domains } });
        expect(input.remaining).toBe(0);
      }),
    );
  });

  test('rows come out of chunks that end anywhere, and a cut end is an error', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 97 }),
        async (rows, chunkBytes) => {
          const whole = encode(rows);
          const found = await collect(readRowBatches(chunked(whole, chunkBytes), columns));
          expect(found.map((one) => one.id)).toEqual(rows.map((one) => one.id));
          expect(found.map((one) => one.name)).toEqual(rows.map((one) => one.name));
          await expect(
            collect(readRowBatches(chunked(whole.subarray(0, -1), chunkBytes), columns)),
          ).rejects.toBeInstanceOf(EndOfBytes);
        },
      ),
      { numRuns: 40 },
    );
  });

  test.each([
    ['a share number above 255', { small: 256 }],
    ['a negative share number', { small: -1 }],
    ['a count that is not whole', { large: 1.5 }],
    ['a count beyond 2^53', { large: 2 ** 53 }],
    ['a margin out of range', { margin: 40_000 }],
    ['an unknown word', { word: 'gone' as 'lost' }],
    ['a short hash', { hash: new Uint8Array(31) }],
    ['a time that is no number', { at: Number.NaN }],
    ['an id that is no UUID', { id: 'x' }],
  ])('%s is refused, and nothing of its row is left', (_name, change) => {
    const [base] = fc.sample(row, 1);
    const out = new RowBinaryWriter();
    out.text('before');
    const before = out.length;
    expect(() => writeRow(out, columns, { ...(base as TestRow), ...change })).toThrow(
      expect.objectContaining({ code: 'bad-input' }),
    );
    expect(out.length).toBe(before);
  });

  test('a number beyond 2^53 from the server is refused, not rounded', () => {
    expect(() => new RowBinaryReader(new Uint8Array(8).fill(0xff)).uint64()).toThrow(RangeError);
  });

  test('names in the program become names in SQL', () => {
    expect(snakeCase('toleranceDomains')).toBe('tolerance_domains');
    expect(snakeCase('log10Loss')).toBe('log10_loss');
  });
});

async function* chunked(whole: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < whole.length; at += chunkBytes) yield whole.subarray(at, at + chunkBytes);
}

async function collect<T>(batches: AsyncIterable<readonly T[]>): Promise<T[]> {
  const all: T[] = [];
  for await (const batch of batches) all.push(...batch);
  return all;
}

test('a sum beyond 2^53 is written and read as the nearest number; a position or count beyond it is refused', () => {
  const out = new RowBinaryWriter();
  const sums = [0, 2 ** 53 - 1, 2 ** 53, 2 ** 60 + 2 ** 12, 2 ** 64 - 2 ** 12];
  for (const sum of sums) uint64Sum.write(out, sum);
  const input = new RowBinaryReader(out.finish());
  expect(sums.map(() => uint64Sum.read(input))).toEqual(sums);
  for (const misfit of [-1, 0.5, 2 ** 64, Number.NaN])
    expect(() => uint64Sum.write(new RowBinaryWriter(), misfit)).toThrow('does not fit');
  expect(() => uint64.write(new RowBinaryWriter(), 2 ** 53)).toThrow('does not fit');
});
