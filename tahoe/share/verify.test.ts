import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Manifest } from '#mesh/manifest.ts';
import { type MadeFile, makeFile, openShares, realFile, realFiles, shareDataOf } from './example-shares.ts';
import { writeShareHeader, writeUebLength } from './header.ts';
import { computeLayout } from './layout.ts';
import { memoryShareSource, type ShareSource } from './reader.ts';
import { isShareError } from './share-errors.ts';
import { buildUeb } from './ueb.ts';
import { openShare, openShareOnTrust } from './verified-share.ts';
import { verifyShare, verifyShareFile } from './verify.ts';

/** Checks share data in memory; resolves to the error, or null where it is sound. */
async function errorOf(data: Uint8Array, manifest: Manifest, shareNumber: number): Promise<unknown> {
  try {
    await verifyShare(await openShare(memoryShareSource(data), manifest, shareNumber));
    return null;
  } catch (error) {
    return error;
  }
}

async function errorOnTrust(data: Uint8Array, manifest: Manifest): Promise<unknown> {
  try {
    await verifyShare(await openShareOnTrust(memoryShareSource(data), manifest.storageIndex, null));
    return null;
  } catch (error) {
    return error;
  }
}

function flipped(data: Uint8Array, position: number, mask: number): Uint8Array {
  const copy = data.slice();
  copy[position] = (copy[position] as number) ^ mask;
  return copy;
}

describe.each(realFiles())('shares of a real Tahoe-LAFS, $name', ({ manifest, numbers, path }) => {
  test('all verify, with their cap and by what they say of themselves', async () => {
    for (const number of numbers) {
      const pinned = await verifyShareFile(path(number), { manifest });
      const onTrust = await verifyShareFile(path(number));
      expect(pinned).toMatchObject({ shareNumber: number, isPinned: true });
      expect(onTrust).toEqual({ ...pinned, isPinned: false, manifest });
      expect(pinned.shareBytes).toBe(shareDataOf(path(number)).length);
      expect(pinned.bytesChecked).toBeLessThan(pinned.shareBytes);
    }
  });

  test('tell their number where nothing else does', async () => {
    for (const number of numbers.slice(0, 12)) {
      const share = await openShareOnTrust(memoryShareSource(shareDataOf(path(number))), manifest.storageIndex, null);
      expect(share.shareNumber).toBe(number);
    }
  });

  test('are read the same from a source that does not tell their length', async () => {
    const data = shareDataOf(path(numbers[0] as number));
    const silent: ShareSource = { read: (offset, length) => Promise.resolve(data.subarray(offset, offset + length)) };
    const share = await openShare(silent, manifest, numbers[0] as number);
    expect(await verifyShare(share)).toBeGreaterThan(0);
    expect(share.totalBytes).toBe(data.length);
  });
});

describe('a share with one wrong byte', () => {
  const shapes = [
    { k: 3, n: 10, sizeBytes: 1000, segmentBytes: 300 },
    { k: 1, n: 1, sizeBytes: 100 },
    { k: 2, n: 5, sizeBytes: 500, segmentBytes: 100, shareVersion: 2 as const },
  ];

  test.each(shapes)('is found wherever the byte is, $k-of-$n version $shareVersion', async (shape) => {
    const file = await makeFile(shape);
    const number = shape.n - 1;
    const data = file.shares[number] as Uint8Array;
    const [share] = await openShares(file.manifest, [number], () => data);
    const { plaintextTree, crypttextTree } = share?.layout.offsets ?? { plaintextTree: 0, crypttextTree: 0 };
    for (let position = 0; position < data.length; position++) {
      const error = await errorOf(flipped(data, position, 1 << (position % 8)), file.manifest, number);
      const isUnused = position >= plaintextTree && position < crypttextTree;
      if (isUnused ? error !== null : !isShareError(error)) throw new Error(`byte ${position}: ${String(error)}`);
    }
  });

  test('real shares too, by cap or on trust: a typed error or no effect, whatever is changed', async () => {
    const file = realFile('3of10_1000');
    const data = shareDataOf(file.path(4));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(data.length - 1), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 }),
        async (changes) => {
          let changed = data;
          for (const [position, mask] of changes) changed = flipped(changed, position, mask);
          for (const error of [await errorOf(changed, file.manifest, 4), await errorOnTrust(changed, file.manifest)]) {
            expect(error === null || isShareError(error)).toBe(true);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test('inside large hash trees, which are read in pages', async () => {
    const file = await makeFile({ k: 2, n: 3, sizeBytes: 2 * 2100, segmentBytes: 2 });
    const data = file.shares[2] as Uint8Array;
    const [share] = await openShares(file.manifest, [2], () => data);
    const { crypttextTree, blockTree, chain } = (share as NonNullable<typeof share>).layout.offsets;
    expect(await errorOf(data, file.manifest, 2)).toBeNull();
    for (const start of [crypttextTree, blockTree]) {
      // Node 0, the kept level, the levels under it, the leaves, the padding.
      for (const node of [0, 1, 1023, 2046, 2047, 3000, 4094, 4095, 6000, 8190]) {
        const error = await errorOf(flipped(data, start + node * 32 + 5, 4), file.manifest, 2);
        expect(isShareError(error) && error.code).toBe('share-corrupt');
      }
    }
    expect(chain).toBeGreaterThan(blockTree + 8190 * 32);
  });

  test('names the segment of a bad block', async () => {
    const file = await makeFile({ k: 3, n: 10, sizeBytes: 1000, segmentBytes: 300 });
    const error = await errorOf(flipped(file.shares[1] as Uint8Array, 0x24 + 2 * 100 + 7, 1), file.manifest, 1);
    expect(error).toMatchObject({ code: 'share-corrupt', details: { segment: 2 } });
  });
});

describe('a share that is cut short or longer', () => {
  test('cut at any length is a typed error', async () => {
    const file = await makeFile({ k: 3, n: 10, sizeBytes: 1000, segmentBytes: 300 });
    const data = file.shares[9] as Uint8Array;
    for (let length = 0; length < data.length; length++) {
      for (const error of [
        await errorOf(data.slice(0, length), file.manifest, 9),
        await errorOnTrust(data.slice(0, length), file.manifest),
      ]) {
        if (!isShareError(error) || error.code !== 'share-truncated') throw new Error(`${length}: ${String(error)}`);
      }
    }
  });

  test('what follows the UEB does no harm, as when a lease is not counted', async () => {
    const file = await makeFile({ k: 3, n: 10, sizeBytes: 1000 });
    const longer = Buffer.concat([file.shares[2] as Uint8Array, new Uint8Array(72)]);
    expect(await errorOf(longer, file.manifest, 2)).toBeNull();
  });
});

describe('a share in the wrong place', () => {
  let file: MadeFile;
  beforeAll(async () => {
    file = await makeFile({ k: 3, n: 10, sizeBytes: 1000 });
  });

  test('of another number, its sibling included, is a mismatch', async () => {
    for (const other of [0, 2, 5, 9]) {
      expect(await errorOf(file.shares[3] as Uint8Array, file.manifest, other)).toMatchObject({
        code: 'share-mismatch',
      });
    }
    expect(await errorOf(file.shares[3] as Uint8Array, file.manifest, 10)).toMatchObject({ code: 'share-mismatch' });
  });

  test('of another file is a mismatch', async () => {
    const other = await makeFile({ k: 3, n: 10, sizeBytes: 1001 });
    expect(await errorOf(other.shares[3] as Uint8Array, file.manifest, 3)).toMatchObject({ code: 'share-mismatch' });
  });

  test('with k = 1 all shares are equal and none is taken for its sibling', async () => {
    const copies = await makeFile({ k: 1, n: 6, sizeBytes: 1000 });
    for (let number = 0; number < 6; number++) {
      expect(await errorOf(copies.shares[number] as Uint8Array, copies.manifest, number)).toBeNull();
    }
  });
});

describe('hostile numbers', () => {
  /** An endless share: `head`, then zeros. Remembers the longest read. */
  function endless(parts: [number, Uint8Array][]): ShareSource & { longestRead: number; reads: number } {
    return {
      longestRead: 0,
      reads: 0,
      read(offset, length) {
        this.longestRead = Math.max(this.longestRead, length);
        this.reads++;
        const bytes = new Uint8Array(Math.min(length, 1 << 20));
        for (const [start, part] of parts) {
          for (let i = 0; i < part.length; i++) {
            const at = start + i - offset;
            if (at >= 0 && at < bytes.length) bytes[at] = part[i] as number;
          }
        }
        return Promise.resolve(bytes);
      },
    };
  }

  test('in a header never lead to a large read', async () => {
    const { manifest } = realFile('3of10_1000');
    const field = fc.oneof(
      fc.nat(1000),
      fc.bigInt(0n, 2n ** 64n - 1n).map(Number),
      fc.constantFrom(2 ** 32 - 1, 2 ** 53, 2 ** 63),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(1, 2),
        fc.array(field, { minLength: 8, maxLength: 8 }),
        fc.boolean(),
        async (version, fields, isSorted) => {
          const head = new Uint8Array(0x44);
          const view = new DataView(head.buffer);
          view.setUint32(0, version);
          if (isSorted) fields.sort((a, b) => a - b);
          fields.forEach((value, i) => {
            if (version === 1) view.setUint32(4 + 4 * i, Math.min(value, 2 ** 32 - 1));
            else view.setBigUint64(4 + 8 * i, BigInt.asUintN(64, BigInt(value)));
          });
          const source = endless([[0, head]]);
          const opened = openShareOnTrust(source, manifest.storageIndex, 0).catch((error: unknown) => error);
          expect(isShareError(await opened)).toBe(true);
          expect(source.longestRead).toBeLessThanOrEqual(128 * 1024);
          expect(isShareError(await errorOf(head, manifest, 0))).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('in a UEB that fits its header end in an error after a few bounded reads', async () => {
    const blank = new Uint8Array(32);
    const hashes = { crypttextHash: blank, crypttextRootHash: blank, shareRootHash: blank };
    for (const [sizeBytes, segmentBytes] of [
      [2 ** 45, 3],
      [2 ** 50, 3 * 2 ** 20],
      [2 ** 31, 3],
    ] as const) {
      const layout = computeLayout({ k: 3, n: 10, sizeBytes, segmentBytes });
      const ueb = buildUeb(layout, hashes).bytes;
      const { offsets, version } = layout;
      const tail = Buffer.concat([writeUebLength(version, ueb.length), ueb]);
      const source = endless([
        [0, writeShareHeader(layout)],
        [offsets.ueb, tail],
      ]);
      const { storageIndex } = realFile('3of10_1000').manifest;
      await expect(openShareOnTrust(source, storageIndex, 0)).rejects.toMatchObject({ code: 'share-corrupt' });
      expect(source.longestRead).toBeLessThanOrEqual(128 * 1024);
      expect(source.reads).toBeLessThan(12);
    }
  });
});

describe('files that are not whole shares', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'meshward-share-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  const { manifest, path } = realFile('3of10_1000');
  async function codeOf(content: Uint8Array): Promise<unknown> {
    const file = join(folder, '0');
    await writeFile(file, content);
    return verifyShareFile(file, { manifest }).then(
      () => null,
      (error: unknown) => (isShareError(error) ? error.code : error),
    );
  }

  test('have the code that fits them', async () => {
    const good = await readFile(path(0));
    const withLeases = (count: number) => {
      const copy = Buffer.from(good);
      copy.writeUInt32BE(count, 8);
      return copy;
    };
    expect(await codeOf(good)).toBeNull();
    expect(await codeOf(Buffer.from('Tahoe mutable container v1\n\u0075\u0009\u0044\u0003\u008e'))).toBe(
      'share-foreign',
    );
    expect(await codeOf(Buffer.from('Tahoe'))).toBe('share-foreign');
    expect(await codeOf(new Uint8Array(0))).toBe('share-truncated');
    expect(await codeOf(good.subarray(0, 11))).toBe('share-truncated');
    expect(await codeOf(new Uint8Array(good.length))).toBe('share-malformed');
    expect(await codeOf(Buffer.from('#!/bin/sh\necho this is no share at all\n'))).toBe('share-malformed');
    expect(await codeOf(withLeases(2 ** 32 - 1))).toBe('share-malformed');
    expect(await codeOf(withLeases(2))).toBe('share-truncated');
    expect(await codeOf(withLeases(0))).toBeNull();
    expect(await codeOf(good.subarray(0, good.length / 2))).toMatch(/^share-(truncated|corrupt|malformed)$/);
  });

  test('a share that a crash left half full of zeros is found', async () => {
    const good = await readFile(path(0));
    for (let kept = 12; kept < good.length - 72; kept += 13) {
      const half = new Uint8Array(good.length);
      half.set(good.subarray(0, kept));
      half.set(good.subarray(good.length - 72), good.length - 72);
      expect(await codeOf(half)).toMatch(/^share-/);
    }
  });

  test('a missing file, a folder and a pipe are no bad shares, or are refused without waiting', async () => {
    await expect(verifyShareFile(join(folder, 'none', '1'), { manifest })).rejects.toMatchObject({ code: 'bad-input' });
    await mkdir(join(folder, '2'));
    await expect(verifyShareFile(join(folder, '2'), { manifest })).rejects.toMatchObject({ code: 'share-malformed' });
    execFileSync('mkfifo', [join(folder, '3')]);
    await expect(verifyShareFile(join(folder, '3'), { manifest })).rejects.toMatchObject({ code: 'share-malformed' });
  });

  test('without a cap and outside a folder named by a storage index the caller is asked for one', async () => {
    await writeFile(join(folder, '4'), await readFile(path(4)));
    await expect(verifyShareFile(join(folder, '4'))).rejects.toMatchObject({ code: 'bad-input' });
    await writeFile(join(folder, 'copy'), await readFile(path(4)));
    expect((await verifyShareFile(join(folder, 'copy'), { manifest })).shareNumber).toBe(4);
    const claimed = verifyShareFile(join(folder, 'copy'), { manifest, shareNumber: 5 });
    await expect(claimed).rejects.toMatchObject({ code: 'share-mismatch' });
    const onTrust = await verifyShareFile(join(folder, 'copy'), { storageIndex: manifest.storageIndex });
    expect(onTrust.shareNumber).toBe(4);
  });
});
