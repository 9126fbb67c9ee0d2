/** The share folder of a Tahoe-LAFS storage node: `<2>/<storage index>/<share number>` (FORMAT section 2). */
import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, opendir, readdir, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MeshwardError } from '#mesh/errors.ts';
import { isStorageIndex, type StorageIndex } from '#mesh/storage-index.ts';
import { type ContainerVersion, containerHeaderBytes, writeContainerHeader } from './container.ts';
import { fileError } from './share-errors.ts';
import type { ShareSink } from './share-writer.ts';
import { shareNumberOfName } from './verify.ts';

export interface StoredShare {
  readonly storageIndex: StorageIndex;
  readonly shareNumber: number;
  readonly path: string;
}

export interface ShareFileOptions {
  /** @default 2, as Tahoe-LAFS 1.20 writes */
  readonly containerVersion?: ContainerVersion | undefined;
  /** Whether a share that is there already may be replaced. @default false */
  readonly replaceExisting?: boolean | undefined;
  /** Whether the share is on the disk, and not in a cache only, when `end` resolves. @default true */
  readonly sync?: boolean | undefined;
}

export class ShareFolder {
  /** The folder that holds the two-letter folders. */
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** The share folder at `path`, which may also be a node's `storage` folder or its base folder. */
  static async find(path: string): Promise<ShareFolder> {
    for (const inner of ['storage/shares', 'shares']) {
      if (await isFolder(join(path, inner))) return new ShareFolder(join(path, inner));
    }
    return new ShareFolder(path);
  }

  sharePath(storageIndex: StorageIndex, shareNumber: number): string {
    return join(this.#filePath(storageIndex), String(shareNumber));
  }

  /** Every finished share, folder by folder; never what is being uploaded. Files that are no shares are passed over. */
  async *list(): AsyncGenerator<StoredShare> {
    for await (const prefix of entries(this.path)) {
      if (!/^[a-z2-7]{2}$/.test(prefix)) continue;
      for await (const name of entries(join(this.path, prefix))) {
        if (name.startsWith(prefix) && isStorageIndex(name)) yield* await this.listFile(name);
      }
    }
  }

  /** The shares of one file, by number. Empty where there are none. */
  async listFile(storageIndex: StorageIndex): Promise<StoredShare[]> {
    const folder = this.#filePath(storageIndex);
    let names: string[];
    try {
      names = await readdir(folder);
    } catch (error) {
      if (isMissing(error)) return [];
      throw fileError(error, `cannot list ${folder}`);
    }
    const numbers = names.map(shareNumberOfName).filter((number) => number !== null);
    return numbers
      .sort((a, b) => a - b)
      .map((shareNumber) => ({ storageIndex, shareNumber, path: join(folder, String(shareNumber)) }));
  }

  /** A sink that makes the share appear at once and whole: it is written beside its place, then renamed. */
  sink(storageIndex: StorageIndex, shareNumber: number, options: ShareFileOptions = {}): ShareSink {
    return new ShareFileSink(this.sharePath(storageIndex, shareNumber), options);
  }

  #filePath(storageIndex: StorageIndex): string {
    return join(this.path, storageIndex.slice(0, 2), storageIndex);
  }
}

class ShareFileSink implements ShareSink {
  readonly #path: string;
  readonly #temporaryPath: string;
  readonly #options: ShareFileOptions;
  #handle: FileHandle | null = null;

  constructor(path: string, options: ShareFileOptions) {
    this.#path = path;
    // Nodes take only names that are numbers for shares.
    this.#temporaryPath = `${path}.${randomBytes(6).toString('hex')}.tmp`;
    this.#options = options;
  }

  async begin(totalBytes: number): Promise<void> {
    await this.#run(async () => {
      await this.#refuseExisting();
      await mkdir(dirname(this.#path), { recursive: true });
      this.#handle = await open(this.#temporaryPath, 'wx', 0o644);
      await writeFully(this.#handle, 0, writeContainerHeader(this.#options.containerVersion ?? 2, totalBytes));
    });
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#run(() => writeFully(this.#opened(), containerHeaderBytes + offset, bytes));
  }

  async end(): Promise<void> {
    await this.#run(async () => {
      if (this.#options.sync !== false) await this.#opened().sync();
      await this.#close();
      await this.#refuseExisting();
      await rename(this.#temporaryPath, this.#path);
      if (this.#options.sync !== false) await syncFolder(dirname(this.#path));
    });
  }

  async abort(): Promise<void> {
    await this.#close();
    await unlink(this.#temporaryPath).catch((error: unknown) => {
      if (!isMissing(error)) throw fileError(error, `cannot remove ${this.#temporaryPath}`);
    });
  }

  #opened(): FileHandle {
    if (this.#handle === null) throw new Error('the sink has not begun');
    return this.#handle;
  }

  async #close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close();
  }

  async #refuseExisting(): Promise<void> {
    if (this.#options.replaceExisting === true || !(await exists(this.#path))) return;
    throw new MeshwardError('bad-input', `${this.#path} exists already`, {
      next: 'Choose another folder, or say that shares may be replaced.',
    });
  }

  async #run(doing: () => Promise<void>): Promise<void> {
    try {
      await doing();
    } catch (error) {
      throw fileError(error, `cannot write ${this.#path}`);
    }
  }
}

async function writeFully(handle: FileHandle, position: number, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}

/** A rename is on the disk only once its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Names in a folder, without holding all of them; none where it is missing or no folder. */
async function* entries(path: string): AsyncGenerator<string> {
  try {
    for await (const entry of await opendir(path)) yield entry.name;
  } catch (error) {
    if (!isMissing(error)) throw fileError(error, `cannot list ${path}`);
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isMissing(error)) return false;
    throw fileError(error, `cannot read ${path}`);
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
