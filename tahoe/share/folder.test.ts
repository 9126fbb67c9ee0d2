import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatVerifyCap } from '#mesh/caps.ts';
import { dumpShare } from './dump.ts';
import { realFile, realFiles, shareDataOf } from './example-shares.ts';
import { ShareFolder } from './folder.ts';
import { regenerateFromFolder } from './offline.ts';
import { verifyShareFile } from './verify.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'meshward-folder-'));
});
afterEach(() => rm(root, { recursive: true }));

const small = realFile('3of10_1000');
const { storageIndex } = small.manifest;

/** A node's storage folder with some shares of the small real file. */
async function storageWith(
  numbers: number[],
): Promise<{ storage: string; path: (shareNumber: number | string) => string }> {
  const storage = join(root, 'storage');
  const folder = join(storage, 'shares', storageIndex.slice(0, 2), storageIndex);
  await mkdir(folder, { recursive: true });
  for (const number of numbers) await cp(small.path(number), join(folder, String(number)));
  return { storage, path: (shareNumber) => join(folder, String(shareNumber)) };
}

async function listed(folder: ShareFolder): Promise<string[]> {
  const found: string[] = [];
  for await (const share of folder.list()) found.push(`${share.storageIndex}/${share.shareNumber}`);
  return found;
}

describe('share folder', () => {
  test('is found from the base, storage and share folders of a node', async () => {
    const { storage } = await storageWith([1]);
    for (const path of [root, storage, join(storage, 'shares')]) {
      expect((await ShareFolder.find(path)).path).toBe(join(storage, 'shares'));
    }
  });

  test('lists finished shares only', async () => {
    const { storage, path } = await storageWith([0, 2]);
    const incoming = join(storage, 'shares', 'incoming', storageIndex.slice(0, 2), storageIndex);
    await mkdir(incoming, { recursive: true });
    await cp(small.path(3), join(incoming, '3'));
    for (const name of ['3.tmp', '007', '-1', '300', 'x']) await writeFile(path(name), 'no share');
    await mkdir(join(storage, 'shares', 'aa', 'aanotastorageindex'), { recursive: true });
    await mkdir(join(storage, 'shares', 'zz', storageIndex), { recursive: true });
    await writeFile(join(storage, 'shares', 'README'), 'text');
    expect((await listed(await ShareFolder.find(storage))).sort()).toEqual([`${storageIndex}/0`, `${storageIndex}/2`]);
    expect(await listed(new ShareFolder(join(root, 'missing')))).toEqual([]);
  });

  test('a share appears whole or not at all', async () => {
    const folder = new ShareFolder(join(root, 'out'));
    const data = shareDataOf(small.path(5));
    const sink = folder.sink(storageIndex, 5);
    await sink.begin(data.length);
    await sink.write(0, data.subarray(0, 500));
    expect(await listed(folder)).toEqual([]);
    await sink.write(500, data.subarray(500));
    expect(await listed(folder)).toEqual([]);
    await sink.end();
    expect(await listed(folder)).toEqual([`${storageIndex}/5`]);
    expect((await verifyShareFile(folder.sharePath(storageIndex, 5), { manifest: small.manifest })).shareNumber).toBe(
      5,
    );
    expect(await readdir(join(root, 'out', storageIndex.slice(0, 2), storageIndex))).toEqual(['5']);
  });

  test('an aborted share leaves nothing behind', async () => {
    const folder = new ShareFolder(join(root, 'out'));
    const sink = folder.sink(storageIndex, 5);
    await sink.begin(100);
    await sink.write(0, new Uint8Array(50));
    await sink.abort?.(new Error('called off'));
    expect(await readdir(join(root, 'out', storageIndex.slice(0, 2), storageIndex))).toEqual([]);
  });

  test('a share that is there is replaced only on demand', async () => {
    const { storage, path } = await storageWith([5]);
    const folder = await ShareFolder.find(storage);
    await expect(folder.sink(storageIndex, 5).begin(10)).rejects.toMatchObject({ code: 'bad-input' });
    const sink = folder.sink(storageIndex, 5, { replaceExisting: true });
    await sink.begin(3);
    await sink.write(0, new Uint8Array(3));
    await sink.end();
    expect((await readFile(path(5))).length).toBe(15);
  });
});

describe('a share that appears meanwhile', () => {
  test('is kept, and the new one is given up', async () => {
    const { storage, path } = await storageWith([]);
    const sink = (await ShareFolder.find(storage)).sink(storageIndex, 5);
    await sink.begin(3);
    await sink.write(0, new Uint8Array(3));
    await cp(small.path(5), path(5));
    await expect(sink.end()).rejects.toMatchObject({ code: 'bad-input' });
    await sink.abort?.(new Error('exists'));
    expect(Buffer.compare(shareDataOf(path(5)), shareDataOf(small.path(5)))).toBe(0);
    expect(await readdir(path('.'))).toEqual(['5']);
  });
});

describe('dump', () => {
  test.each(realFiles())('tells what stands in a real share, $name', async ({ manifest, numbers, path }) => {
    const dump = await dumpShare(path(numbers[3] as number));
    expect(dump.verifyCap).toBe(formatVerifyCap(manifest));
    expect(dump.container.version).toBe(2);
    expect(dump.container.leaseExpiresAt).toHaveLength(dump.container.leaseCount);
    expect(dump.container.leaseExpiresAt[0]?.getUTCFullYear()).toBeGreaterThan(2020);
    expect(dump.ueb).toMatchObject({ k: manifest.k, n: manifest.n, sizeBytes: manifest.sizeBytes });
    expect(dump.chain.writtenBy).toBe('python3');
    expect(JSON.stringify(Object.keys(dump))).not.toContain('secret');
  });

  test('refuses what is no share', async () => {
    await writeFile(join(root, '1'), new Uint8Array(500));
    await expect(dumpShare(join(root, '1'))).rejects.toMatchObject({ code: 'share-malformed' });
  });
});

describe('regeneration from a folder', () => {
  test.each(realFiles())(
    'brings back missing shares as they were, $name',
    async ({ manifest, numbers, path, folder }) => {
      const outDir = join(root, 'out');
      const shareNumbers = numbers.filter((number) => shareDataOf(path(number))[3] === 1).slice(0, 3);
      const result = await regenerateFromFolder({ manifest, fromDir: folder, shareNumbers, outDir });
      expect(result.bad).toEqual([]);
      expect(result.paths).toHaveLength(3);
      for (const [i, written] of result.paths.entries()) {
        const [found, real] = [await readFile(written), await readFile(path(shareNumbers[i] as number))];
        expect(found.subarray(0, 8).equals(real.subarray(0, 8))).toBe(true);
        expect(found.readUInt32BE(8)).toBe(0);
        expect(Buffer.compare(shareDataOf(written), shareDataOf(path(shareNumbers[i] as number)))).toBe(0);
      }
    },
  );

  test('makes all that is missing when no numbers are given, in place', async () => {
    const { storage, path } = await storageWith([1, 4, 8]);
    const result = await regenerateFromFolder({ manifest: small.manifest, fromDir: storage, outDir: storage });
    expect(result.written.map(({ shareNumber }) => shareNumber)).toEqual([0, 2, 3, 5, 6, 7, 9]);
    expect(result.sources.toSorted((a, b) => a - b)).toEqual([1, 4, 8]);
    for (let number = 0; number < 10; number++) {
      expect(Buffer.compare(shareDataOf(path(number)), shareDataOf(small.path(number)))).toBe(0);
    }
    const again = await regenerateFromFolder({ manifest: small.manifest, fromDir: storage, outDir: storage });
    expect(again.written).toEqual([]);
  });

  test('makes bad ones anew too when no numbers are given, where they stand, and leaves good ones alone', async () => {
    const { storage, path } = await storageWith([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    const corrupt = await readFile(path(7));
    // Four bytes in the middle of the blocks: the share still opens.
    for (let at = 100; at < 104; at++) corrupt[at] = (corrupt[at] as number) ^ 0xff;
    await writeFile(path(7), corrupt);
    await writeFile(path(2), 'not a share at all');
    const result = await regenerateFromFolder({ manifest: small.manifest, fromDir: storage, outDir: storage });
    expect(result.bad.map(({ shareNumber }) => shareNumber)).toEqual([2, 7]);
    expect(result).toMatchObject({ failed: [], leftBad: [] });
    expect(result.written.map(({ shareNumber }) => shareNumber)).toEqual([2, 7, 9]);
    for (let number = 0; number < 10; number++) {
      expect(Buffer.compare(shareDataOf(path(number)), shareDataOf(small.path(number)))).toBe(0);
    }
  });

  test('passes over corrupt, foreign and misplaced shares, says which, and uses others', async () => {
    const { storage, path } = await storageWith([0, 1, 2, 4, 6]);
    const badBlock = await readFile(path(0));
    badBlock.writeUInt8(badBlock.readUInt8(12 + 0x24 + 9) ^ 1, 12 + 0x24 + 9);
    await writeFile(path(0), badBlock);
    await writeFile(path(1), 'Tahoe mutable container v1\n');
    await cp(small.path(3), path(9));
    const result = await regenerateFromFolder({
      manifest: small.manifest,
      fromDir: storage,
      shareNumbers: [7],
      outDir: join(root, 'out'),
    });
    const codes = result.bad.map(({ shareNumber, error }) => [shareNumber, (error as { code?: string }).code] as const);
    expect(Object.fromEntries(codes)).toEqual({ 0: 'share-corrupt', 1: 'share-foreign', 9: 'share-mismatch' });
    expect(result.leftBad).toEqual(result.bad);
    expect(result.sources.toSorted((a, b) => a - b)).toEqual([2, 4, 6]);
    expect(Buffer.compare(shareDataOf(result.paths[0] as string), shareDataOf(small.path(7)))).toBe(0);
  });

  test('with too few good shares names the bad ones and writes nothing', async () => {
    const { storage, path } = await storageWith([0, 1, 2]);
    await writeFile(path(2), 'Tahoe mutable container v1\n');
    const outDir = join(root, 'out');
    const work = regenerateFromFolder({ manifest: small.manifest, fromDir: storage, outDir });
    await expect(work).rejects.toMatchObject({
      code: 'not-enough-shares',
      details: { have: 2, bad: [{ shareNumber: 2, reason: expect.stringContaining('mutable') as unknown }] },
    });
    await expect(readdir(outDir)).rejects.toThrow('ENOENT');
  });
});
