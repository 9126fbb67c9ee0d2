/**
 * One new share on its way to a peer. Writing runs beside the making of blocks: what is handed over is gathered to pieces, one
 * piece is under way at a time, and whoever hands over more than that waits. While nothing but the first piece has been sent,
 * a peer that fails is replaced.
 */

import { MeshwardError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { PlacedShare } from '#peers/locate.ts';
import type { Fence, WholeOutcome } from '#peers/peer-storage.ts';
import { isFenced, type WorkTransfer } from '#peers/transfer.ts';
import { freeAtOnce } from '#tahoe/gbs/free-at-once.ts';
import type { ShareSink } from '#tahoe/share/index.ts';
import type { ChosenTarget } from './placement.ts';
import { areHeldWhole } from './share-bytes.ts';
import type { UploadBuffers } from './upload-buffers.ts';

export interface UploadOptions {
  readonly storageIndex: StorageIndex;
  readonly target: ChosenTarget;
  readonly shareBytes: number;
  readonly uploadSecret: Uint8Array;
  readonly fence?: Fence | undefined;
  readonly transfer: WorkTransfer;
  /** Memory of this upload is two of these. */
  readonly pieceBytes: number;
  readonly targets: OtherTargets;
  /** Where the memory of a share that goes whole was reserved; left out for one of its own. */
  readonly buffers?: UploadBuffers | undefined;
}

export interface OtherTargets {
  /** Another peer for the share; undefined where there is none. */
  replace(shareNumber: number): Promise<ChosenTarget | undefined>;
  /** Told of a peer that failed, or has no room (undefined), before another one is asked for. */
  failed(peerId: PeerId, error: unknown): void;
  /** Sends the whole share to a target that takes it so. */
  put(target: ChosenTarget, bytes: Uint8Array): Promise<WholeOutcome>;
  /** Of a peer that has the share already: whether it is sound, and so needs no writing. */
  keepsFound(share: PlacedShare): Promise<boolean>;
}

/** Shares up to this length are written in one request. */
const wholeShareBytes = 128 * 1024;
const largestPieceBytes = 1024 * 1024;

/**
 * The piece for which `count` uploads, two pieces each, keep within the memory; never less than {@link wholeShareBytes}, and a
 * share itself where they are held whole.
 */
export function pieceBytesFor(count: number, memoryBytes: number, shareBytes: number): number {
  if (areHeldWhole(count, shareBytes)) return shareBytes;
  return Math.max(wholeShareBytes, Math.min(largestPieceBytes, Math.floor(memoryBytes / (2 * Math.max(1, count)))));
}

export class Upload implements ShareSink {
  readonly shareNumber: number;
  /** Resolves when the share has appeared (null) or cannot (why). Never rejects. */
  readonly ended: Promise<unknown>;
  readonly #options: UploadOptions;
  #target: ChosenTarget;
  /** Made when the first byte comes. */
  #buffer: Uint8Array | undefined;
  /** The peer has read all of the buffer, and nobody else will. */
  #isSpent = false;
  /** A piece that its peer has, for the next one: left to the collector of garbage, a large file's would come to gigabytes. */
  #spare: Uint8Array | undefined;
  #buffered = 0;
  /** Of the buffer's first byte in the share. */
  #offset = 0;
  #sentBytes = 0;
  #sending: Promise<void> = Promise.resolve();
  #error: Error | null = null;
  #targetError: unknown;
  #complete = false;
  #found = false;
  #end: (error: unknown) => void = () => undefined;
  #over = false;

  constructor(options: UploadOptions) {
    this.#options = options;
    this.shareNumber = options.target.shareNumber;
    this.#target = options.target;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  get peerId(): PeerId {
    return this.#target.peerId;
  }

  get isComplete(): boolean {
    return this.#complete;
  }

  /** The peer turned out to have the share already, and sound: nothing was written. */
  get isFound(): boolean {
    return this.#found;
  }

  /** Why the last peer failed, where it did. */
  get targetError(): unknown {
    return this.#targetError;
  }

  begin(totalBytes: number): Promise<void> {
    if (totalBytes === this.#options.shareBytes) return Promise.resolve();
    return Promise.reject(
      new RangeError(`a share of ${totalBytes} bytes, where ${this.#options.shareBytes} were allocated`),
    );
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    if (!this.#isWhole && offset !== this.#offset + this.#buffered) {
      // What lies between has gone ahead.
      await this.#flush();
      this.#offset = offset;
    }
    for (let at = 0; at < bytes.length; ) {
      if (this.#error !== null) throw this.#error;
      this.#buffer ??= this.#takeBuffer();
      const buffer = this.#buffer;
      const part = bytes.subarray(at, at + buffer.length - this.#buffered);
      buffer.set(part, offset + at - this.#offset);
      this.#buffered += part.length;
      at += part.length;
      if (this.#buffered === buffer.length) await this.#flush();
    }
  }

  async writeAhead(offset: number, bytes: Uint8Array): Promise<void> {
    // It has its place in the memory for all of the share.
    if (this.#isWhole) return this.write(offset, bytes);
    await this.#sending;
    if (this.#error === null) await this.#send(bytes, offset);
    if (this.#error !== null) throw this.#error;
  }

  /** Resolves at once: `ended` tells when the share is there, so that many shares end beside each other. */
  end(): Promise<void> {
    void this.#flush()
      .then(() => this.#sending)
      .then(() => this.#finish());
    return Promise.resolve();
  }

  async abort(error: unknown): Promise<void> {
    this.#error ??= asError(error);
    await this.#sending;
    await this.#finish();
  }

  /** Starts to send what is gathered, once the piece before has gone. */
  async #flush(): Promise<void> {
    await this.#sending;
    if (this.#buffered === 0 || this.#error !== null || this.#buffer === undefined) return;
    const buffer = this.#buffer;
    const piece = buffer.subarray(0, this.#buffered);
    const offset = this.#offset;
    const isLast = this.#sentBytes + piece.length >= this.#options.shareBytes;
    if (!isLast) this.#buffer = undefined;
    this.#buffered = 0;
    if (!this.#isWhole) this.#offset += piece.length;
    this.#sending = this.#send(piece, offset).then(() => {
      if (this.#error === null && !this.#isWhole) this.#keep(buffer);
    });
  }

  get #isWhole(): boolean {
    return this.#options.pieceBytes >= this.#options.shareBytes;
  }

  #takeBuffer(): Uint8Array {
    const { buffers, pieceBytes, shareBytes } = this.#options;
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare !== undefined) return spare;
    const bytes = Math.min(pieceBytes, shareBytes);
    return this.#isWhole && buffers !== undefined ? buffers.take(bytes) : freshMemory(bytes);
  }

  #keep(spent: Uint8Array | undefined): void {
    if (this.#spare !== undefined) freeAtOnce(this.#spare);
    this.#spare = spent;
  }

  async #send(piece: Uint8Array, offset: number): Promise<void> {
    const { transfer, targets } = this.#options;
    for (;;) {
      try {
        if (await this.#sendTo(this.#target, piece, offset)) return;
        targets.failed(this.peerId, undefined);
        const next = await this.#next(undefined);
        if (next === undefined) {
          this.#error = noRoom(this.shareNumber);
          return;
        }
        this.#target = next;
      } catch (error) {
        if (!transfer.signal.aborted) targets.failed(this.peerId, error);
        const next = await this.#next(error);
        if (next === undefined) {
          this.#targetError = error;
          this.#error = asError(error);
          return;
        }
        await this.#abortAt(this.#target);
        this.#target = next;
      }
    }
  }

  /** @returns false where the peer has no room for it. */
  async #sendTo(target: ChosenTarget, piece: Uint8Array, offset: number): Promise<boolean> {
    const { storageIndex, transfer, uploadSecret, fence, targets } = this.#options;
    const { shareNumber } = this;
    if (target.whole !== true) {
      const request = { shareNumber, offset, bytes: piece, uploadSecret, fence };
      this.#complete = await transfer.write(target.peerId, storageIndex, request);
      this.#sentBytes += piece.length;
      return true;
    }
    const outcome = await targets.put(target, piece);
    if (outcome === 'no-room') return false;
    if (outcome === 'held') {
      this.#found = await targets.keepsFound({ shareNumber, peerId: target.peerId });
      return this.#found;
    }
    this.#complete = true;
    this.#isSpent = true;
    this.#sentBytes += piece.length;
    return true;
  }

  async #abortAt({ peerId, whole }: ChosenTarget): Promise<void> {
    const { transfer, storageIndex, uploadSecret } = this.#options;
    // A share that goes in one exchange is there or is not.
    if (whole !== true) await transfer.abort(peerId, storageIndex, this.shareNumber, uploadSecret);
  }

  async #next(error: unknown): Promise<ChosenTarget | undefined> {
    const { transfer, targets } = this.#options;
    // What has gone to the first peer is not here any more.
    if (this.#sentBytes > 0 || transfer.signal.aborted || isFenced(error)) return undefined;
    try {
      return await targets.replace(this.shareNumber);
    } catch {
      return undefined;
    }
  }

  async #finish(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    if (!this.#complete && !this.#found) {
      this.#error ??= incomplete(this.#sentBytes, this.#options.shareBytes);
      await this.#abortAt(this.#target);
    }
    if (this.#isWhole) {
      // Of a request that did not end well, something may be under way still.
      this.#options.buffers?.giveBack(this.#options.shareBytes, this.#isSpent ? this.#buffer : undefined);
    }
    this.#keep(undefined);
    this.#buffer = undefined;
    this.#end(this.#complete || this.#found ? null : this.#error);
  }
}

/** Of any content: it is filled before any of it is sent. */
function freshMemory(bytes: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function noRoom(shareNumber: number): MeshwardError {
  return new MeshwardError('repair-no-target', `no peer has room for share ${shareNumber}`, {
    next: 'Bring peers back, add some, or free space on those there are.',
    retryable: true,
  });
}

function incomplete(sentBytes: number, shareBytes: number): MeshwardError {
  return new MeshwardError(
    'gbs-protocol',
    `the peer took ${sentBytes} of ${shareBytes} bytes and does not call the share complete`,
    {
      next: 'Look into the log of that peer; another one is chosen at the next try.',
      retryable: true,
    },
  );
}
