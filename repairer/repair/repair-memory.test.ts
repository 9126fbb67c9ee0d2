import { expect, it } from 'vitest';
import { storageIndexFromBytes } from '#mesh/storage-index.ts';
import { RepairMemory } from './repair-memory.ts';
import { UploadBuffers } from './upload-buffers.ts';

const settings = { windowBytes: 16 * 1024 * 1024 };
const never = { urgent: false, signal: new AbortController().signal };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function manifestOf(sizeBytes: number) {
  const [storageIndex, uebHash] = [storageIndexFromBytes(new Uint8Array(16)), new Uint8Array(32)];
  return { k: 25, n: 100, storageIndex, uebHash, sizeBytes };
}

it('covers what is read, whole or in windows, and new shares, whole or in pieces', async () => {
  const buffers = new UploadBuffers(1e9);
  const taken = (sizeBytes: number, newCount: number): Promise<number> =>
    new RepairMemory(buffers, manifestOf(sizeBytes), newCount, settings).use(never, () =>
      Promise.resolve(buffers.takenBytes / 1e6),
    );
  expect(await taken(10e6, 50)).toBeCloseTo(30, 0);
  // Sources in windows; new shares of 1.6 MB whole, if few are missing.
  expect(await taken(40e6, 10)).toBeCloseTo(33, 0);
  expect(await taken(40e6, 50)).toBeCloseTo(30, 0);
  expect(await taken(100e9, 50)).toBeCloseTo(30, 0);
  expect(buffers.takenBytes).toBe(0);
});

it('is held by some, and the others read nothing until their turn comes', async () => {
  const buffers = new UploadBuffers(70e6);
  const ends = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
  const begun: number[] = [];
  const all = ends.map((end, at) =>
    new RepairMemory(buffers, manifestOf(10e6), 50, settings).use(never, () => {
      begun.push(at);
      return end.promise;
    }),
  );
  await turn();
  expect(begun).toEqual([0, 1]);
  ends[1]?.reject(new Error('broke off'));
  await expect(all[1]).rejects.toThrow('broke off');
  await turn();
  expect(begun).toEqual([0, 1, 2]);
  for (const end of ends) end.resolve();
  await Promise.all([all[0], all[2], all[3]]);
  expect(buffers.takenBytes).toBe(0);
});

it('is given back, once, as the uploads reserve their own', async () => {
  const buffers = new UploadBuffers(1e9);
  const memory = new RepairMemory(buffers, manifestOf(10e6), 50, settings);
  await memory.use(never, async () => {
    await buffers.reserve(20e6, { ...never, urgent: true });
    memory.uploadsHaveTheirs();
    expect(buffers.takenBytes / 1e6).toBeCloseTo(30, 0);
    memory.uploadsHaveTheirs();
  });
  expect(buffers.takenBytes).toBe(20e6);
});

it('is left in part to the others by files that take hours, which go one after the other', async () => {
  const buffers = new UploadBuffers(96e6);
  const [ends, begun] = [new Map<string, () => void>(), [] as string[]];
  const start = (name: string, sizeBytes: number): Promise<void> =>
    new RepairMemory(buffers, manifestOf(sizeBytes), 50, settings).use(never, () => {
      begun.push(name);
      return new Promise((end) => ends.set(name, end));
    });
  const all = ['huge 1', 'huge 2', 'huge 3'].map((name) => start(name, 100e9));
  all.push(start('small 1', 10e6), start('small 2', 10e6), start('small 3', 10e6));
  await turn();
  expect(begun).toEqual(['huge 1', 'small 1', 'small 2']);
  ends.get('small 1')?.();
  await turn();
  expect(begun.slice(3)).toEqual(['small 3']);
  ends.get('huge 1')?.();
  await turn();
  expect(begun.slice(4)).toEqual(['huge 2']);
  ends.get('huge 2')?.();
  await turn();
  for (const end of ends.values()) end();
  await Promise.all(all);
  expect(begun.slice(5)).toEqual(['huge 3']);
  expect(buffers.takenBytes).toBe(0);
});
