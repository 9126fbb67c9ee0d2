import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkHeader, parseShareHeader, writeShareHeader } from './header.ts';
import { blockSpanBytes, chooseSegmentBytes, computeLayout, shareTotalBytes } from './layout.ts';
import { segmentSpans } from './window.ts';

const shapes = fc
  .record({
    k: fc.integer({ min: 1, max: 256 }),
    more: fc.nat(255),
    blockBytes: fc.integer({ min: 1, max: 262_144 }),
    sizeBytes: fc.integer({ min: 1, max: 2 ** 45 }),
  })
  .map(({ k, more, blockBytes, sizeBytes }) => ({
    k,
    n: Math.min(256, k + more),
    segmentBytes: k * blockBytes,
    sizeBytes,
  }));

describe('layout', () => {
  test('parts follow each other without gaps, and blocks hold the file', () => {
    fc.assert(
      fc.property(shapes, fc.constantFrom(2 as const, undefined), (shape, version) => {
        const layout = computeLayout(shape, version);
        const { offsets, treeBytes, segmentCount } = layout;
        expect(layout.dataBytes).toBe(Math.ceil(shape.sizeBytes / shape.k));
        expect(offsets.plaintextTree).toBe(offsets.blocks + layout.dataBytes);
        expect(offsets.crypttextTree - offsets.plaintextTree).toBe(treeBytes);
        expect(offsets.chain - offsets.blockTree).toBe(treeBytes);
        expect(treeBytes).toBe(32 * (2 * layout.leafCount - 1));
        expect(layout.leafCount).toBeGreaterThanOrEqual(segmentCount);
        expect(layout.leafCount).toBeLessThan(2 * segmentCount);
        expect(blockSpanBytes(layout, 0, segmentCount)).toBe(layout.dataBytes);
      }),
    );
  });

  test('headers are read back as they were written', () => {
    fc.assert(
      fc.property(shapes, fc.constantFrom(2 as const, undefined), (shape, version) => {
        const layout = computeLayout(shape, version);
        const header = parseShareHeader(writeShareHeader(layout), shareTotalBytes(layout, 300));
        expect(header.version).toBe(layout.version);
        checkHeader(header, layout);
      }),
    );
  });

  test('version 2 begins where 32 bits end', () => {
    const shape = { k: 1, n: 1, segmentBytes: 1024 * 1024 };
    expect(computeLayout({ ...shape, sizeBytes: 4_293_000_000 }).version).toBe(1);
    // The UEB's offset is what passes 4 GiB first.
    const nearly = { ...shape, sizeBytes: 2 ** 32 - 100_000 };
    expect(computeLayout(nearly).version).toBe(2);
    expect(computeLayout({ ...shape, sizeBytes: 2 ** 33 }).version).toBe(2);
    expect(() => computeLayout(nearly, 1)).toThrow('4 GiB');
  });

  test('segments of new files are those of Tahoe-LAFS', () => {
    expect(chooseSegmentBytes(10_000_000, 3)).toBe(1_048_578);
    expect(chooseSegmentBytes(10_000_000, 25)).toBe(1_048_600);
    expect(chooseSegmentBytes(1000, 3)).toBe(1002);
    expect(chooseSegmentBytes(56, 25)).toBe(75);
  });

  test.each([
    { k: 3, n: 10, sizeBytes: 0, segmentBytes: 3 },
    { k: 3, n: 10, sizeBytes: 10, segmentBytes: 4 },
    { k: 3, n: 10, sizeBytes: 10, segmentBytes: 3 * 2 ** 26 },
    { k: 3, n: 10, sizeBytes: 2 ** 53, segmentBytes: 3 },
    { k: 3, n: 10, sizeBytes: Number.MAX_SAFE_INTEGER, segmentBytes: 3 },
    { k: 3, n: 10, sizeBytes: Number.NaN, segmentBytes: 3 },
  ])('refuses %o', (shape) => {
    expect(() => computeLayout(shape)).toThrow(expect.objectContaining({ code: 'bad-input' }) as Error);
  });
});

describe('windows', () => {
  test('cover every segment once, in order, with a short tail by itself', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 1, max: 20_000 }),
        (sizeBytes, rows, windowBytes) => {
          const layout = computeLayout({ k: 3, n: 10, sizeBytes, segmentBytes: 30 });
          let next = 0;
          for (const { firstSegment, count } of segmentSpans(layout, rows, windowBytes)) {
            expect(firstSegment).toBe(next);
            expect(count === 1 || count * rows * layout.blockBytes <= windowBytes).toBe(true);
            next += count;
            const hasShortTail = next === layout.segmentCount && layout.tailSegmentBytes < layout.segmentBytes;
            if (hasShortTail) expect(count).toBe(1);
          }
          expect(next).toBe(layout.segmentCount);
        },
      ),
    );
  });
});
