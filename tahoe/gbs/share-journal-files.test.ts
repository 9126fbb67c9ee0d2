/** When the two files of a journal of shares are used and emptied, and what they do on disks that are full or fail. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { fillDisk, mountSmallDisk, smallDisks } from '#test/setup/small-disks.ts';
import { type JournalAtOnce, quickDisk } from './disk.ts';
import { until } from './started-peer.ts';
import {
  atOnce,
  EIO,
  ENOSPC,
  folder,
  journal,
  journalsIn,
  newIndex,
  powerCut,
  share,
  start,
  stops,
  withJournal,
} from './testing/journal-peer.ts';

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

  it('where a part of a turn was recorded and its shares found no room, none of them is put back', async () => {
    let isFull = true;
    const peer = await start({
      disk: {
        ...quickDisk,
        atOnce: {
          ...atOnce,
          writeFiles: async (files, sync) =>
            isFull ? { outcomes: files.map(() => ENOSPC), syncs: 0 } : atOnce.writeFiles(files, sync),
          journal: {
            ...journal,
            // The record is written, and the room behind it is not there.
            journalFiles: async (place, files) => {
              if (!isFull) return journal.journalFiles(place, files);
              expect(
                await journal.appendRecords(
                  { ...place, growTo: 0 },
                  files.map(({ record }) => record),
                ),
              ).toBe(0);
              return { outcomes: files.map(() => 0), journalled: ENOSPC };
            },
          },
        },
      },
    });
    const index = newIndex();
    await expect(peer.peer.putWhole(index, 0, share(randomBytes(10)))).rejects.toMatchObject({
      details: { status: 507 },
    });
    expect(peer.failures).toMatchObject([{ code: 'disk-full', next: expect.stringContaining('Make room') }]);
    isFull = false;
    await peer.peer.putWhole(newIndex(), 0, share(randomBytes(10)));
    const back = await start({ shareFolder: await powerCut(folder) });
    expect([back.server.stats().sharesPutBack, await back.peer.listShares(index)]).toEqual([1, new Set()]);
  });

  it.each(smallDisks('6m'))(
    'on a disk of %s that fills up nothing is acknowledged that is not kept, and with room they are used again',
    async (size) => {
      const small = await mkdtemp(join(tmpdir(), 'meshward-small-'));
      const unmount = mountSmallDisk(small, size);
      const onSmall = join(small, 'peer');
      await mkdir(onSmall);
      // The room that is kept free would refuse shares before the disk does.
      const peer = await start({ shareFolder: onSmall, limits: { reservedDiskBytes: -1e9 } });
      stops.push(() => Promise.resolve(unmount()));
      stops.push(() => rm(small, { recursive: true, force: true }));
      const stored: { index: StorageIndex; bytes: Uint8Array }[] = [];
      const refusals: unknown[] = [];
      const putAll = (count: number): Promise<unknown> =>
        Promise.all(
          Array.from({ length: count }, async () => {
            const one = { index: newIndex(), bytes: randomBytes(60_000) };
            await peer.peer.putWhole(one.index, 0, share(one.bytes)).then(
              () => stored.push(one),
              (error: unknown) => refusals.push(error),
            );
          }),
        );
      await putAll(30);
      const makeRoom = fillDisk(small);
      await putAll(20);
      expect(refusals.length).toBe(20);
      for (const error of refusals) expect(error).toMatchObject({ retryable: true, details: { status: 507 } });
      expect(peer.failures[0]).toMatchObject({ code: 'disk-full', next: expect.stringContaining('Make room') });
      makeRoom();
      const before = peer.server.stats();
      expect(before.isJournalUsed).toBe(true);
      await putAll(5);
      expect(stored.length).toBe(35);
      expect(peer.server.stats().sharesJournalled).toBe(before.sharesJournalled + 5);

      const back = await start({ shareFolder: await powerCut(onSmall) });
      expect(back.server.stats().sharesPutBack).toBe(35);
      for (const { index, bytes } of stored)
        expect(Buffer.from(await back.peer.readAll(index, 0)).equals(bytes)).toBe(true);
    },
  );

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
