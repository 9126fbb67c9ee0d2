/** The finished shares of a folder laid out as Tahoe does: `shares/<first two characters of SI>/<SI>/<number>` (FORMAT section 2). */
import { constants } from 'node:fs';
import type { Clock } from '#mesh/clock.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { LeaseSecrets } from '../identity/lease-secrets.ts';
import { type Container, containerHeaderBytes, leaseBytes, parseContainer } from '../share/container.ts';
import { isShareError } from '../share/share-errors.ts';
import { type Disk, diskError, errorCodeOf } from './disk.ts';
import { KeyedLock } from './keyed-lock.ts';
import { expiryOf, findLease, leaseDurationMs, leaseRecord } from './lease-records.ts';

/** A share beyond this many leases keeps those it has: leases must not fill a disk. */
const maxLeasesPerShare = 32;

/** The share data alone: container header and leases are left out. */
export interface ReadableShare {
  readonly dataBytes: number;
  /** Fills `target` from `offset` of the share data. @returns fewer bytes where the file was cut short. */
  read(target: Uint8Array, offset: number): Promise<number>;
}

/** The file has no immutable container: it was damaged, or is a mutable share. */
export class UnreadableShare extends Error {}

interface OpenFile {
  readonly key: string;
  readonly fd: number;
  sizeBytes: number;
  dataBytes: number;
  users: number;
  lastUsedMs: number;
}

export interface ShareFolderOptions {
  readonly root: string;
  readonly disk: Disk;
  readonly clock: Clock;
  /** Files kept open between reads. */
  readonly maxOpenFiles: number;
  readonly idleCloseMs: number;
}

export class ShareFolder {
  readonly #options: ShareFolderOptions;
  /** In order of use, oldest first. */
  readonly #open = new Map<string, OpenFile>();
  readonly #leaseLock = new KeyedLock();
  #callOffSweep: (() => void) | undefined;

  constructor(options: ShareFolderOptions) {
    this.#options = options;
  }

  get openFileCount(): number {
    return this.#open.size;
  }

  folderOf(index: StorageIndex): string {
    return `${this.#options.root}/shares/${index.slice(0, 2)}/${index}`;
  }

  pathOf(index: StorageIndex, shareNumber: number): string {
    return `${this.folderOf(index)}/${shareNumber}`;
  }

  /** Reads the folder each time, so that files which others put in place or remove count at once. */
  async list(index: StorageIndex): Promise<Set<number>> {
    if (await this.#isLinked(index)) return new Set();
    try {
      const names = await this.#options.disk.list(this.folderOf(index));
      return new Set(names.filter((name) => /^(0|[1-9]\d{0,2})$/.test(name) && Number(name) < 256).map(Number));
    } catch (error) {
      if (errorCodeOf(error) === 'ENOENT') return new Set();
      throw error;
    }
  }

  /** Whether there is such a share, looked up on the disk. */
  async has(index: StorageIndex, shareNumber: number): Promise<boolean> {
    return !(await this.#isLinked(index)) && (await this.#options.disk.isFile(this.pathOf(index, shareNumber)));
  }

  /** @returns null where there is no such share. @throws UnreadableShare */
  async withShare<T>(
    index: StorageIndex,
    shareNumber: number,
    use: (share: ReadableShare) => Promise<T>,
  ): Promise<T | null> {
    const file = await this.#acquire(index, shareNumber);
    if (file === null) return null;
    try {
      const { fd, dataBytes } = file;
      return await use({
        dataBytes,
        read: (target, offset) => {
          const length = Math.max(0, Math.min(target.length, dataBytes - offset));
          return this.#options.disk.read(fd, target, length, containerHeaderBytes + offset);
        },
      });
    } finally {
      await this.#release(file);
    }
  }

  /**
   * Up to `length` bytes of the share data from `offset` on, in one step; fewer where the share ends. Undefined where the disk
   * takes its steps one by one, null where there is no such share. @throws UnreadableShare
   */
  async readPart(
    index: StorageIndex,
    shareNumber: number,
    offset: number,
    length: number,
  ): Promise<{ readonly dataBytes: number; readonly bytes: Uint8Array } | null | undefined> {
    const { disk, root } = this.#options;
    if (disk.atOnce === undefined) return undefined;
    const at = { headBytes: containerHeaderBytes, position: containerHeaderBytes + offset, length };
    const path = this.pathOf(index, shareNumber);
    const part = await disk.atOnce.readPart(root, path, at);
    if (typeof part === 'number') {
      const error = diskError(part, 'read');
      const code = errorCodeOf(error);
      if (code === 'ENOENT' || code === 'ELOOP' || code === 'EISDIR') return null;
      throw error;
    }
    const container = parsed(part.head, part.fileBytes);
    if (container instanceof UnreadableShare) throw container;
    const { dataBytes } = container;
    return { dataBytes, bytes: part.bytes.subarray(0, Math.max(0, Math.min(length, dataBytes - offset))) };
  }

  /** Renews the lease with these secrets on every share of the file, or adds it. @returns how many shares there are. */
  async addOrRenewLeases(index: StorageIndex, secrets: LeaseSecrets, owner: 0 | 1): Promise<number> {
    const numbers = await this.list(index);
    for (const number of numbers) {
      const path = this.pathOf(index, number);
      await this.#leaseLock.run(path, () => this.#addOrRenewLease(path, secrets, owner));
    }
    return numbers.size;
  }

  async close(): Promise<void> {
    this.#callOffSweep?.();
    const files = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(files.filter((file) => file.users === 0).map((file) => this.#options.disk.close(file.fd)));
  }

  async #addOrRenewLease(path: string, secrets: LeaseSecrets, owner: 0 | 1): Promise<void> {
    const { disk, clock } = this.#options;
    const expiresMs = clock.nowMs() + leaseDurationMs;
    const fd = await disk.open(path, constants.O_RDWR);
    try {
      const { sizeBytes } = await disk.stat(fd);
      const container = await this.#readContainer(fd, sizeBytes);
      if (container instanceof UnreadableShare) return; // it has no leases that could be understood
      const leasesAt = containerHeaderBytes + container.dataBytes;
      const leases = new Uint8Array(Math.min(container.leaseCount, maxLeasesPerShare) * leaseBytes);
      await disk.read(fd, leases, leases.length, leasesAt);
      const found = findLease(leases, container.version, secrets);
      if (found >= 0) {
        const expiry = Buffer.alloc(4);
        expiry.writeUInt32BE(expiryOf(expiresMs));
        await disk.write(fd, [expiry], leasesAt + found * leaseBytes + 68);
      } else if (container.leaseCount < maxLeasesPerShare) {
        // The record first, then the count: a crash between leaves bytes behind the share, where no reader looks,
        // while the other order would cut the share's own last bytes off.
        await disk.write(fd, [leaseRecord(container.version, owner, secrets, expiresMs)], sizeBytes);
        const count = Buffer.alloc(4);
        count.writeUInt32BE(container.leaseCount + 1);
        await disk.write(fd, [count], 8);
      }
    } finally {
      await disk.close(fd);
    }
  }

  /** Links are not followed: what they lead to is no share of this folder, for the agent that lists it neither. */
  async #isLinked(index: StorageIndex): Promise<boolean> {
    const folder = this.folderOf(index);
    const { disk } = this.#options;
    const found = await Promise.all([disk.isLink(folder.slice(0, folder.lastIndexOf('/'))), disk.isLink(folder)]);
    return found.includes(true);
  }

  async #acquire(index: StorageIndex, shareNumber: number): Promise<OpenFile | null> {
    const path = this.pathOf(index, shareNumber);
    const { disk, clock } = this.#options;
    const known = this.#open.get(path);
    if (known !== undefined) {
      known.users++;
      const { sizeBytes, linkCount } = await disk.stat(known.fd);
      // No link left: the file was removed or another was renamed over it.
      if (linkCount > 0 && (sizeBytes === known.sizeBytes || (await this.#refresh(known, sizeBytes)))) {
        known.lastUsedMs = clock.monotonicMs();
        return known;
      }
      if (this.#open.get(path) === known) this.#open.delete(path);
      await this.#release(known);
    }
    if (await this.#isLinked(index)) return null;
    let fd: number;
    try {
      fd = await disk.open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    } catch (error) {
      const code = errorCodeOf(error);
      if (code === 'ENOENT' || code === 'ELOOP') return null;
      throw error;
    }
    try {
      const { sizeBytes } = await disk.stat(fd);
      const container = await this.#readContainer(fd, sizeBytes);
      if (container instanceof UnreadableShare) throw container;
      const file = {
        key: path,
        fd,
        sizeBytes,
        dataBytes: container.dataBytes,
        users: 1,
        lastUsedMs: clock.monotonicMs(),
      };
      if (!this.#open.has(path)) this.#open.set(path, file);
      return file;
    } catch (error) {
      await disk.close(fd);
      throw error;
    }
  }

  async #release(file: OpenFile): Promise<void> {
    file.users--;
    if (this.#open.get(file.key) === file) {
      this.#open.delete(file.key);
      this.#open.set(file.key, file);
      this.#scheduleSweep();
      if (this.#open.size > this.#options.maxOpenFiles) await this.#closeOldest();
    } else if (file.users === 0) {
      await this.#options.disk.close(file.fd);
    }
  }

  async #closeOldest(): Promise<void> {
    for (const file of this.#open.values()) {
      if (file.users > 0) continue;
      this.#open.delete(file.key);
      await this.#options.disk.close(file.fd);
      return;
    }
  }

  #scheduleSweep(): void {
    this.#callOffSweep ??= this.#options.clock.after(this.#options.idleCloseMs, () => {
      this.#callOffSweep = undefined;
      const nowMs = this.#options.clock.monotonicMs();
      for (const file of this.#open.values()) {
        if (file.users > 0 || nowMs - file.lastUsedMs < this.#options.idleCloseMs) continue;
        this.#open.delete(file.key);
        this.#options.disk.close(file.fd).catch(() => undefined); // nothing was written through it
      }
      if (this.#open.size > 0) this.#scheduleSweep();
    });
  }

  async #refresh(file: OpenFile, sizeBytes: number): Promise<boolean> {
    const container = await this.#readContainer(file.fd, sizeBytes);
    if (container instanceof UnreadableShare) return false;
    file.sizeBytes = sizeBytes;
    file.dataBytes = container.dataBytes;
    return true;
  }

  async #readContainer(fd: number, sizeBytes: number): Promise<Container | UnreadableShare> {
    const header = new Uint8Array(containerHeaderBytes);
    const count = await this.#options.disk.read(fd, header, containerHeaderBytes, 0);
    return parsed(header.subarray(0, count), sizeBytes);
  }
}

function parsed(header: Uint8Array, sizeBytes: number): Container | UnreadableShare {
  try {
    return parseContainer(header, sizeBytes);
  } catch (error) {
    if (isShareError(error)) return new UnreadableShare(error.message, { cause: error });
    throw error;
  }
}
