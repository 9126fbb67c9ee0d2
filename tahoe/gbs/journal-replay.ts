/**
 * What a journal of shares has after a crash. A process that was killed leaves its files to the system, so that they are there and
 * need a sync; a power cut may have taken them, or left them short or in shreds. Either way what is recorded is what was
 * promised: a share that is not there as it was recorded is put back.
 */
import { constants } from 'node:fs';
import { MeshwardError } from '#mesh/errors.ts';
import { recordAlignment } from '#native/disk.ts';
import { containerHeaderBytes, leaseBytes } from '../share/container.ts';
import { type Disk, diskError, errorCodeOf, isDiskFull, makeFolders, syncFolder } from './disk.ts';
import { decodeRecordHead, isWhole, type RecordHead, recordHeadBytes, recordSpace } from './journal-record.ts';
import type { ShareFolder } from './share-folder.ts';

export interface Replayed {
  /** Shares that were not there as they were recorded. */
  readonly putBackShares: number;
  /** False where something of it is left for the next start; why was told. */
  readonly isComplete: boolean;
}

interface Segment {
  readonly path: string;
  readonly isThere: boolean;
  readonly order: bigint;
  readonly found: readonly Found[];
}

interface Found {
  readonly path: string;
  readonly position: number;
  readonly head: RecordHead;
}

export interface ReplayOptions {
  readonly root: string;
  readonly paths: readonly string[];
  readonly disk: Disk;
  readonly shares: ShareFolder;
  readonly syncToDisk: boolean;
  readonly onFailure: (error: unknown) => void;
}

/**
 * Puts back what is not there, makes all of it durable, and removes the files. Also durable then is what had got its name and was not
 * acknowledged when the process died: whoever brings it again is told that it is held.
 */
export async function replayJournal(options: ReplayOptions): Promise<Replayed> {
  const { root, paths, disk, shares, syncToDisk, onFailure } = options;
  let putBackShares = 0;
  try {
    const read: Segment[] = [];
    for (const path of paths) read.push(await readSegment(disk, path));
    const segments = read.toSorted((a, b) => (a.order < b.order ? -1 : 1));
    const last = new Map<string, Found>();
    for (const { found } of segments) {
      for (const each of found) last.set(`${each.head.index}/${each.head.shareNumber}`, each);
    }
    const folders = new Set<string>();
    for (const { path, position, head } of last.values()) {
      if (head.kind !== 'share' || head.index === '') continue;
      const record = await readRecord(disk, path, position, head);
      if (record === undefined) throw new Error(`${path} changes while it is read`);
      const place = { root, folder: shares.folderOf(head.index), path: shares.pathOf(head.index, head.shareNumber) };
      if (await putBack(disk, place, record.subarray(recordHeadBytes))) putBackShares++;
      folders.add(place.folder);
    }
    if (folders.size > 0 || (syncToDisk && (await hasShares(disk, root)))) await makeDurable(disk, root, folders);
    // The older one first: what the newer one revokes must not be left alone.
    for (const { path, isThere } of segments) if (isThere) await disk.unlink(path);
    return { putBackShares, isComplete: true };
  } catch (error) {
    onFailure(
      new MeshwardError(
        'disk-failed',
        'the journal of shares could not be replayed: what a crash took is not served yet',
        {
          next: `${isDiskFull(error) ? 'Make room on the disk that holds the shares' : 'See to the cause'}, then start the peer again: the journal is kept, and shares are synced one by one until then.`,
          cause: error,
        },
      ),
    );
    return { putBackShares, isComplete: false };
  }
}

/** Of a segment whose place in the order is not known. */
const lastOfAll = 2n ** 64n;

async function readSegment(disk: Disk, path: string): Promise<Segment> {
  let fd: number;
  try {
    fd = await disk.open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return { path, isThere: false, order: 0n, found: [] };
    throw error;
  }
  try {
    const { sizeBytes } = await disk.stat(fd);
    const first = await readHead(disk, fd, 0);
    if (first === 'newer') throw new Error(`${path} was written by a later release`);
    const begin = first?.kind === 'segment' ? await readAt(disk, fd, 0, first) : undefined;
    if (first !== undefined && begin?.length === recordHeadBytes + 8) {
      const order = Buffer.from(begin.subarray(recordHeadBytes)).readBigUInt64LE(0);
      return { path, isThere: true, order, found: await readRecords(disk, path, fd, sizeBytes, first.nonce) };
    }
    // Its beginning was cut short when it was emptied, which promised nothing, or was damaged since. Each use writes over the first record of
    // the one before, so that a record which stands there is of the last use that had any. To put such shares back is never wrong.
    const record = await readHead(disk, fd, recordAlignment);
    const nonce = record === undefined || record === 'newer' ? undefined : record.nonce;
    const found = nonce === undefined ? [] : await readRecords(disk, path, fd, sizeBytes, nonce);
    return { path, isThere: true, order: lastOfAll, found: found.filter(({ head }) => head.kind === 'share') };
  } finally {
    await disk.close(fd);
  }
}

async function readRecords(
  disk: Disk,
  path: string,
  fd: number,
  sizeBytes: number,
  nonce: Uint8Array,
): Promise<Found[]> {
  const found: Found[] = [];
  for (let position = recordAlignment; position < sizeBytes; ) {
    const head = await readHead(disk, fd, position);
    const isOurs = head !== undefined && head !== 'newer' && Buffer.compare(head.nonce, nonce) === 0;
    // One that was cut short was promised to nobody; those behind it may be whole, as two are written at once.
    const isRecord = isOurs && head.kind !== 'segment' && (await readAt(disk, fd, position, head)) !== undefined;
    if (isRecord) found.push({ path, position, head });
    position += isRecord ? recordSpace(head.contentBytes) : recordAlignment;
  }
  return found;
}

async function readHead(disk: Disk, fd: number, position: number): Promise<RecordHead | 'newer' | undefined> {
  const bytes = new Uint8Array(recordHeadBytes);
  const count = await disk.read(fd, bytes, bytes.length, position);
  return decodeRecordHead(bytes.subarray(0, count));
}

/** Undefined where the record is not whole. */
async function readAt(disk: Disk, fd: number, position: number, head: RecordHead): Promise<Uint8Array | undefined> {
  const record = new Uint8Array(recordHeadBytes + head.contentBytes);
  const count = await disk.read(fd, record, record.length, position);
  return count === record.length && isWhole(record) ? record : undefined;
}

async function readRecord(disk: Disk, path: string, at: number, head: RecordHead): Promise<Uint8Array | undefined> {
  const fd = await disk.open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return await readAt(disk, fd, at, head);
  } finally {
    await disk.close(fd);
  }
}

/** @returns whether it had to be. */
async function putBack(
  disk: Disk,
  { root, folder, path }: { root: string; folder: string; path: string },
  content: Uint8Array,
): Promise<boolean> {
  const prefix = folder.slice(0, folder.lastIndexOf('/'));
  for (const each of [prefix, folder]) if (await disk.isLink(each)) throw new Error(`${each} is a link`);
  if (await isThere(disk, path, content)) return false;
  await makeFolders(disk, root, folder);
  const incoming = `${root}/shares/incoming/replayed`;
  const fd = await disk.open(incoming, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, 0o644);
  try {
    await disk.write(fd, [content], 0);
    await disk.sync(fd);
  } finally {
    await disk.close(fd);
  }
  await disk.rename(incoming, path);
  return true;
}

/** Leases may have been renewed and added since; the data and the record of the first lease are as they were. */
async function isThere(disk: Disk, path: string, content: Uint8Array): Promise<boolean> {
  let fd: number;
  try {
    fd = await disk.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return false;
    throw error;
  }
  try {
    const { sizeBytes } = await disk.stat(fd);
    const found = new Uint8Array(content.length);
    const count = await disk.read(fd, found, found.length, 0);
    if (count < content.length) return false;
    const leases = Buffer.from(found.buffer).readUInt32BE(8);
    if (sizeBytes < content.length + leaseBytes * (leases - 1)) return false;
    const same = (from: number, to: number): boolean =>
      Buffer.compare(found.subarray(from, to), content.subarray(from, to)) === 0;
    const expiryBytes = 4;
    return leases >= 1 && same(0, 8) && same(containerHeaderBytes, content.length - expiryBytes);
  } finally {
    await disk.close(fd);
  }
}

async function hasShares(disk: Disk, root: string): Promise<boolean> {
  return (await disk.list(`${root}/shares`)).some((name) => name !== 'incoming');
}

async function makeDurable(disk: Disk, root: string, folders: ReadonlySet<string>): Promise<void> {
  const journal = disk.atOnce?.journal;
  if (journal !== undefined) {
    const outcome = await journal.syncFileSystem(root);
    if (outcome !== 0) throw diskError(outcome, 'sync the file system');
    return;
  }
  if (folders.size === 0) return;
  const outer = new Set<string>();
  for (const folder of folders) {
    for (const name of await disk.list(folder)) await syncFolder(disk, `${folder}/${name}`);
    await syncFolder(disk, folder);
    outer.add(folder.slice(0, folder.lastIndexOf('/')));
  }
  for (const folder of [...outer, `${root}/shares`, root]) await syncFolder(disk, folder);
}
