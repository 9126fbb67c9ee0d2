/** Downloads: from a read cap to a file, which appears whole and checked or not at all. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { LiteralCap, ReadCap } from '#mesh/caps.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import { recoverPlaintext } from '#tahoe/share/index.ts';
import { FileOpening, type FileReading } from './open-file.ts';

export interface GetResult {
  readonly sizeBytes: number;
  readonly bytesRead: number;
  /** Share numbers that were read. */
  readonly shares: readonly number[];
}

/**
 * The plaintext in order; every piece is checked before it is handed out, and stays as it is afterwards.
 * @throws MeshwardError `not-enough-shares`, `file-irrecoverable`, `cancelled`.
 */
export async function* readFile(
  cap: ReadCap | LiteralCap,
  by: FileReading,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, GetResult> {
  if (cap.kind === 'literal') {
    yield cap.data;
    return { sizeBytes: cap.data.length, bytesRead: 0, shares: [] };
  }
  const transfer = by.transfer.begin({ urgent: true, signal: AbortSignal.any([signal]) });
  const { pool, shares } = await new FileOpening(cap, 'soonest', transfer, by).open();
  const replace = (shareNumber: number, error: unknown) => pool.replace(shareNumber, error);
  yield* recoverPlaintext(cap, shares, { replace, signal, windowBytes: by.windowBytes });
  await Promise.all(shares.map((share) => share.close()));
  return {
    sizeBytes: cap.manifest.sizeBytes,
    bytesRead: transfer.bytesRead,
    shares: pool.used.map((share) => share.shareNumber).sort((a, b) => a - b),
  };
}

/**
 * @param path is replaced only when the whole file is there, on the disk.
 * @throws MeshwardError as {@link readFile}, or `bad-input` where the path cannot be written.
 */
export async function getFile(
  cap: ReadCap | LiteralCap,
  path: string,
  by: FileReading,
  signal: AbortSignal,
): Promise<GetResult> {
  const partPath = `${path}.${randomBytes(6).toString('hex')}.part`;
  const file = await onDisk(path, () => open(partPath, 'wx', 0o600));
  let writing: Promise<void> = Promise.resolve();
  try {
    const content = readFile(cap, by, signal);
    for (;;) {
      const step = await content.next();
      await writing;
      if (step.done === true) {
        await onDisk(path, async () => {
          await file.sync();
          await file.close();
          await rename(partPath, path);
          await syncFolder(dirname(path));
        });
        return step.value;
      }
      // Beside the reading of what comes next.
      writing = onDisk(path, () => writeWhole(file, step.value));
      writing.catch(() => undefined);
    }
  } catch (error) {
    await writing.catch(() => undefined);
    await file.close().catch(() => undefined);
    await rm(partPath, { force: true });
    throw error;
  }
}

async function writeWhole(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function onDisk<T>(path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw new MeshwardError('bad-input', `cannot write ${path}: ${describeError(error)}`, {
      next: 'Check that the folder exists, that this user may write there, and that the disk has room.',
      cause: error,
    });
  }
}
