/** Shares that their peers still serve and are about to take with them: copied as they are, which costs one share to read and not k. */
import { MeshwardError } from '#mesh/errors.ts';
import type { Manifest } from '#mesh/manifest.ts';
import type { PlacedShare } from '#peers/locate.ts';
import type { WorkTransfer } from '#peers/transfer.ts';
import { memoryShareSource, openShare, readExactly, type VerifiedShare, verifyShare } from '#tahoe/share/index.ts';
import type { ShareSource } from '#tahoe/share/reader.ts';
import type { Upload } from './upload.ts';

export interface CopyOptions {
  readonly manifest: Manifest;
  readonly transfer: WorkTransfer;
  /** A share up to this length is checked in memory before it is sent; a longer one at its new place. */
  readonly windowBytes: number;
  /** Room for the share at another peer; undefined where there is none. */
  readonly upload: (shareNumber: number, shareBytes: number) => Promise<Upload | undefined>;
}

const pieceBytes = 512 * 1024;

/** @returns where it is now; undefined where no peer took it. @throws what its source throws, a share error where it is bad. */
export async function copyShare(from: PlacedShare, options: CopyOptions): Promise<PlacedShare | undefined> {
  const { manifest, transfer, windowBytes } = options;
  const { peerId, shareNumber } = from;
  const remote = transfer.source(peerId, manifest.storageIndex, shareNumber);
  const { totalBytes } = await openShare(remote, manifest, shareNumber);
  const isInMemory = totalBytes <= windowBytes;
  const source = isInMemory ? await soundInMemory(remote, totalBytes, from, manifest) : remote;
  const upload = await options.upload(shareNumber, totalBytes);
  if (upload === undefined) return undefined;
  try {
    await upload.begin(totalBytes);
    for (let at = 0; at < totalBytes; at += pieceBytes) {
      await upload.write(at, await readExactly(source, at, Math.min(pieceBytes, totalBytes - at), 'data'));
    }
    await upload.end();
  } catch (error) {
    await upload.abort(error);
    if (error !== upload.targetError) throw error;
  }
  await upload.ended;
  if (!upload.isComplete) return undefined;
  const placed = { shareNumber, peerId: upload.peerId };
  if (!isInMemory) await verifyAt(placed, manifest, transfer);
  return placed;
}

async function soundInMemory(
  remote: ShareSource,
  totalBytes: number,
  { shareNumber }: PlacedShare,
  manifest: Manifest,
): Promise<ShareSource> {
  const bytes = new Uint8Array(totalBytes);
  for (let at = 0; at < totalBytes; at += pieceBytes) {
    bytes.set(await readExactly(remote, at, Math.min(pieceBytes, totalBytes - at), 'data'), at);
  }
  const source = memoryShareSource(bytes);
  await verifyShare(await openShare(source, manifest, shareNumber));
  return source;
}

async function verifyAt(
  { peerId, shareNumber }: PlacedShare,
  manifest: Manifest,
  transfer: WorkTransfer,
): Promise<void> {
  let share: VerifiedShare;
  try {
    share = await openShare(transfer.source(peerId, manifest.storageIndex, shareNumber), manifest, shareNumber);
    await verifyShare(share, { signal: transfer.signal });
  } catch (error) {
    throw new MeshwardError('share-corrupt', `the copy of share ${shareNumber} on ${peerId} is not sound`, {
      next: 'Nothing needs doing: the share is made anew from others.',
      cause: error,
    });
  }
}
