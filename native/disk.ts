/**
 * What a share server asks of the file system in one step beside the event loop, instead of a step for each call of the system:
 * for small shares the steps cost more than the calls.
 */
import { release } from 'node:os';
import { loadNative } from './load.ts';

/** 0 or `held`, or a negative errno. */
export type DiskOutcome = number;

/** The name is taken. */
export const heldOutcome = 1;

export interface FilesOutcome {
  /** One a file, in their order. */
  readonly outcomes: readonly DiskOutcome[];
  /** How often the disk was asked to sync. */
  readonly syncs: number;
}

export interface PlacedFiles extends FilesOutcome {
  /** Of the syncs that all stored files share. */
  readonly synced: DiskOutcome;
}

export interface FilePart {
  readonly fileBytes: number;
  /** Of the start of the file: fewer than asked for where it ends. */
  readonly head: Uint8Array;
  readonly bytes: Uint8Array;
}

/** Writes files that must not exist, and syncs all after the last was written. Parts must not change meanwhile. */
export async function writeFiles(
  files: readonly { readonly path: string; readonly parts: readonly Uint8Array[] }[],
  sync: boolean,
): Promise<FilesOutcome> {
  const paths = files.map((file) => file.path);
  const numbers = await loadNative().writeFiles(
    paths,
    files.map((file) => [...file.parts]),
    sync,
  );
  return { outcomes: numbers.slice(0, -1), syncs: numbers.at(-1) ?? 0 };
}

/** Moves files below `root`, making folders; then syncs every folder that has a new name in it. */
export async function placeFiles(
  files: readonly { readonly from: string; readonly folder: string; readonly name: string }[],
  root: string,
  sync: boolean,
): Promise<PlacedFiles> {
  const [from, folders, names] = [
    files.map((file) => file.from),
    files.map((file) => file.folder),
    files.map((file) => file.name),
  ];
  const numbers = await loadNative().placeFiles(from, folders, names, root, sync);
  return { outcomes: numbers.slice(0, -2), synced: numbers.at(-2) ?? 0, syncs: numbers.at(-1) ?? 0 };
}

/** What `appendRecords` writes behind one another, each from a multiple of this on. */
export const recordAlignment = 4096;

export interface JournalRecord {
  readonly position: number;
  /** 72 bytes; the last eight become the checksum of all of the record. */
  readonly head: Uint8Array;
  readonly parts: readonly Uint8Array[];
}

export interface JournalPlace {
  /** Open with O_DSYNC, so that a write is durable when it returns; with O_DIRECT or without. */
  readonly fd: number;
  /** Zeros are written up to here, so that later records overwrite blocks that are there. */
  readonly growTo: number;
}

/** Durable when it resolves with 0. Positions grow. Nothing may change meanwhile. */
export async function appendRecords(
  { fd, growTo }: JournalPlace,
  records: readonly JournalRecord[],
): Promise<DiskOutcome> {
  const [outcome = 0] = await loadNative().appendRecords(fd, ...columnsOf(records), growTo);
  return outcome;
}

export interface JournalledFile {
  readonly path: string;
  /** Where it is going to be: `held` where something is there, and then neither journalled nor written. */
  readonly target: string;
  /** Its parts are the file's. */
  readonly record: JournalRecord;
}

/** Appends the records of files, and then writes the files without a sync. Where the records failed, no file is written. */
export async function journalFiles(
  { fd, growTo }: JournalPlace,
  files: readonly JournalledFile[],
): Promise<{ readonly outcomes: readonly DiskOutcome[]; readonly journalled: DiskOutcome }> {
  const numbers = await loadNative().journalFiles(
    files.map((file) => file.path),
    files.map((file) => file.target),
    ...columnsOf(files.map((file) => file.record)),
    fd,
    growTo,
  );
  return { outcomes: numbers.slice(0, -1), journalled: numbers.at(-1) ?? 0 };
}

function columnsOf(records: readonly JournalRecord[]): [number[], Uint8Array[], Uint8Array[][]] {
  return [
    records.map((record) => record.position),
    records.map((record) => record.head),
    records.map((record) => [...record.parts]),
  ];
}

/** Of a whole record, with zeros where its checksum stands. */
export function recordChecksum(bytes: Uint8Array): bigint {
  return loadNative().recordChecksum(bytes);
}

/** Makes everything durable that was written to the file system of `path`, by whomever. */
export async function syncFileSystem(path: string): Promise<DiskOutcome> {
  const [outcome = 0] = await loadNative().syncFileSystem(path);
  return outcome;
}

/** Linux tells since 5.8 whether data of a file system could not be written; before, `syncFileSystem` says 0 either way. */
export function tellsFailedSyncs(platform: string = process.platform, kernel: string = release()): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10));
  return platform === 'linux' && (major > 5 || (major === 5 && minor >= 8));
}

/** A negative errno instead where it cannot be read. Links are not followed below `root`. */
export async function readPart(
  root: string,
  path: string,
  at: { readonly headBytes: number; readonly position: number; readonly length: number },
): Promise<FilePart | DiskOutcome> {
  const target = new Uint8Array(Buffer.allocUnsafeSlow(at.headBytes + at.length).buffer);
  const [error = 0, fileBytes = 0, head = 0, bytes = 0] = await loadNative().readPart(
    root,
    path,
    at.position,
    at.headBytes,
    target,
  );
  if (error !== 0) return error;
  return {
    fileBytes,
    head: target.subarray(0, head),
    bytes: target.subarray(at.headBytes, at.headBytes + bytes),
  };
}
