/** The files of the spool: opening what an earlier process left, cutting torn tails, moving damage aside. */
import { copyFile, mkdir, readdir, readFile, rename, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeRecord, type SpoolRecord } from './spool-record.ts';

export const segmentMagic = Buffer.from('MWSPOOL1', 'ascii');

export interface Segment {
  readonly id: number;
  /** Bytes of whole records, and the magic before them. */
  bytes: number;
}

export interface FoundRecord {
  readonly record: SpoolRecord;
  readonly segment: number;
  readonly offset: number;
}

export interface RecoveredSegments {
  readonly segments: Segment[];
  /** Files of which something was lost; each is kept in `set-aside/`. */
  readonly damaged: number;
  readonly tornBytes: number;
}

export function segmentPath(directory: string, id: number): string {
  return join(directory, `${String(id).padStart(10, '0')}.segment`);
}

/** Most files that are kept for people to look at; the oldest go. */
const setAsideLimit = 16;

/** @param onRecord called for each whole record, oldest first; its payload is not kept. */
export async function recoverSegments(
  directory: string,
  onRecord: (found: FoundRecord) => void,
): Promise<RecoveredSegments> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const names = (await readdir(directory)).filter((name) => /^\d{10}\.segment$/.test(name)).sort();
  const segments: Segment[] = [];
  let damaged = 0;
  let tornBytes = 0;
  for (const [index, name] of names.entries()) {
    const id = Number.parseInt(name, 10);
    const path = join(directory, name);
    const bytes = await readFile(path);
    const isLast = index === names.length - 1;
    if (bytes.length < segmentMagic.length && isLast) {
      await rm(path); // the process died while it made the file
      continue;
    }
    if (!bytes.subarray(0, segmentMagic.length).equals(segmentMagic)) {
      damaged++;
      await setAside(directory, path, name, 'move');
      continue;
    }
    const end = readRecords(bytes, (record, offset) => onRecord({ record, segment: id, offset }));
    if (end.offset < bytes.length) {
      // Only the newest file can be torn: the others were whole when the next one was begun.
      if (end.state === 'damaged' || !isLast) {
        damaged++;
        await setAside(directory, path, name, 'copy');
      } else {
        tornBytes += bytes.length - end.offset;
      }
      await truncate(path, end.offset);
    }
    segments.push({ id, bytes: end.offset });
  }
  return { segments, damaged, tornBytes };
}

/** Keeps a record that the collector refused, for people to look at. */
export function setAsidePath(directory: string, name: string): string {
  return join(directory, 'set-aside', name);
}

export async function pruneSetAside(directory: string): Promise<void> {
  const folder = join(directory, 'set-aside');
  const names = (await readdir(folder)).sort();
  for (const name of names.slice(0, Math.max(0, names.length - setAsideLimit)))
    await rm(join(folder, name), { force: true });
}

function readRecords(
  bytes: Buffer,
  onRecord: (record: SpoolRecord, offset: number) => void,
): { offset: number; state: 'end' | 'torn' | 'damaged' } {
  let offset = segmentMagic.length;
  for (;;) {
    const decoded = decodeRecord(bytes, offset);
    if (decoded.state !== 'good') return { offset, state: decoded.state };
    onRecord(decoded.record, offset);
    offset = decoded.nextOffset;
  }
}

async function setAside(directory: string, path: string, name: string, how: 'move' | 'copy'): Promise<void> {
  await mkdir(join(directory, 'set-aside'), { recursive: true, mode: 0o700 });
  const to = setAsidePath(directory, `damaged-${name}`);
  await (how === 'move' ? rename(path, to) : copyFile(path, to));
  await pruneSetAside(directory);
}
