import { rename } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '#mesh/logger.ts';
import { storageIndexFromBytes, storageIndexToBytes } from '#mesh/storage-index.ts';
import { createPeerIdentity } from '#tahoe/identity/key-folder.ts';
import { Oddities } from './oddities.ts';
import { FolderGone, Reconciler } from './reconciler.ts';
import { scanFolder } from './scan.ts';
import { ShareRoot } from './share-root.ts';
import { ShareTable } from './share-table.ts';
import { indexOf, PeerFolder } from './testing/peer-folder.ts';

let folder: PeerFolder;
let root: ShareRoot;
let table: ShareTable;
let said: string[];
let reconciler: Reconciler;
const oddities = new Oddities();
beforeEach(async () => {
  folder = await PeerFolder.make();
  root = new ShareRoot(folder.shares, (await createPeerIdentity()).peerId);
  await root.writeMark({ incarnation: 1, generation: 1 });
  table = new ShareTable();
  said = [];
  reconciler = new Reconciler({
    root,
    table,
    oddities,
    sink: {
      share: (key, shareNumber, change) => said.push(`${change} ${storageIndexFromBytes(key)}/${shareNumber}`),
      manifest: ({ storageIndex }) => said.push(`manifest ${storageIndex}`),
      room: () => Promise.resolve(),
    },
    log: silentLogger,
    watcher: { watchStorageIndex: () => undefined, unwatchStorageIndex: () => undefined, isWatched: () => true },
    notices: { emptyFolder: () => undefined },
    verifier: { fresh: () => undefined, isVerifying: false },
  });
  reconciler.setQuiet(false);
});
afterEach(() => folder.destroy());

const scan = (): Promise<void> =>
  scanFolder({
    root,
    table,
    oddities,
    reconciler,
    signal: new AbortController().signal,
    watchPrefix: () => undefined,
  });

test('nothing is lost with the folder, whoever looks first', async () => {
  await folder.put(indexOf(1), 0);
  await reconciler.reconcile(indexOf(1));
  await rename(folder.shares, `${folder.path}/away`);
  await expect(reconciler.reconcile(indexOf(1))).rejects.toBeInstanceOf(FolderGone);
  await expect(scan()).rejects.toBeInstanceOf(FolderGone);
  expect(said).toEqual([`manifest ${indexOf(1)}`, `stored ${indexOf(1)}/0`]);
  expect(table.shareCount).toBe(1);
});

test('looking again and at once says nothing twice', async () => {
  await folder.put(indexOf(1), 0);
  await folder.put(indexOf(1), 1);
  await Promise.all([reconciler.reconcile(indexOf(1)), scan(), reconciler.reconcile(indexOf(1))]);
  await scan();
  expect([...said].sort()).toEqual(
    [`manifest ${indexOf(1)}`, `stored ${indexOf(1)}/0`, `stored ${indexOf(1)}/1`].sort(),
  );
});

test("a file's manifest is said once, even when the share that told it is gone", async () => {
  await folder.put(indexOf(1), 0);
  await reconciler.reconcile(indexOf(1));
  await folder.put(indexOf(1), 1);
  await reconciler.reconcile(indexOf(1));
  await folder.remove(indexOf(1), 0);
  await reconciler.reconcile(indexOf(1));
  await folder.put(indexOf(1), 2);
  await reconciler.reconcile(indexOf(1));
  expect(said.filter((line) => line.startsWith('manifest'))).toHaveLength(1);
});

test('a scan finds what it did not meet lost, and keeps the rest', async () => {
  for (let seed = 0; seed < 10; seed++) await folder.put(indexOf(seed), 0);
  await scan();
  said.length = 0;
  await folder.remove(indexOf(3));
  await folder.remove(indexOf(4), 0);
  await scan();
  expect([...said].sort()).toEqual([`lost ${indexOf(3)}/0`, `lost ${indexOf(4)}/0`].sort());
  expect(table.find(storageIndexToBytes(indexOf(5)), 0)).toBeGreaterThanOrEqual(0);
});
