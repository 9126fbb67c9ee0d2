/** For tests: peers whose journal is looked at, and copies of their folders as a power cut leaves them. */
import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { type StorageIndex, storageIndexFromBytes } from '#mesh/storage-index.ts';
import type { WholeShareData } from '../client.ts';
import { type Disk, type JournalAtOnce, quickDisk } from '../disk.ts';
import { leases, uploadSecret } from '../example-upload.ts';
import { type StartedPeer, startPeer } from '../started-peer.ts';

export const atOnce = quickDisk.atOnce as NonNullable<Disk['atOnce']>;
export const journal: JournalAtOnce = atOnce.journal as JournalAtOnce;
export const ENOSPC = -28;
export const EIO = -5;

/** Of the test that runs. */
export let folder: string;
/** Taken in their order when the test is over. */
export const stops: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meshward-journal-'));
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  await rm(folder, { recursive: true, force: true });
});

export function withJournal(change: Partial<JournalAtOnce>): Disk {
  return { ...quickDisk, atOnce: { ...atOnce, journal: { ...journal, ...change } } };
}

export async function start(given: Parameters<typeof startPeer>[0] = {}): Promise<StartedPeer> {
  const peer = await startPeer({ shareFolder: folder, ...given });
  stops.push(() => peer.stop());
  return peer;
}

export function newIndex(): StorageIndex {
  return storageIndexFromBytes(randomBytes(16));
}

export function share(bytes: Uint8Array): WholeShareData {
  return { bytes, uploadSecret, ...leases };
}

export function pathOf(root: string, index: StorageIndex, number: number): string {
  return join(root, 'shares', index.slice(0, 2), index, String(number));
}

export async function journalsIn(root: string): Promise<string[]> {
  return (await readdir(root)).filter((name) => name.startsWith('share-journal-'));
}

/** The folder as a power cut may leave it: of what was not synced, the journal alone is there. */
export async function powerCut(from: string): Promise<string> {
  const left = await mkdtemp(join(tmpdir(), 'meshward-cut-'));
  stops.push(() => rm(left, { recursive: true, force: true }));
  for (const name of await journalsIn(from)) await cp(join(from, name), join(left, name));
  return left;
}
