/** What was acknowledged survives a power cut, whatever of the files is on the disk by then. */
import { randomBytes } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { type Disk, diskError, quickDisk, systemDisk } from './disk.ts';
import {
  atOnce,
  EIO,
  ENOSPC,
  folder,
  journal,
  journalsIn,
  newIndex,
  pathOf,
  powerCut,
  share,
  start,
  withJournal,
} from './testing/journal-peer.ts';

describe('after a power cut', () => {
  it('every share that was acknowledged is there, byte for byte, and nothing is left of the journal', async () => {
    const peer = await start();
    const stored = Array.from({ length: 12 }, (_, number) => {
      const bytes = randomBytes(number % 3 === 0 ? 420_000 : 1000 + number);
      return { index: newIndex(), number, bytes };
    });
    await Promise.all(stored.map(({ index, number, bytes }) => peer.peer.putWhole(index, number, share(bytes))));
    expect(peer.server.stats()).toMatchObject({ sharesJournalled: 12, sharesPutBack: 0 });
    expect(peer.server.stats().journalBytes).toBeGreaterThan(4 * 420_000);

    const left = await powerCut(folder);
    const back = await start({ shareFolder: left });
    expect(back.server.stats()).toMatchObject({ sharesPutBack: 12, sharesJournalled: 0, journalBytes: 0 });
    for (const { index, number, bytes } of stored) {
      expect(Buffer.from(await back.peer.readAll(index, number)).equals(bytes)).toBe(true);
      expect(await readFile(pathOf(left, index, number))).toEqual(await readFile(pathOf(folder, index, number)));
    }
    expect(await journalsIn(left)).toEqual([]);
    expect(back.failures).toEqual([]);
  });

  it('shares that are short, torn or empty are put back, and those that are sound stay with the leases they have got since', async () => {
    const peer = await start();
    const [short, torn, empty, sound] = [newIndex(), newIndex(), newIndex(), newIndex()];
    const bytes = randomBytes(5000);
    for (const index of [short, torn, empty, sound]) await peer.peer.putWhole(index, 1, share(bytes));
    await peer.peer.renewLease(sound, {
      renewSecret: new Uint8Array(32).fill(8),
      cancelSecret: new Uint8Array(32).fill(9),
    });
    const left = await powerCut(folder);
    await cp(join(folder, 'shares'), join(left, 'shares'), { recursive: true });
    await truncate(pathOf(left, short, 1), 4096);
    await truncate(pathOf(left, empty, 1), 0);
    const damaged = await readFile(pathOf(left, torn, 1));
    await writeFile(pathOf(left, torn, 1), damaged.fill(0, 4096));
    const back = await start({ shareFolder: left });
    expect(back.server.stats().sharesPutBack).toBe(3);
    for (const index of [short, torn, empty, sound]) {
      expect(Buffer.from(await back.peer.readAll(index, 1)).equals(bytes)).toBe(true);
    }
    expect(await readFile(pathOf(left, sound, 1))).toEqual(await readFile(pathOf(folder, sound, 1)));
  });

  it('a record that was cut short is nothing, and those before and behind it count', async () => {
    const peer = await start();
    const indexes = [newIndex(), newIndex(), newIndex()];
    for (const index of indexes) await peer.peer.putWhole(index, 0, share(randomBytes(9000)));
    const left = await powerCut(folder);
    const path = join(left, 'share-journal-0');
    const file = await readFile(path);
    // The records are of three blocks each, behind the first block of the file.
    await writeFile(path, file.fill(0, 4096 * 5, 4096 * 6));
    const back = await start({ shareFolder: left });
    expect(back.server.stats().sharesPutBack).toBe(2);
    const listed = await Promise.all(indexes.map(async (index) => (await back.peer.listShares(index)).size));
    expect(listed).toEqual([1, 0, 1]);
    expect(await journalsIn(left)).toEqual([]);
  });

  it.each([
    ['noise', randomBytes(40_000)],
    ['nothing', Buffer.alloc(0)],
    ['zeros', Buffer.alloc(40_000)],
    ['a head and no more', Buffer.from('4d57534a0100', 'hex')],
  ])('a journal of %s is no obstacle', async (_what, content) => {
    await writeFile(join(folder, 'share-journal-0'), content);
    const peer = await start();
    expect(await journalsIn(folder)).toEqual([]);
    expect(await peer.peer.putWhole(newIndex(), 0, share(randomBytes(10)))).toBe('stored');
    expect([peer.failures, peer.server.stats().sharesJournalled]).toEqual([[], 1]);
  });

  it('whichever block of the journal is damaged, shares that do not touch it are put back, and no other bytes than those that were stored', async () => {
    const peer = await start();
    const stored = Array.from({ length: 6 }, (_, at) => ({ index: newIndex(), bytes: randomBytes(100 + at * 1500) }));
    for (const { index, bytes } of stored) await peer.peer.putWhole(index, 0, share(bytes));
    // By block of the file: none but the head, or the share whose record has it.
    const owners = [
      -1,
      ...stored.flatMap(({ bytes }, at) => Array<number>(Math.ceil((bytes.length + 156) / 4096)).fill(at)),
    ];
    for (const [block, owner] of owners.entries()) {
      const left = await powerCut(folder);
      const path = join(left, 'share-journal-0');
      const file = await readFile(path);
      await writeFile(path, file.fill(randomBytes(4096), 4096 * block, 4096 * (block + 1)));
      const back = await start({ shareFolder: left });
      for (const [at, { index, bytes }] of stored.entries()) {
        const isThere = (await back.peer.listShares(index)).size === 1;
        expect([block, at, isThere]).toEqual([block, at, at !== owner]);
        if (isThere) expect(Buffer.from(await back.peer.readAll(index, 0)).equals(bytes)).toBe(true);
      }
      expect([back.failures, await journalsIn(left)]).toEqual([[], []]);
    }
  });

  it('a journal that cannot be read is kept, what to do is told, and the peer serves on', async () => {
    const peer = await start();
    await peer.peer.putWhole(newIndex(), 0, share(randomBytes(10_000)));
    const left = await powerCut(folder);
    const failing: Disk = {
      ...quickDisk,
      read: (fd, target, length, position) =>
        position === 8192 || length > 9000
          ? Promise.reject(diskError(EIO, 'read'))
          : quickDisk.read(fd, target, length, position),
    };
    const back = await start({ shareFolder: left, disk: failing });
    expect(back.failures).toMatchObject([
      { code: 'disk-failed', next: expect.stringContaining('start the peer again') },
    ]);
    expect(await back.peer.putWhole(newIndex(), 0, share(randomBytes(10)))).toBe('stored');
    expect(back.server.stats()).toMatchObject({ isJournalUsed: false, sharesJournalled: 0 });
    const again = await start({ shareFolder: await powerCut(left) });
    expect(again.server.stats().sharesPutBack).toBe(1);
  });

  it('a journal of a later release is left for it, and shares are synced one by one', async () => {
    const later = Buffer.alloc(8192);
    later.write('MWSJ');
    later.writeUInt8(2, 4);
    await writeFile(join(folder, 'share-journal-0'), later);
    const peer = await start();
    expect(await peer.peer.putWhole(newIndex(), 0, share(randomBytes(10)))).toBe('stored');
    expect([peer.failures.length, peer.server.stats().sharesJournalled]).toEqual([1, 0]);
    expect(await readFile(join(folder, 'share-journal-0'))).toEqual(later);
  });

  it('nothing is put back through a link, and the journal waits until it is gone', async () => {
    const peer = await start();
    const index = newIndex();
    await peer.peer.putWhole(index, 0, share(randomBytes(100)));
    const left = await powerCut(folder);
    await mkdir(join(left, 'shares'));
    await mkdir(join(left, 'elsewhere'));
    await symlink(join(left, 'elsewhere'), join(left, 'shares', index.slice(0, 2)));
    const back = await start({ shareFolder: left });
    expect([back.failures.length, await readdir(join(left, 'elsewhere'))]).toEqual([1, []]);
    await back.client.close();
    await back.server.close(0);
    await rm(join(left, 'shares', index.slice(0, 2)));
    const again = await start({ shareFolder: left });
    expect(again.server.stats().sharesPutBack).toBe(1);
    expect(await again.peer.listShares(index)).toEqual(new Set([0]));
  });

  it('a share that was not stored in the end is not put back', async () => {
    const indexes = [newIndex(), newIndex()];
    let isFull = true;
    const peer = await start({
      disk: {
        ...quickDisk,
        atOnce: {
          ...atOnce,
          placeFiles: async (files, root, sync) => {
            const placed = isFull ? { outcomes: files.map(() => ENOSPC), synced: 0, syncs: 0 } : undefined;
            isFull = false;
            return placed ?? atOnce.placeFiles(files, root, sync);
          },
        },
      },
    });
    await expect(peer.peer.putWhole(indexes[0] as StorageIndex, 0, share(randomBytes(10)))).rejects.toMatchObject({
      details: { status: 507 },
    });
    await peer.peer.putWhole(indexes[1] as StorageIndex, 0, share(randomBytes(10)));
    const back = await start({ shareFolder: await powerCut(folder) });
    expect(back.server.stats().sharesPutBack).toBe(1);
    expect(await back.peer.listShares(indexes[0] as StorageIndex)).toEqual(new Set());
  });

  it('it is replayed also where files are synced one by one', async () => {
    const peer = await start();
    const index = newIndex();
    await peer.peer.putWhole(index, 0, share(randomBytes(100)));
    const left = await powerCut(folder);
    const back = await start({ shareFolder: left, disk: systemDisk });
    expect(back.server.stats().sharesPutBack).toBe(1);
    expect(await back.peer.listShares(index)).toEqual(new Set([0]));
    expect(await journalsIn(left)).toEqual([]);
  });
});

describe('after a kill', () => {
  it('all is in its place; a share that its owner removed since is there once more', async () => {
    const peer = await start();
    const indexes = Array.from({ length: 150 }, newIndex);
    await Promise.all(indexes.map((index) => peer.peer.putWhole(index, 0, share(randomBytes(8000)))));
    const left = await powerCut(folder);
    await cp(join(folder, 'shares'), join(left, 'shares'), { recursive: true });
    await rm(pathOf(left, indexes[0] as StorageIndex, 0));
    const back = await start({ shareFolder: left });
    expect(back.server.stats().sharesPutBack).toBe(1);
    expect(await journalsIn(left)).toEqual([]);
    // And each of them is in the journal, however many wrote it at once.
    const cut = await start({ shareFolder: await powerCut(folder) });
    expect(cut.server.stats().sharesPutBack).toBe(150);
  });
});

describe('a share that was removed', () => {
  it('does not come back once the peer was told; one that was brought again since does', async () => {
    const peer = await start();
    const [gone, again, untold, late] = [newIndex(), newIndex(), newIndex(), newIndex()];
    const bytes = randomBytes(9000);
    for (const index of [gone, again, untold, late]) await peer.peer.putWhole(index, 3, share(bytes));
    for (const index of [gone, again, untold]) await rm(pathOf(folder, index, 3));
    await Promise.all([peer.server.removed(gone, 3), peer.server.removed(again, 3)]);
    await peer.peer.putWhole(again, 3, share(bytes));
    // Word of it came after the share did.
    await peer.server.removed(again, 3);
    await peer.server.removed(late, 3);
    await peer.server.removed(newIndex(), 3);
    const back = await start({ shareFolder: await powerCut(folder) });
    const listed = await Promise.all([gone, again, untold, late].map((index) => back.peer.listShares(index)));
    expect(listed.map(({ size }) => size)).toEqual([0, 1, 1, 1]);
    expect(Buffer.from(await back.peer.readAll(again, 3)).equals(bytes)).toBe(true);
  });

  it('does not come back either where both files have a record of it', async () => {
    const clock = new ManualClock();
    const sync = Promise.withResolvers<number>();
    let isHeld = false;
    const peer = await start({
      clock,
      disk: withJournal({ syncFileSystem: (path) => (isHeld ? sync.promise : journal.syncFileSystem(path)) }),
    });
    isHeld = true;
    const index = newIndex();
    await peer.peer.putWhole(index, 0, share(randomBytes(100)));
    await clock.advance(60_000);
    await rm(pathOf(folder, index, 0));
    await peer.peer.putWhole(index, 0, share(randomBytes(100)));
    await rm(pathOf(folder, index, 0));
    await peer.server.removed(index, 0);
    const left = await powerCut(folder);
    expect((await journalsIn(left)).length).toBe(2);
    expect((await start({ shareFolder: left })).server.stats().sharesPutBack).toBe(0);
    sync.resolve(0);
  });
});

describe('a start', () => {
  it('syncs what is there, also without a record: it will be held for whoever brings it again', async () => {
    let syncs = 0;
    const disk = withJournal({
      syncFileSystem: (path) => {
        syncs++;
        return journal.syncFileSystem(path);
      },
    });
    await start({ disk });
    expect(syncs).toBe(0);
    const index = newIndex();
    await mkdir(join(folder, 'shares', index.slice(0, 2), index), { recursive: true });
    await start({ disk });
    expect(syncs).toBe(1);
    await start({ disk, syncToDisk: false });
    expect(syncs).toBe(1);
  });
});
