import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { grades } from '#mesh/grade.ts';
import { type StorageIndex, storageIndexFromBytes } from '#mesh/storage-index.ts';
import { fileOf } from '#mesh/testing/share-events.ts';
import { storageIndexColumn } from '../share-map/stored-blocks.ts';
import { type PublishedFile, PublishedHealth } from './published-health.ts';

const publishedFile: fc.Arbitrary<PublishedFile> = fc.record({
  grade: fc.constantFrom(...grades),
  sinceMs: fc.nat(2 ** 45),
  figures: fc.nat(0xffffffff),
});

describe('published health', () => {
  it('is what a map of objects would be, whatever is set, loaded and deleted', () => {
    const step = fc.record({
      op: fc.constantFrom('set', 'set', 'delete', 'load'),
      file: fc.nat(40),
      value: publishedFile,
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const [table, plain] = [new PublishedHealth(), new Map<StorageIndex, PublishedFile>()];
        for (const { op, file, value } of steps) {
          const index = fileOf(file);
          if (op === 'delete') {
            expect(table.delete(index)).toBe(plain.delete(index));
            continue;
          }
          plain.set(index, value);
          if (op === 'set') table.set(index, value);
          else
            table.load({
              count: 1,
              storageIndexes: storageIndexColumn([index]),
              grades: Uint8Array.of(grades.indexOf(value.grade) + 1),
              sinceMs: Float64Array.of(value.sinceMs),
              figures: Uint32Array.of(value.figures),
            });
        }
        expect(table.size).toBe(plain.size);
        for (let file = 0; file <= 40; file++) expect(table.get(fileOf(file))).toEqual(plain.get(fileOf(file)));
      }),
    );
  });

  it('keeps twenty thousand files apart, and makes room of what was deleted', () => {
    const table = new PublishedHealth();
    const index = (number: number): StorageIndex => {
      const bytes = new Uint8Array(16);
      new DataView(bytes.buffer).setUint32(12, number);
      return storageIndexFromBytes(bytes);
    };
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 20_000; i++) table.set(index(i), { grade: 'healthy', sinceMs: i, figures: i * 7 });
      expect(table.size).toBe(20_000);
      for (let i = 0; i < 20_000; i += 97) expect(table.get(index(i))).toMatchObject({ sinceMs: i, figures: i * 7 });
      for (let i = 0; i < 20_000; i++) table.delete(index(i));
      expect(table.size).toBe(0);
    }
  });
});
