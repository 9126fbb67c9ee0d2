import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FilePart, heldOutcome, placeFiles, readPart, writeFiles } from './disk.ts';

const { ENOENT, EEXIST, ELOOP, EISDIR } = constants.errno;
const [notThere, exists, link] = [-ENOENT, -EEXIST, -ELOOP];
let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'meshward-disk-'));
  await mkdir(join(root, 'in'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const at = (...names: string[]): string => join(root, ...names);
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

describe('files written together', () => {
  it('have all their parts, are synced each once, and fail each by itself', async () => {
    await writeFile(at('in', 'b'), 'taken');
    const many = Array.from({ length: 1500 }, (_, i) => bytes(`${i},`));
    const { outcomes, syncs } = await writeFiles(
      [
        { path: at('in', 'a'), parts: [bytes('one '), new Uint8Array(0), bytes('two')] },
        { path: at('in', 'b'), parts: [bytes('x')] },
        { path: at('none', 'c'), parts: [bytes('x')] },
        { path: at('in', 'd'), parts: many },
      ],
      true,
    );
    expect([outcomes, syncs]).toEqual([[0, exists, notThere, 0], 2]);
    expect(await readFile(at('in', 'a'), 'utf8')).toBe('one two');
    expect(await readFile(at('in', 'b'), 'utf8')).toBe('taken');
    expect(await readFile(at('in', 'd'), 'utf8')).toBe(many.map((_, i) => `${i},`).join(''));
    expect((await writeFiles([{ path: at('in', 'e'), parts: [] }], false)).syncs).toBe(0);
  });
});

describe('files put in their places', () => {
  const put = (names: string[], folder: string, name?: string) =>
    placeFiles(
      names.map((each) => ({ from: at('in', each), folder: at(folder), name: name ?? each })),
      root,
      true,
    );

  it('appear in folders that are made, and every folder with a new name is synced once', async () => {
    for (const name of ['1', '2']) await writeFile(at('in', name), name);
    const first = await put(['1', '2'], 'shares/aa/aabb');
    // aabb, aa, shares, and the root that holds shares.
    expect(first).toEqual({ outcomes: [0, 0], synced: 0, syncs: 4 });
    expect(await readdir(at('shares/aa/aabb'))).toEqual(['1', '2']);
    await writeFile(at('in', '3'), '3');
    expect((await put(['3'], 'shares/aa/aabb')).syncs).toBe(1);
  });

  it('leave a file alone that has the name, and tell of each failure', async () => {
    for (const name of ['1', '2']) await writeFile(at('in', name), name);
    expect((await put(['1', '2', 'none'], 'shares', 'same')).outcomes).toEqual([0, heldOutcome, heldOutcome]);
    expect(await readFile(at('shares/same'), 'utf8')).toBe('1');
    expect(await readdir(at('in'))).toEqual(['2']);
    expect((await put(['none'], 'shares', 'other')).outcomes).toEqual([notThere]);
  });

  it('follow no link', async () => {
    await writeFile(at('in', '1'), '1');
    await mkdir(at('elsewhere'));
    await symlink(at('elsewhere'), at('shares'));
    expect((await put(['1'], 'shares/aa')).outcomes).toEqual([link]);
    expect(await readdir(at('elsewhere'))).toEqual([]);
  });
});

describe('a part of a file', () => {
  const read = (path: string, position: number, length: number) =>
    readPart(root, at(path), { headBytes: 3, position, length });

  it('comes with the head and the length of the file, and ends where the file does', async () => {
    await mkdir(at('shares'));
    await writeFile(at('shares', 'f'), 'abcdefghij');
    const part = (await read('shares/f', 4, 3)) as FilePart;
    expect([part.fileBytes, Buffer.from(part.head).toString(), Buffer.from(part.bytes).toString()]).toEqual([
      10,
      'abc',
      'efg',
    ]);
    expect(Buffer.from(((await read('shares/f', 8, 100)) as FilePart).bytes).toString()).toBe('ij');
    expect(((await read('shares/f', 50, 100)) as FilePart).bytes).toHaveLength(0);
  });

  it('is not read through links, and not of what is no file', async () => {
    await mkdir(at('real'));
    await writeFile(at('real', 'f'), 'abc');
    await symlink(at('real'), at('linked'));
    await symlink(at('real', 'f'), at('real', 'g'));
    expect(await read('linked/f', 0, 1)).toBe(link);
    expect(await read('real/g', 0, 1)).toBe(link);
    expect(await read('real/none', 0, 1)).toBe(notThere);
    expect(await readPart(root, at('real'), { headBytes: 0, position: 0, length: 1 })).toBe(-EISDIR);
  });
});

it('a thread that ends while the disk answers it ends alone', async () => {
  await writeFile(at('f'), 'abc');
  const source = `
    import { parentPort } from 'node:worker_threads';
    import { readPart } from ${JSON.stringify(new URL('./disk.ts', import.meta.url).href)};
    const [root, path] = ${JSON.stringify([root, at('f')])};
    const work = async () => { for (;;) await readPart(root, path, { headBytes: 0, position: 0, length: 3 }); };
    for (let i = 0; i < 8; i++) work();
    parentPort.postMessage('started');
  `;
  for (let thread = 0; thread < 12; thread++) {
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), { execArgv: [] });
    await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
    expect(await worker.terminate()).toBe(1);
  }
});
