/**
 * The file system as the storage server uses it. A port, so that full and failing disks can be tested anywhere; on plain
 * descriptors and callbacks, which cost a third of a FileHandle where thousands of small shares pass.
 */
import * as fs from 'node:fs';
import { getSystemErrorMap, promisify } from 'node:util';
import {
  appendRecords,
  journalFiles,
  placeFiles,
  readPart,
  syncFileSystem,
  tellsFailedSyncs,
  writeFiles,
} from '#native/disk.ts';
import { sharedSyncs } from './shared-syncs.ts';

export interface Disk {
  open(path: string, flags: number, mode?: number): Promise<number>;
  close(fd: number): Promise<void>;
  stat(fd: number): Promise<{ sizeBytes: number; linkCount: number }>;
  /** @returns how many bytes were read: fewer than `length` only at the end of the file. */
  read(fd: number, target: Uint8Array, length: number, position: number): Promise<number>;
  /** Writes everything or fails. */
  write(fd: number, parts: readonly Uint8Array[], position: number): Promise<void>;
  sync(fd: number): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  makeFolder(path: string): Promise<void>;
  list(path: string): Promise<string[]>;
  /** Whether the path itself is a symbolic link; false where there is nothing. */
  isLink(path: string): Promise<boolean>;
  /** Whether the path itself is a file; false where there is nothing. */
  isFile(path: string): Promise<boolean>;
  removeTree(path: string): Promise<void>;
  /** In one step; left out where the steps are to be taken one by one. */
  readonly atOnce?: DiskAtOnce;
  /** Bytes that may still be written to the file system of `path`. */
  freeBytes(path: string): Promise<number>;
}

/** Steps that belong together, taken in one (`#native/disk.ts`). */
export interface DiskAtOnce {
  readonly writeFiles: typeof writeFiles;
  readonly placeFiles: typeof placeFiles;
  readonly readPart: typeof readPart;
  /** Left out where the system cannot sync a file system and say whether that went well. */
  readonly journal?: JournalAtOnce;
}

/** What a journal of shares needs (`share-journal.ts`). */
export interface JournalAtOnce {
  readonly appendRecords: typeof appendRecords;
  readonly journalFiles: typeof journalFiles;
  readonly syncFileSystem: typeof syncFileSystem;
}

const open = promisify(fs.open);
const close = promisify(fs.close);
const fstat = promisify(fs.fstat);
const fsync = promisify(fs.fsync);
const readAt = (fd: number, target: Uint8Array, offset: number, length: number, position: number): Promise<number> =>
  new Promise((resolve, reject) => {
    fs.read(fd, target, offset, length, position, (error, count) => (error === null ? resolve(count) : reject(error)));
  });
const writeAt = (fd: number, parts: readonly Uint8Array[], position: number): Promise<number> =>
  new Promise((resolve, reject) => {
    fs.writev(fd, parts, position, (error, count) => (error === null ? resolve(count) : reject(error)));
  });

export const systemDisk: Disk = {
  open: (path, flags, mode) => open(path, flags, mode),
  close: (fd) => close(fd),
  async stat(fd) {
    const { size, nlink } = await fstat(fd);
    return { sizeBytes: size, linkCount: nlink };
  },
  async read(fd, target, length, position) {
    let done = 0;
    while (done < length) {
      const count = await readAt(fd, target, done, length - done, position + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  },
  async write(fd, parts, position) {
    let left = parts.filter((part) => part.length > 0);
    let at = position;
    while (left.length > 0) {
      let count = await writeAt(fd, left.slice(0, 512), at); // IOV_MAX is 1024
      at += count;
      left = left.filter((part) => {
        const isWritten = count >= part.length;
        if (isWritten) count -= part.length;
        return !isWritten;
      });
      if (count > 0) left[0] = (left[0] as Uint8Array).subarray(count);
    }
  },
  sync: (fd) => fsync(fd),
  rename: promisify(fs.rename),
  unlink: promisify(fs.unlink),
  makeFolder: (path) => promisify(fs.mkdir)(path),
  list: (path) => promisify(fs.readdir)(path),
  async isLink(path) {
    const status = await fs.promises.lstat(path).catch(() => null);
    return status?.isSymbolicLink() === true;
  },
  async isFile(path) {
    const status = await fs.promises.lstat(path).catch(() => null);
    return status?.isFile() === true;
  },
  removeTree: (path) => fs.promises.rm(path, { recursive: true, force: true }),
  async freeBytes(path) {
    const { bavail, bsize } = await fs.promises.statfs(path);
    return bavail * bsize;
  },
};

/** What a server uses unless told otherwise. */
export const quickDisk: Disk = {
  ...systemDisk,
  atOnce: {
    writeFiles,
    placeFiles,
    readPart,
    ...(tellsFailedSyncs() && {
      journal: { appendRecords, journalFiles, syncFileSystem: sharedSyncs(syncFileSystem, deviceOf) },
    }),
  },
};

async function deviceOf(path: string): Promise<number> {
  return (await fs.promises.stat(path)).dev;
}

/** As `node:fs` would throw it. @param outcome a negative errno */
export function diskError(outcome: number, what: string): Error {
  const [code = 'EIO', message = 'unknown'] = getSystemErrorMap().get(outcome) ?? [];
  return Object.assign(new Error(`${code}: ${message}, ${what}`), { code, errno: outcome });
}

export function errorCodeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

/** As it may be again once there is room: of a disk, or of what a user may have of it. */
export function isDiskFull(error: unknown): boolean {
  const code = errorCodeOf(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** Makes the names in a folder durable: POSIX promises nothing about a rename until its folder is synced. */
export async function syncFolder(disk: Disk, path: string): Promise<void> {
  const fd = await disk.open(path, fs.constants.O_RDONLY);
  try {
    await disk.sync(fd);
  } finally {
    await disk.close(fd);
  }
}

/** Makes `path`, and its parents up to `root` where they are missing. @returns the folders made, outermost first. */
export async function makeFolders(disk: Disk, root: string, path: string): Promise<string[]> {
  try {
    await disk.makeFolder(path);
    return [path];
  } catch (error) {
    if (errorCodeOf(error) === 'EEXIST') return [];
    if (errorCodeOf(error) !== 'ENOENT' || path.length <= root.length) throw error;
    const made = await makeFolders(disk, root, path.slice(0, path.lastIndexOf('/')));
    return [...made, ...(await makeFolders(disk, root, path))];
  }
}
