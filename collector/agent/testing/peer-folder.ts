/** A share folder on disk with real shares in it. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { storageIndexOfKey } from '#mesh/caps.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { writeContainerHeader } from '#tahoe/share/container.ts';
import { type MadeFile, makeFile, randomContent } from '#tahoe/share/example-shares.ts';

let made: Promise<MadeFile> | null = null;

/** A 2-of-4 file of 300 bytes; its shares are good under any storage index, since nothing binds the two. */
export function exampleFile(): Promise<MadeFile> {
  made ??= makeFile({ k: 2, n: 4, sizeBytes: 300 });
  return made;
}

/** The container file of a share. */
export async function containerOf(shareNumber: number): Promise<Buffer> {
  const share = (await exampleFile()).shares[shareNumber] as Uint8Array;
  return Buffer.concat([writeContainerHeader(2, share.length), share]);
}

export function indexOf(seed: number): StorageIndex {
  return storageIndexOfKey(randomContent(16, seed + 1000));
}

export class PeerFolder {
  /** Holds `shares/`. */
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<PeerFolder> {
    const folder = new PeerFolder(await mkdtemp(join(tmpdir(), 'meshward-agent-')));
    await mkdir(folder.shares);
    return folder;
  }

  get shares(): string {
    return join(this.path, 'shares');
  }

  sharePath(storageIndex: StorageIndex, name: number | string): string {
    return join(this.shares, storageIndex.slice(0, 2), storageIndex, String(name));
  }

  async put(storageIndex: StorageIndex, shareNumber: number): Promise<string> {
    return this.write(storageIndex, shareNumber, await containerOf(shareNumber));
  }

  async write(storageIndex: StorageIndex, name: number | string, content: Uint8Array | string): Promise<string> {
    const path = this.sharePath(storageIndex, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    return path;
  }

  async remove(storageIndex: StorageIndex, name?: number | string): Promise<void> {
    const path = this.sharePath(storageIndex, name ?? '');
    await rm(path, { recursive: true, force: true });
  }

  /** Everything but the mark, as a disk that lost its content. */
  async wipe(): Promise<void> {
    for (const name of await readdir(this.shares)) {
      if (!name.startsWith('.')) await rm(join(this.shares, name), { recursive: true, force: true });
    }
  }

  async destroy(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}
