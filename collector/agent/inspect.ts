/**
 * What one file is: an immutable share, or something that must never be reported as one. Reads the container header, the
 * share header and the UEB (a small read or two, once for each new or changed file), never the blocks.
 */
import { close, constants, fstat, lstat, open, read, type Stats } from 'node:fs';
import { promisify } from 'node:util';
import { isAbsent } from '#mesh/durable-file.ts';
import type { Manifest } from '#mesh/manifest.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { parseContainer } from '#tahoe/share/container.ts';
import { checkHeader, parseShareHeader, parseUebLength } from '#tahoe/share/header.ts';
import { shareHeaderBytes, uebLengthFieldBytes } from '#tahoe/share/layout.ts';
import { isShareError, shareError } from '#tahoe/share/share-errors.ts';
import { deriveManifest, layoutOfUeb, parseUeb, uebLimitBytes } from '#tahoe/share/ueb.ts';
import type { FileKind } from './share-table.ts';

// Plain descriptors and callbacks: a third of the cost of FileHandles, which counts at 100,000 shares.
const openFile = promisify(open);
const closeFile = promisify(close);
const statOpen = promisify(fstat) as (fd: number) => Promise<Stats>;
export const statLink = promisify(lstat) as (path: string) => Promise<Stats>;

export interface InspectedFile {
  readonly kind: FileKind;
  readonly sizeBytes: number;
  readonly stamp: number;
  /** What the share states of its file; only of kind `immutable`. */
  readonly manifest: Manifest | null;
}

/**
 * 32 bits that change when a file is replaced or written: enough to notice it, small enough to keep for every share.
 * A renewed lease changes them as well, so a change means: look again.
 */
export function stampOf(status: Stats): number {
  stampParts[0] = status.mtimeMs;
  stampParts[1] = status.ino;
  let hash = 0x811c9dc5;
  for (const word of stampWords) hash = Math.imul(hash ^ word, 0x01000193) ^ (hash >>> 13);
  return hash >>> 0;
}
const stampParts = new Float64Array(2);
const stampWords = new Uint32Array(stampParts.buffer);

/** @returns null where there is no such file any more. Never throws for what a file may hold. */
export async function inspectFile(path: string, storageIndex: StorageIndex): Promise<InspectedFile | null> {
  let fd: number;
  try {
    // Neither through a link nor waiting for the other end of a pipe.
    fd = await openFile(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    return isAbsent(error) ? null : unreadable(path);
  }
  let status: Stats | null = null;
  try {
    status = await statOpen(fd);
    return await inspectOpen(fd, status, storageIndex);
  } catch (error) {
    const kind = isShareError(error) ? kindOfError(error.code, status?.size ?? 0) : 'unreadable';
    return { kind, sizeBytes: status?.size ?? 0, stamp: status === null ? 0 : stampOf(status), manifest: null };
  } finally {
    await closeFile(fd);
  }
}

/** A page: small shares are read in one go. */
const headBytes = 4096;

async function inspectOpen(fd: number, status: Stats, storageIndex: StorageIndex): Promise<InspectedFile> {
  const found = { sizeBytes: status.size, stamp: stampOf(status) };
  if (!status.isFile()) return { ...found, kind: 'unknown', manifest: null };
  if (status.size === 0) return { ...found, kind: 'empty', manifest: null };
  const head = await readAt(fd, Math.min(status.size, headBytes), 0);
  const container = parseContainer(head, status.size);
  const shareHead = head.subarray(
    container.dataOffset,
    container.dataOffset + Math.min(container.dataBytes, shareHeaderBytes[2]),
  );
  const header = parseShareHeader(shareHead, container.dataBytes);
  const fieldBytes = uebLengthFieldBytes[header.version];
  const tailBytes = Math.min(fieldBytes + uebLimitBytes, container.dataBytes - header.offsets.ueb);
  const tailAt = container.dataOffset + header.offsets.ueb;
  const isRead = tailAt + tailBytes <= head.length;
  const tail = isRead ? head.subarray(tailAt, tailAt + tailBytes) : await readAt(fd, tailBytes, tailAt);
  const uebBytes = parseUebLength(tail, header.version);
  // An upload that reserved its whole size and wrote only some of it ends in zeros.
  if (uebBytes === 0) throw shareError('share-truncated', 'its UEB was not written yet');
  if (uebBytes < uebLimitBytes && tail.length < fieldBytes + uebBytes) {
    throw shareError('share-truncated', 'the share ends inside its UEB');
  }
  const ueb = parseUeb(tail.slice(fieldBytes, fieldBytes + uebBytes));
  checkHeader(header, layoutOfUeb(ueb, header.version));
  return { ...found, kind: 'immutable', manifest: deriveManifest(storageIndex, ueb) };
}

/** The manifest's first four bytes of UEB hash as a number that is never 0. */
export function manifestTag(manifest: Manifest): number {
  const [a, b, c, d] = manifest.uebHash as unknown as [number, number, number, number];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0 || 1;
}

function kindOfError(code: string, sizeBytes: number): FileKind {
  switch (code) {
    case 'share-foreign':
      return 'mutable';
    case 'share-truncated':
      return sizeBytes === 0 ? 'empty' : 'half-written';
    case 'share-corrupt':
      return 'unreadable';
    default:
      return 'unknown';
  }
}

async function unreadable(path: string): Promise<InspectedFile | null> {
  try {
    const status = await statLink(path);
    return { kind: 'unreadable', sizeBytes: status.size, stamp: stampOf(status), manifest: null };
  } catch (error) {
    if (isAbsent(error)) return null;
    return { kind: 'unreadable', sizeBytes: 0, stamp: 0, manifest: null };
  }
}

async function readAt(fd: number, length: number, position: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const count = await new Promise<number>((resolve, reject) => {
      read(fd, bytes, filled, length - filled, position + filled, (error, bytesRead) =>
        error === null ? resolve(bytesRead) : reject(error),
      );
    });
    if (count === 0) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}
