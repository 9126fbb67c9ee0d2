import { readFile, utimes, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '#mesh/logger.ts';
import { storageIndexFromBytes, storageIndexToBytes } from '#mesh/storage-index.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { createPeerIdentity } from '#tahoe/identity/key-folder.ts';
import { realFile } from '#tahoe/share/example-shares.ts';
import { checkShareFile } from './check-share-file.ts';
import type { EventSink, Urgency } from './events.ts';
import { inspectFile, manifestTag } from './inspect.ts';
import { type CheckShare } from './ports.ts';
import { ShareRoot } from './share-root.ts';
import { corruptFlag, ShareTable } from './share-table.ts';
import { indexOf, PeerFolder } from './testing/peer-folder.ts';
import { Verifier, type VerifierPace } from './verifier.ts';

let folder: PeerFolder;
let root: ShareRoot;
let table: ShareTable;
let clock: ManualClock;
let said: string[];
let urgencies: (Urgency | undefined)[];
let changed: string[];
const verifiers: Verifier[] = [];
beforeEach(async () => {
  folder = await PeerFolder.make();
  root = new ShareRoot(folder.shares, (await createPeerIdentity()).peerId);
  await root.writeMark({ incarnation: 1, generation: 1 });
  table = new ShareTable();
  clock = new ManualClock();
  said = [];
  urgencies = [];
  changed = [];
});
afterEach(async () => {
  for (const verifier of verifiers.splice(0)) await verifier.stop();
  await folder.destroy();
});

const sink: EventSink = {
  share(key, shareNumber, change, urgency) {
    said.push(`${change} ${storageIndexFromBytes(key)}/${shareNumber}`);
    urgencies.push(urgency);
  },
  manifest: () => undefined,
  room: () => Promise.resolve(),
};

async function add(seed: number, shareNumber: number): Promise<string> {
  const path = await folder.put(indexOf(seed), shareNumber);
  await know(seed, shareNumber);
  return path;
}

async function know(seed: number, shareNumber: number): Promise<void> {
  const file = await inspectFile(folder.sharePath(indexOf(seed), shareNumber), indexOf(seed));
  if (file === null) throw new Error('no file');
  const key = storageIndexToBytes(indexOf(seed));
  const known = table.find(key, shareNumber);
  const slot = known >= 0 ? known : table.insert(key, shareNumber, 'immutable', 0, 0);
  table.update(slot, 'immutable', file.sizeBytes, file.stamp);
  if (known < 0 && file.manifest !== null) table.setManifestTag(slot, manifestTag(file.manifest));
}

type VerifyOptions = Partial<VerifierPace> & { readonly root?: ShareRoot; readonly check?: CheckShare };

function verify({ bytesPerSecond = 1_000_000, roundMs = 60_000, ...options }: VerifyOptions = {}): Verifier {
  const verifier = new Verifier({
    table,
    root,
    check: checkShareFile,
    sink,
    clock,
    log: silentLogger,
    notices: { file: (storageIndex) => changed.push(storageIndex) },
    keeper: { saveSoon: () => undefined },
    pace: { bytesPerSecond, roundMs },
    ...options,
  });
  verifiers.push(verifier);
  verifier.start();
  verifier.resume();
  return verifier;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await clock.advance(50);
}

/** Time stands still until the round is over, however long the disk takes: then the verifier waits for the next one. */
async function atRest(): Promise<void> {
  while (clock.pendingDelaysMs.length === 0) await clock.advance(0);
}

test('each round reads every share once, in the same order, so that the oldest verdict is renewed first', async () => {
  for (let seed = 0; seed < 5; seed++) await add(seed, seed % 4);
  const verifier = verify({ roundMs: 60_000 });
  await atRest();
  const first = [...said];
  expect(new Set(first).size).toBe(5);
  expect(said).toHaveLength(5);
  await clock.advance(59_999);
  expect(clock.pendingDelaysMs).toEqual([1]);
  await clock.advance(1);
  await atRest();
  expect(said.slice(5)).toEqual(first);
  expect(verifier.verifiedCount).toBe(10);
});

test('a byte that rotted is found, said once, and taken back when the share is sound again', async () => {
  const path = await add(1, 2);
  verify({ roundMs: 1000 });
  await until(() => said.length === 1);
  const sound = await readFile(path);
  const rotten = Buffer.from(sound);
  rotten[100] = (rotten[100] as number) ^ 4;
  await writeFile(path, rotten);
  await know(1, 2);
  await until(() => said.includes(`corrupt ${indexOf(1)}/2`));
  expect(table.corruptCount).toBe(1);
  await clock.advance(5000);
  expect(said.filter((line) => line.startsWith('corrupt'))).toHaveLength(1);
  await writeFile(path, sound);
  await know(1, 2);
  await until(() => said.at(-1) === `verified ${indexOf(1)}/2`);
  expect(table.corruptCount).toBe(0);
  // That a share is still sound has time; that it is sound again has none.
  expect(urgencies[0]).toBe('later');
  expect(urgencies.at(-1)).not.toBe('later');
});

test('that a share which was reported is sound is told soon', async () => {
  await add(1, 2);
  const verifier = verify({ bytesPerSecond: 0 });
  verifier.reported(storageIndexToBytes(indexOf(1)), 2);
  await until(() => said.length === 1);
  expect([said, urgencies]).toEqual([[`verified ${indexOf(1)}/2`], ['soon']]);
});

test('a share that changed while it was read gets no verdict; it is looked at anew', async () => {
  const path = await add(1, 0);
  const check: CheckShare = async (share, paid, signal) => {
    await writeFile(path, (await readFile(path)).subarray(0, 60));
    return checkShareFile(share, paid, signal);
  };
  verify({ check });
  await until(() => changed.length === 1);
  expect(said).toEqual([]);
});

test('a sound share of another file under this name is corrupt', async () => {
  const real = realFile('3of10_1000');
  await add(1, 0);
  const other = await readFile(real.path(0));
  await folder.write(indexOf(1), 0, other);
  await know(1, 0);
  verify();
  await until(() => said.length === 1);
  expect(said).toEqual([`corrupt ${indexOf(1)}/0`]);
});

test('a sound share under the number of another one is corrupt', async () => {
  const real = realFile('3of10_1000');
  await folder.write(indexOf(1), 3, await readFile(real.path(4)));
  await know(1, 3);
  verify();
  await until(() => said.length === 1);
  expect(said).toEqual([`corrupt ${indexOf(1)}/3`]);
});

test('nothing is judged while the share folder is away', async () => {
  await add(1, 0);
  await folder.write(indexOf(1), 0, 'rubbish of some length');
  await know(1, 0);
  await folder.remove(indexOf(1));
  const check: CheckShare = () => Promise.reject(new Error('no such disk'));
  await folder.wipe();
  const gone = new ShareRoot(`${folder.path}/elsewhere`, (await createPeerIdentity()).peerId);
  verify({ root: gone, check });
  await clock.advance(10_000);
  expect(said).toEqual([]);
  expect(table.corruptCount).toBe(0);
});

test('a new share comes before the rest of the round, and a stream of new ones does not stop the round', async () => {
  for (let seed = 0; seed < 10; seed++) await add(seed, 0);
  const verifier = verify({ bytesPerSecond: 2000 });
  verifier.fresh(storageIndexToBytes(indexOf(9)), 0);
  await until(() => said.length >= 3);
  expect(said.slice(0, 3)).toContain(`verified ${indexOf(9)}/0`);
  while (new Set(said).size < 10) {
    verifier.fresh(storageIndexToBytes(indexOf(9)), 0);
    await clock.advance(100);
  }
  expect(said.length).toBeLessThan(25);
});

test('content is read at the set rate', async () => {
  for (let seed = 0; seed < 20; seed++) await add(seed, 0);
  const verifier = verify({ bytesPerSecond: 1000 });
  await clock.advance(1);
  const atOnce = verifier.bytesRead;
  await clock.advance(4000);
  expect(verifier.bytesRead - atOnce).toBeLessThan(6000);
  verifier.setRate(1_000_000);
  await until(() => said.length === 20);
  expect(verifier.bytesRead).toBe(table.shareBytes);
});

test('a rate of zero never reads', async () => {
  await add(1, 0);
  const verifier = verify({ bytesPerSecond: 0 });
  await clock.advance(100_000);
  expect(verifier.bytesRead).toBe(0);
  verifier.setRate(1_000_000);
  await until(() => said.length === 1);
});

test('shares that a real Tahoe-LAFS wrote verify, and state the manifest of their verify cap', async () => {
  const real = realFile('25of100_56');
  for (const number of [0, 24, 25, 99]) {
    await folder.write(real.manifest.storageIndex, number, await readFile(real.path(number)));
    const file = await inspectFile(folder.sharePath(real.manifest.storageIndex, number), real.manifest.storageIndex);
    expect(file).toMatchObject({ kind: 'immutable', manifest: real.manifest });
    const slot = table.insert(
      storageIndexToBytes(real.manifest.storageIndex),
      number,
      'immutable',
      file?.sizeBytes ?? 0,
      file?.stamp ?? 0,
    );
    table.set(slot, corruptFlag, true);
  }
  verify();
  await until(() => said.length === 4);
  expect(said.every((line) => line.startsWith('verified'))).toBe(true);
  expect(table.corruptCount).toBe(0);
});

test('a reported share is verified at once, though it looks as it did and the verifier is slow or off', async () => {
  for (const bytesPerSecond of [0, 1]) {
    said = [];
    const seed = 10 + bytesPerSecond;
    const path = await folder.put(indexOf(seed), 3);
    await utimes(path, 1_700_000_000, 1_700_000_000);
    await know(seed, 3);
    const verifier = verify({ bytesPerSecond });
    const bytes = await readFile(path);
    bytes.fill(0, 0, 64);
    await writeFile(path, bytes);
    await utimes(path, 1_700_000_000, 1_700_000_000);
    verifier.reported(storageIndexToBytes(indexOf(seed)), 3);
    await until(() => said.includes(`corrupt ${indexOf(seed)}/3`));
  }
});
