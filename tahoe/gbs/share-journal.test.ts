/** What was acknowledged survives a power cut, whatever of the files is on the disk by then. */
import { randomBytes } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type StorageIndex, storageIndexFromBytes } from '#mesh/storage-index.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { type Disk, type JournalAtOnce, quickDisk, systemDisk } from './disk.ts';
import { leases, uploadSecret } from './example-upload.ts';
import { type StartedPeer, startPeer, until } from './started-peer.ts';

const atOnce = quickDisk.atOnce as NonNullable<Disk['atOnce']>;
const journal: JournalAtOnce = atOnce.journal as JournalAtOnce;
const ENOSPC = -28;
const EIO = -5;

let folder: string;
const stops: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meshward-journal-'));
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  await rm(folder, { recursive: true, force: true });
});

function withJournal(change: Partial<JournalAtOnce>): Disk {
  return { ...quickDisk, atOnce: { ...atOnce, journal: { ...journal, ...change } } };
}

async function start(given: Parameters<typeof startPeer>[0] = {}): Promise<StartedPeer> {
  const peer = await startPeer({ shareFolder: folder, ...given });
  stops.push(() => peer.stop());
  return peer;
}

const newIndex = (): StorageIndex => storageIndexFromBytes(randomBytes(16));
const share = (bytes: Uint8Array) => ({ bytes, uploadSecret, ...leases });
const pathOf = (root: string, index: StorageIndex, number: number): string =>
  join(root, 'shares', index.slice(0, 2), index, String(number));
const journalsIn = async (root: string): Promise<string[]> =>
  (await readdir(root)).filter((name) => name.startsWith('share-journal-'));

/** The folder as a power cut may leave it: of what was not synced, the journal alone is there. */
async function powerCut(from: string): Promise<string> {
  const left = await mkdtemp(join(tmpdir(), 'meshward-cut-'));
  stops.push(() => rm(left, { recursive: true, force: true }));
  for (const name of await journalsIn(from)) await cp(join(from, name), join(left, name));
  return left;
}

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

describe('the two files of a journal', () => {
  const mebibytes = (count: number): number => count * 1024 * 1024;

  it('take turns: the full one is emptied after a sync, and a power cut before or behind it loses nothing', async () => {
    const syncs: PromiseWithResolvers<number>[] = [];
    const syncFileSystem = (): Promise<number> => {
      const one = Promise.withResolvers<number>();
      syncs.push(one);
      return one.promise;
    };
    const peer = await start({ disk: withJournal({ syncFileSystem }), limits: { maxJournalBytes: mebibytes(4) } });
    const stored: StorageIndex[] = [];
    const put = async (): Promise<void> => {
      const index = newIndex();
      expect(await peer.peer.putWhole(index, 0, share(randomBytes(400_000)))).toBe('stored');
      stored.push(index);
    };
    const putBack = async (): Promise<number> =>
      (await start({ shareFolder: await powerCut(folder) })).server.stats().sharesPutBack;
    // Five go into a file of 2 MiB.
    for (let i = 0; i < 10; i++) await put();
    expect([syncs.length, await putBack()]).toEqual([1, 10]);
    // No room in either: synced by itself, and not in the journal.
    await put();
    expect([peer.server.stats().sharesJournalled, await putBack()]).toEqual([10, 10]);
    expect(peer.server.stats().sharesBypassed).toEqual({ full: 1, unwritten: 0 });
    syncs[0]?.resolve(0);
    await until(() => peer.server.stats().journalBytes < mebibytes(2));
    expect(await putBack()).toBe(5);
    await put();
    expect([peer.server.stats().sharesJournalled, syncs.length, await putBack()]).toEqual([11, 2, 6]);
    for (const sync of syncs) sync.resolve(0);
    for (const index of stored) expect((await peer.peer.listShares(index)).size).toBe(1);
    await until(() => syncs.length >= 2);
    const stopping = peer.server.close(0);
    await until(() => syncs.length >= 3);
    for (const sync of syncs) sync.resolve(0);
    await stopping;
  });

  it('are emptied when they are a minute old, and gone after a stop', async () => {
    const clock = new ManualClock();
    const peer = await start({ clock });
    await peer.peer.putWhole(newIndex(), 0, share(randomBytes(100)));
    expect(await journalsIn(folder)).toEqual(['share-journal-0']);
    await clock.advance(59_000);
    expect(peer.server.stats()).toMatchObject({ journalBytes: 4096, oldestRecordAgeMs: 59_000 });
    await clock.advance(1000);
    await until(() => peer.server.stats().journalBytes === 0);
    expect(peer.server.stats().oldestRecordAgeMs).toBe(0);
    await peer.peer.putWhole(newIndex(), 0, share(randomBytes(100)));
    expect(await journalsIn(folder)).toEqual(['share-journal-0', 'share-journal-1']);
    expect((await start({ shareFolder: await powerCut(folder) })).server.stats().sharesPutBack).toBe(1);
    await peer.client.close();
    await peer.server.close(0);
    expect(await journalsIn(folder)).toEqual([]);
  });

  it('are not begun for shares that are long, without syncs, or where there is no room for them', async () => {
    const peer = await start();
    await peer.peer.putWhole(newIndex(), 0, share(randomBytes(600_000)));
    const unsynced = await start({ shareFolder: await powerCut(folder), syncToDisk: false });
    await unsynced.peer.putWhole(newIndex(), 0, share(randomBytes(10)));
    const none = await start({ shareFolder: await powerCut(folder), limits: { maxJournalBytes: 0 } });
    await none.peer.putWhole(newIndex(), 0, share(randomBytes(10)));
    for (const each of [peer, unsynced, none]) {
      expect(each.server.stats()).toMatchObject({ sharesStored: 1, sharesJournalled: 0 });
      expect(await journalsIn(each.folder)).toEqual([]);
    }
  });

  it('where one cannot be written for want of room, shares are synced by themselves, and journalled again later', async () => {
    let isFull = true;
    const full: JournalAtOnce['journalFiles'] = async (place, files) =>
      isFull ? { outcomes: files.map(() => 0), journalled: ENOSPC } : journal.journalFiles(place, files);
    const peer = await start({ disk: withJournal({ journalFiles: full }) });
    const [first, second] = [newIndex(), newIndex()];
    expect(await peer.peer.putWhole(first, 0, share(randomBytes(300_000)))).toBe('stored');
    isFull = false;
    expect(await peer.peer.putWhole(second, 0, share(randomBytes(300_000)))).toBe('stored');
    expect(peer.failures).toEqual([]);
    expect(peer.server.stats()).toMatchObject({ sharesJournalled: 1, sharesBypassed: { full: 0, unwritten: 1 } });
    const back = await start({ shareFolder: await powerCut(folder) });
    expect(back.server.stats().sharesPutBack).toBe(1);
    expect(await back.peer.listShares(second)).toEqual(new Set([0]));
  });

  it('where the disk fails they are not used any more, and are kept for the next start', async () => {
    let outcome = 0;
    const peer = await start({
      limits: { maxJournalBytes: mebibytes(4) },
      disk: withJournal({
        syncFileSystem: (path) => (outcome === 0 ? journal.syncFileSystem(path) : Promise.resolve(outcome)),
      }),
    });
    outcome = EIO;
    const indexes = Array.from({ length: 7 }, newIndex);
    for (const index of indexes) await peer.peer.putWhole(index, 0, share(randomBytes(400_000)));
    await until(() => peer.failures.length === 1);
    const journalled = peer.server.stats().sharesJournalled;
    expect(await peer.peer.putWhole(newIndex(), 0, share(randomBytes(10)))).toBe('stored');
    expect(peer.server.stats()).toMatchObject({ sharesJournalled: journalled, isJournalUsed: false });
    await peer.client.close();
    await peer.server.close(0);
    expect((await journalsIn(folder)).length).toBeGreaterThan(0);
    const back = await start({ shareFolder: await powerCut(folder) });
    expect(back.server.stats().sharesPutBack).toBe(journalled);
  });
});
