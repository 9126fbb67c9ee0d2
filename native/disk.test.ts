import { constants } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { constants as system, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  appendRecords,
  type FilePart,
  heldOutcome,
  journalFiles,
  placeFiles,
  readPart,
  recordChecksum,
  syncFileSystem,
  tellsFailedSyncs,
  writeFiles,
} from './disk.ts';

const { EBADF, EINVAL, ENOENT, EEXIST, ELOOP, EISDIR } = system.errno;
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

describe('a long file', () => {
  const kib = 1024;
  /** Around where the page cache is left aside, where a chunk of it ends, and where a block does. */
  const lengths = [512, 1024, 1536].flatMap((count) => [-4096, -1, 0, 1, 4095].map((more) => count * kib + more));

  it.each(lengths)('of %i bytes has all of them, however they come', async (length) => {
    const content = Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 12)) % 251);
    const parts: Uint8Array[] = [];
    for (let from = 0, step = 1; from < length; from += step, step = (step * 7 + 13) % 40_000) {
      parts.push(content.subarray(from, from + step));
    }
    const files = [parts, [content]].map((each, i) => ({ path: at('in', String(i)), parts: each }));
    expect(await writeFiles(files, true)).toEqual({ outcomes: [0, 0], syncs: 2 });
    for (const { path } of files) expect(Buffer.compare(await readFile(path), content)).toBe(0);
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
  for (let thread = 0; thread < 24; thread++) {
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), { execArgv: [] });
    await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
    // Amid a call as well as amid an answer.
    await sleep(thread % 4);
    expect(await worker.terminate()).toBe(1);
  }
});

describe('a journal', () => {
  const head = (fill: number): Uint8Array => new Uint8Array(72).fill(fill);

  it('has records from the places they were given, with a checksum, and zeros behind them', async () => {
    const file = await open(at('journal'), constants.O_RDWR | constants.O_CREAT | constants.O_DSYNC);
    try {
      const records = [
        { position: 4096, head: head(1), parts: [bytes('one '), bytes('two')] },
        { position: 8192, head: head(2), parts: [new Uint8Array(1_000_000).fill(7)] },
        { position: 8192 + 4096 * 245, head: head(3), parts: [] },
      ];
      expect(await appendRecords({ fd: file.fd, growTo: 2 * 1024 * 1024 }, records)).toBe(0);
      const written = await readFile(at('journal'));
      expect(written.length).toBe(2 * 1024 * 1024);
      expect(written.subarray(4096 + 72, 4096 + 80).toString()).toBe('one two\0');
      for (const { position, parts } of records) {
        const length = 72 + parts.reduce((sum, part) => sum + part.length, 0);
        const record = Uint8Array.from(written.subarray(position, position + length));
        record.fill(0, 64, 72);
        expect(written.readBigUInt64LE(position + 64)).toBe(recordChecksum(record));
      }
      expect(await appendRecords({ fd: file.fd, growTo: 0 }, [{ position: 1, head: head(1), parts: [] }])).toBe(
        -EINVAL,
      );
    } finally {
      await file.close();
    }
  });

  it('has a checksum that others have too', () => {
    // From the reference program, with seed 0.
    expect(recordChecksum(bytes(''))).toBe(0xef46db3751d8e999n);
    expect(recordChecksum(bytes('abc'))).toBe(0x44bc2cf5ad770999n);
    expect(recordChecksum(bytes('Nobody inspects the spammish repetition'))).toBe(0xfbcea83c8a378bf1n);
  });

  it('comes before files, which are not written where it fails or where something stands in their place', async () => {
    await writeFile(at('taken'), 'x');
    const file = await open(at('journal'), constants.O_RDWR | constants.O_CREAT | constants.O_DSYNC);
    const journalled = (name: string, target: string, position: number) => ({
      path: at('in', name),
      target: at(target),
      record: { position, head: head(1), parts: [bytes(name)] },
    });
    const files = [journalled('a', 'taken', 0), journalled('b', 'free', 4096)];
    try {
      expect(await journalFiles({ fd: file.fd, growTo: 0 }, files)).toEqual({
        outcomes: [heldOutcome, 0],
        journalled: 0,
      });
      expect(await readdir(at('in'))).toEqual(['b']);
      expect((await readFile(at('journal'))).subarray(0, 4096).every((byte) => byte === 0)).toBe(true);
    } finally {
      await file.close();
    }
    const reading = await open(at('journal'), 'r');
    try {
      const { journalled: outcome } = await journalFiles({ fd: reading.fd, growTo: 0 }, [journalled('c', 'other', 0)]);
      expect([outcome, await readdir(at('in'))]).toEqual([-EBADF, ['b']]);
    } finally {
      await reading.close();
    }
  });

  it('is emptied after a sync of the file system, where the system tells how that went', async () => {
    if (process.platform === 'linux') expect(await syncFileSystem(root)).toBe(0);
    if (process.platform === 'linux') expect(await syncFileSystem(at('none'))).toBe(notThere);
    const of = (platform: string, kernel: string) => tellsFailedSyncs(platform, kernel);
    expect(['5.8.0', '5.15.0-91-generic', '6.1', '10.0'].map((kernel) => of('linux', kernel))).not.toContain(false);
    expect([
      of('linux', '5.7.19'),
      of('linux', '4.18.0-553.el8'),
      of('darwin', '24.1.0'),
      of('linux', ''),
    ]).not.toContain(true);
  });
});
