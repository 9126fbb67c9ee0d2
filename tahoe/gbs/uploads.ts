/**
 * Shares on their way in. An upload is known to this process alone: its bytes gather in `shares/incoming/`, and when all are
 * there the file is synced and renamed, so that a share appears at once and whole or never. What a crash leaves in
 * `incoming/` is wiped at the next start.
 */
import { constants } from 'node:fs';
import type { Clock } from '#mesh/clock.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { LeaseSecrets } from '../identity/lease-secrets.ts';
import { containerHeaderBytes, writeContainerHeader } from '../share/container.ts';
import { SecretDigest } from './authorization.ts';
import { type Disk, makeFolders, syncFolder } from './disk.ts';
import type { Fence } from './fence.ts';
import { KeyedLock } from './keyed-lock.ts';
import { leaseDurationMs, leaseRecord } from './lease-records.ts';
import { type ByteRange, RangeSet } from './range-set.ts';
import type { ShareFolder } from './share-folder.ts';
import { shareKey } from './share-name.ts';

/** More separate pieces than an honest uploader ever leaves. */
const maxRangesPerUpload = 1024;

export interface Upload {
  readonly index: StorageIndex;
  readonly shareNumber: number;
  readonly sizeBytes: number;
  readonly secret: SecretDigest;
  readonly lease: Uint8Array;
  readonly fence: Fence | undefined;
  readonly path: string;
  readonly written: RangeSet;
  hasFile: boolean;
  isOver: boolean;
  callOffTimeout: () => void;
}

export type WriteOutcome =
  | { readonly kind: 'written'; readonly isComplete: boolean; readonly required: readonly ByteRange[] }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'too-scattered' };

export interface UploadsOptions {
  readonly root: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly shares: ShareFolder;
  readonly maxUploads: number;
  /** An upload that gets no bytes for so long is dropped. */
  readonly silenceMs: number;
  /** Sync files and folders before a share is acknowledged. */
  readonly syncToDisk: boolean;
}

export class Uploads {
  readonly #options: UploadsOptions;
  readonly #uploads = new Map<string, Upload>();
  readonly #lock = new KeyedLock();
  #promisedBytes = 0;

  constructor(options: UploadsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#uploads.size;
  }

  /** Bytes that uploads in progress were promised and have not written. */
  get promisedBytes(): number {
    return this.#promisedBytes;
  }

  get isFull(): boolean {
    return this.#uploads.size >= this.#options.maxUploads;
  }

  find(index: StorageIndex, shareNumber: number): Upload | undefined {
    return this.#uploads.get(shareKey({ index, shareNumber }));
  }

  /** The caller has checked that there is room and no other upload of this share. */
  begin(
    index: StorageIndex,
    shareNumber: number,
    given: { sizeBytes: number; secret: Uint8Array; leases: LeaseSecrets; fence: Fence | undefined },
  ): void {
    const { clock, root } = this.#options;
    const upload: Upload = {
      index,
      shareNumber,
      sizeBytes: given.sizeBytes,
      secret: new SecretDigest(given.secret),
      lease: leaseRecord(2, 0, given.leases, clock.nowMs() + leaseDurationMs),
      fence: given.fence,
      path: `${root}/shares/incoming/${index}-${shareNumber}`,
      written: new RangeSet(),
      hasFile: false,
      isOver: false,
      callOffTimeout: () => undefined,
    };
    this.#uploads.set(shareKey(upload), upload);
    this.#promisedBytes += upload.sizeBytes;
    this.#restartTimeout(upload);
  }

  /**
   * Writes a piece. Bytes that are there already must be the same, or nothing of the piece is written. The piece that
   * completes the upload resolves when the share is in its place.
   */
  write(upload: Upload, offset: number, parts: readonly Uint8Array[]): Promise<WriteOutcome> {
    return this.#lock.run(shareKey(upload), async (): Promise<WriteOutcome> => {
      if (upload.isOver) return { kind: 'gone' };
      this.#restartTimeout(upload);
      const end = offset + parts.reduce((sum, part) => sum + part.length, 0);
      const { disk } = this.#options;
      const fd = await disk.open(upload.path, constants.O_RDWR | constants.O_CREAT, 0o644);
      upload.hasFile = true;
      try {
        for (const range of upload.written.overlaps(offset, end)) {
          if (!(await this.#isSame(fd, range, offset, parts))) return { kind: 'conflict' };
        }
        let isFramed = false;
        const gaps = upload.written.missing(offset, end);
        if (upload.written.count + gaps.length > maxRangesPerUpload) return { kind: 'too-scattered' };
        if (gaps.length === 1 && end - offset === upload.sizeBytes) {
          // The whole share in one piece, as almost every small one comes: one write.
          await disk.write(fd, [writeContainerHeader(2, upload.sizeBytes, 1), ...parts, upload.lease], 0);
          isFramed = true;
        } else if (gaps.length > 0) {
          await disk.write(fd, parts, containerHeaderBytes + offset);
        }
        const before = upload.written.sizeBytes;
        upload.written.add(offset, end);
        this.#promisedBytes -= upload.written.sizeBytes - before;
        const required = upload.written.missing(0, upload.sizeBytes);
        if (required.length > 0) return { kind: 'written', isComplete: false, required };
        await this.#complete(upload, fd, isFramed);
        return { kind: 'written', isComplete: true, required };
      } finally {
        await disk.close(fd);
      }
    });
  }

  /** Drops the upload and what it wrote. */
  abort(upload: Upload): Promise<void> {
    return this.#lock.run(shareKey(upload), () => this.#drop(upload));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#uploads.values()].map((upload) => this.abort(upload)));
  }

  async #complete(upload: Upload, fd: number, isFramed: boolean): Promise<void> {
    const { disk, shares, syncToDisk } = this.#options;
    try {
      if (!isFramed) {
        await disk.write(fd, [writeContainerHeader(2, upload.sizeBytes, 1)], 0);
        await disk.write(fd, [upload.lease], containerHeaderBytes + upload.sizeBytes);
      }
      if (syncToDisk) await disk.sync(fd);
      const folder = shares.folderOf(upload.index);
      const made = await makeFolders(disk, this.#options.root, folder);
      await disk.rename(upload.path, shares.pathOf(upload.index, upload.shareNumber));
      upload.hasFile = false;
      if (syncToDisk) {
        await syncFolder(disk, folder);
        for (const path of made.toReversed()) await syncFolder(disk, path.slice(0, path.lastIndexOf('/')));
      }
    } finally {
      // After a failed sync nobody knows what is on the disk: the upload is over either way.
      await this.#drop(upload);
    }
  }

  async #drop(upload: Upload): Promise<void> {
    if (upload.isOver) return;
    upload.isOver = true;
    upload.callOffTimeout();
    this.#uploads.delete(shareKey(upload));
    this.#promisedBytes -= upload.sizeBytes - upload.written.sizeBytes;
    if (upload.hasFile) await this.#options.disk.unlink(upload.path).catch(() => undefined); // wiped at the next start
  }

  async #isSame(fd: number, range: ByteRange, offset: number, parts: readonly Uint8Array[]): Promise<boolean> {
    const stored = Buffer.allocUnsafe(range.end - range.begin);
    const count = await this.#options.disk.read(fd, stored, stored.length, containerHeaderBytes + range.begin);
    const given = Buffer.concat(parts).subarray(range.begin - offset, range.end - offset);
    return count === stored.length && stored.equals(given);
  }

  #restartTimeout(upload: Upload): void {
    upload.callOffTimeout();
    upload.callOffTimeout = this.#options.clock.after(this.#options.silenceMs, () => {
      this.abort(upload).catch(() => undefined); // its file is wiped at the next start
    });
  }
}
