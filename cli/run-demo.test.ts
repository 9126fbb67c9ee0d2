import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findFiles } from '#demo/files.ts';
import { describeLeftOut } from './run-demo.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meshward-demo-files-'));
  for (let i = 0; i < 10; i++) await writeFile(join(folder, `file-${i}`), Buffer.alloc(1000));
});
afterEach(() => rm(folder, { recursive: true }));

test('files beyond a limit are left out, and each limit is named for what it left out', async () => {
  const told = async (maxFiles: number, maxTotalBytes: number) => {
    const limits = { maxFiles, maxTotalBytes };
    return describeLeftOut(await findFiles(folder, limits), limits);
  };
  expect(await told(10, 10_000)).toBe('');
  expect(await told(100, 6000)).toBe('6 files are stored; left out are 4 beyond 5.86 KiB in all (--max-size).');
  expect(await told(4, 10_000)).toBe('4 files are stored; left out are 6 beyond 4 files (--max-files).');
  const both = await told(5, 2500);
  expect(both).toContain('--max-files');
  expect(both).toContain('--max-size');
});

test('a folder of files that are all too large is said to be that, not empty', async () => {
  await expect(findFiles(folder, { maxFiles: 10, maxTotalBytes: 999 })).rejects.toMatchObject({
    code: 'bad-input',
    next: expect.stringContaining('--max-size') as string,
  });
  await expect(findFiles(join(folder, 'none'), { maxFiles: 10, maxTotalBytes: 1 })).rejects.toMatchObject({
    code: 'bad-input',
  });
});
