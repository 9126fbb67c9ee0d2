/** Lists the share folder: `<2>/<storage index>/<share number>` (FORMAT section 2). Opens nothing and follows no link. */

import { type Dirent, readdir, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { isAbsent, systemCodeOf } from '#mesh/durable-file.ts';
import { isStorageIndex, type StorageIndex } from '#mesh/storage-index.ts';
import { shareNumberOfName } from '#tahoe/share/verify.ts';
import { stampOf, statLink } from './inspect.ts';
import type { Oddity } from './oddities.ts';
import { markFileName } from './share-root.ts';

export interface ListedShare {
  readonly shareNumber: number;
  readonly sizeBytes: number;
  readonly stamp: number;
}

export interface Listed<T> {
  readonly found: readonly T[];
  readonly oddities: readonly Oddity[];
}

/** `absent`: there is no such folder. `unreadable`: it is there, or the disk fails; what is in it is unknown. */
export type Listing<T> = Listed<T> | 'absent' | 'unreadable';

/** The two-letter folders. `incoming` holds uploads and is never looked into. */
export function listPrefixes(root: string): Promise<Listing<string>> {
  return listFolders(root, (name) =>
    isPrefix(name) ? name : name === 'incoming' || name === markFileName ? 'ignore' : null,
  );
}

export function isPrefix(name: string): boolean {
  return /^[a-z2-7]{2}$/.test(name);
}

export function listStorageIndexes(root: string, prefix: string): Promise<Listing<StorageIndex>> {
  return listFolders(`${root}/${prefix}`, (name) => (name.startsWith(prefix) && isStorageIndex(name) ? name : null));
}

/** Size and stamp of every file with a share's name. */
export async function listShares(folder: string): Promise<Listing<ListedShare>> {
  const names = await readNames(folder);
  if (typeof names === 'string') return names;
  const found: ListedShare[] = [];
  const oddities: Oddity[] = [];
  await Promise.all(
    names.map(async (name) => {
      const shareNumber = shareNumberOfName(name);
      if (shareNumber === null) {
        oddities.push({ name, kind: 'foreign' });
        return;
      }
      let status: Stats;
      try {
        status = await statLink(`${folder}/${name}`);
      } catch (error) {
        if (!isAbsent(error)) oddities.push({ name, kind: 'unreadable-folder' });
        return; // removed since the folder was read
      }
      if (status.isFile()) found.push({ shareNumber, sizeBytes: status.size, stamp: stampOf(status) });
      else oddities.push({ name, kind: status.isSymbolicLink() ? 'link' : 'folder-as-share' });
    }),
  );
  // A file that could not be looked at must not count as gone.
  return oddities.some((oddity) => oddity.kind === 'unreadable-folder') ? 'unreadable' : { found, oddities };
}

async function listFolders<T extends string>(
  folder: string,
  accept: (name: string) => T | 'ignore' | null,
): Promise<Listing<T>> {
  const entries = await readEntries(folder);
  if (typeof entries === 'string') return entries;
  const found: T[] = [];
  const oddities: Oddity[] = [];
  for (const entry of entries) {
    const accepted = accept(entry.name);
    if (accepted === 'ignore') continue;
    if (accepted === null) {
      oddities.push({ name: entry.name, kind: entry.isSymbolicLink() ? 'link' : 'foreign' });
      continue;
    }
    const kind = await kindOfEntry(folder, entry);
    if (kind === 'folder') found.push(accepted);
    else if (kind !== 'gone') oddities.push({ name: entry.name, kind });
  }
  return { found, oddities };
}

async function kindOfEntry(folder: string, entry: Dirent): Promise<'folder' | 'link' | 'foreign' | 'gone'> {
  if (entry.isDirectory()) return 'folder';
  if (entry.isSymbolicLink()) return 'link';
  if (entry.isFile()) return 'foreign';
  // Some file systems do not tell the kind with the name.
  try {
    const status = await statLink(`${folder}/${entry.name}`);
    if (status.isDirectory()) return 'folder';
    return status.isSymbolicLink() ? 'link' : 'foreign';
  } catch (error) {
    return isAbsent(error) ? 'gone' : 'foreign';
  }
}

/**
 * Whether the folder of a file is reached through a link: its own, or that of its two letters. Links are not followed anywhere, in
 * scans, by watches, by the verifier and by the server: what a link leads to may be away while the folder's mark is there.
 */
export async function isLinked(root: string, storageIndex: StorageIndex): Promise<boolean> {
  const prefix = `${root}/${storageIndex.slice(0, 2)}`;
  const [ofPrefix, own] = await Promise.all([isLink(prefix), isLink(`${prefix}/${storageIndex}`)]);
  return ofPrefix || own;
}

export async function isLink(path: string): Promise<boolean> {
  try {
    if (!(await statLink(path)).isSymbolicLink()) return false;
  } catch {
    return false; // what cannot be looked at is told by its listing
  }
  // A loop of links is nobody's wish but damage, from which nothing is concluded: its listing says so.
  return stat(path).then(
    () => true,
    (error: unknown) => systemCodeOf(error) !== 'ELOOP',
  );
}

function readNames(folder: string): Promise<string[] | 'absent' | 'unreadable'> {
  return new Promise((resolve) => {
    readdir(folder, (error, names) => resolve(error === null ? names : failureOf(error)));
  });
}

function readEntries(folder: string): Promise<Dirent[] | 'absent' | 'unreadable'> {
  return new Promise((resolve) => {
    readdir(folder, { withFileTypes: true }, (error, entries) => resolve(error === null ? entries : failureOf(error)));
  });
}

function failureOf(error: unknown): 'absent' | 'unreadable' {
  return isAbsent(error) ? 'absent' : 'unreadable';
}
