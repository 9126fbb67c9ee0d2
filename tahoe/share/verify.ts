/** Checks a whole share, block by block, in bounded memory (FORMAT section 8). */
import { basename, dirname } from 'node:path';
import { MeshwardError } from '#mesh/errors.ts';
import type { Manifest } from '#mesh/manifest.ts';
import { isStorageIndex, type StorageIndex } from '#mesh/storage-index.ts';
import { ContainerFile } from './reader.ts';
import { throwIfCancelled } from './source-set.ts';
import { openShare, openShareOnTrust, type VerifiedShare } from './verified-share.ts';
import { segmentSpans } from './window.ts';

export interface VerifyOptions {
  readonly signal?: AbortSignal | undefined;
  /** Blocks that are read at a time. @default 1 MiB */
  readonly windowBytes?: number | undefined;
  /** Called after each window with the bytes just read, so that a scanner can keep to its rate. */
  readonly onRead?: ((bytes: number) => void | Promise<void>) | undefined;
}

export interface ShareIdentity {
  /** From the file's owner. Without it the share is checked against what it says of itself. */
  readonly manifest?: Manifest | undefined;
  /** @default the name of the folder that the file lies in */
  readonly storageIndex?: StorageIndex | undefined;
  /** @default the file's name where it is a number, else what the share itself says */
  readonly shareNumber?: number | undefined;
}

export interface VerifiedFile {
  readonly manifest: Manifest;
  readonly shareNumber: number;
  /** Whether the manifest was given, and not taken from the share itself. */
  readonly isPinned: boolean;
  /** Bytes of the share that some hash or rule stands for. */
  readonly bytesChecked: number;
  /** Length of the share data. */
  readonly shareBytes: number;
}

const defaultVerifyWindowBytes = 1024 * 1024;

/**
 * Reads and checks everything in the share but the plaintext tree region, which no reader looks at.
 *
 * @returns the count of bytes checked.
 * @throws MeshwardError of a share error code, or `cancelled`.
 */
export async function verifyShare(share: VerifiedShare, options: VerifyOptions = {}): Promise<number> {
  const { layout } = share;
  await share.verifyTrees();
  for (const { firstSegment, count } of segmentSpans(layout, 1, options.windowBytes ?? defaultVerifyWindowBytes)) {
    throwIfCancelled(options.signal);
    const blocks = await share.readBlocks(firstSegment, count);
    await options.onRead?.(blocks.length);
  }
  return share.totalBytes - layout.treeBytes;
}

/** @throws MeshwardError as {@link verifyShare}, or `bad-input` where the file cannot be read or its storage index told. */
export async function verifyShareFile(
  path: string,
  options: ShareIdentity & VerifyOptions = {},
): Promise<VerifiedFile> {
  const file = await ContainerFile.open(path);
  try {
    const share = await openShareFile(file, path, options);
    const bytesChecked = await verifyShare(share, options);
    const { manifest, shareNumber } = share;
    return {
      manifest,
      shareNumber,
      isPinned: options.manifest !== undefined,
      bytesChecked,
      shareBytes: share.totalBytes,
    };
  } finally {
    await file.close();
  }
}

/** Opens the share in a container file; what is not given follows from the path. */
export function openShareFile(file: ContainerFile, path: string, identity: ShareIdentity): Promise<VerifiedShare> {
  const shareNumber = identity.shareNumber ?? shareNumberOfName(basename(path));
  if (identity.manifest !== undefined) return openShare(file, identity.manifest, shareNumber);
  return openShareOnTrust(file, identity.storageIndex ?? storageIndexOfFolder(path), shareNumber);
}

/** Share number of a file's name in a share folder, or null where it is no share: `7`, but not `7.tmp` or `007`. */
export function shareNumberOfName(name: string): number | null {
  return /^(0|[1-9]\d{0,2})$/.test(name) && Number(name) <= 255 ? Number(name) : null;
}

function storageIndexOfFolder(path: string): StorageIndex {
  const folder = basename(dirname(path));
  if (isStorageIndex(folder)) return folder;
  throw new MeshwardError('bad-input', 'nothing tells which file the share belongs to', {
    next: 'Give the file’s cap, or keep the share in a folder named by its storage index.',
  });
}
