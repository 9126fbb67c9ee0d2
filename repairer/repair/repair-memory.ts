/**
 * The memory of a repair, asked for before anything is read: one that waits for its turn holds none, and however many run, what they hold
 * together is bounded. That is shares that are held whole, and the windows, pieces and hashes of larger files. Uploads of whole shares
 * reserve their own when they start, out of what was asked for here.
 */
import type { Manifest } from '#mesh/manifest.ts';
import { areHeldWhole, expectedShareBytes } from './share-bytes.ts';
import type { RepairSettings } from './tools.ts';
import { pieceBytesFor } from './upload.ts';
import type { UploadBuffers } from './upload-buffers.ts';

/** Longest share that is read in one request, its blocks with what proves them. */
export function headBytesFor({ k }: Manifest, windowBytes: number): number {
  return Math.floor(windowBytes / k);
}

/** Larger files take minutes at the least. */
const lastingFileBytes = 1024 ** 3;

export class RepairMemory {
  readonly #buffers: UploadBuffers | undefined;
  readonly #isLasting: boolean;
  /** Held to the end. */
  readonly #workBytes: number;
  #newBytes: number;

  constructor(
    buffers: UploadBuffers | undefined,
    manifest: Manifest,
    newCount: number,
    { windowBytes }: Pick<RepairSettings, 'windowBytes'>,
  ) {
    const shareBytes = expectedShareBytes({ manifest });
    const areWhole = areHeldWhole(newCount, shareBytes);
    const readBytes = shareBytes <= headBytesFor(manifest, windowBytes) ? manifest.k * shareBytes : windowBytes;
    const pieceBytes = areWhole ? 0 : 2 * newCount * pieceBytesFor(newCount, windowBytes / 2, shareBytes);
    this.#buffers = buffers;
    this.#isLasting = manifest.sizeBytes > lastingFileBytes;
    this.#workBytes = readBytes + pieceBytes;
    this.#newBytes = areWhole ? newCount * shareBytes : 0;
  }

  /** Runs `work` when there is room. @throws the signal's reason, and what the work throws. */
  async use<T>(how: { urgent: boolean; signal: AbortSignal }, work: () => Promise<T>): Promise<T> {
    await this.#buffers?.reserve(this.#workBytes + this.#newBytes, { ...how, lasting: this.#isLasting });
    try {
      return await work();
    } finally {
      this.uploadsHaveTheirs();
      this.#giveBack(this.#workBytes);
    }
  }

  /** The uploads have reserved what they need. */
  uploadsHaveTheirs(): void {
    this.#giveBack(this.#newBytes);
    this.#newBytes = 0;
  }

  #giveBack(bytes: number): void {
    if (this.#isLasting) this.#buffers?.giveBackLasting(bytes);
    else this.#buffers?.giveBack(bytes);
  }
}
