/**
 * The memory of a repair whose shares are held whole, asked for before anything is read: one that waits for its turn holds none, and
 * however many run, what they hold together is bounded. Uploads reserve their own when they start, out of what was asked for here.
 */
import type { Manifest } from '#mesh/manifest.ts';
import { areHeldWhole, expectedShareBytes } from './share-bytes.ts';
import type { UploadBuffers } from './upload-buffers.ts';

/** Longest share that is read in one request, its blocks with what proves them. */
export function headBytesFor({ k }: Manifest, windowBytes: number): number {
  return Math.floor(windowBytes / k);
}

export class RepairMemory {
  readonly #buffers: UploadBuffers | undefined;
  readonly #readBytes: number;
  #newBytes: number;

  constructor(buffers: UploadBuffers | undefined, manifest: Manifest, newCount: number, windowBytes: number) {
    const shareBytes = expectedShareBytes({ manifest });
    this.#buffers = buffers;
    this.#readBytes = shareBytes <= headBytesFor(manifest, windowBytes) ? manifest.k * shareBytes : 0;
    this.#newBytes = areHeldWhole(newCount, shareBytes) ? newCount * shareBytes : 0;
  }

  /** Runs `work` when there is room. @throws the signal's reason, and what the work throws. */
  async use<T>(how: { urgent: boolean; signal: AbortSignal }, work: () => Promise<T>): Promise<T> {
    await this.#buffers?.reserve(this.#readBytes + this.#newBytes, how);
    try {
      return await work();
    } finally {
      this.#buffers?.giveBack(this.#readBytes + this.#newBytes);
    }
  }

  /** The uploads have reserved what they need. */
  uploadsHaveTheirs(): void {
    this.#buffers?.giveBack(this.#newBytes);
    this.#newBytes = 0;
  }
}
