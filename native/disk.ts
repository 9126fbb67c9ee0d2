/**
 * What a share server asks of the file system in one step beside the event loop, instead of a step for each call of the system:
 * for small shares the steps cost more than the calls.
 */
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
