/** Writes one share, front to back, while its blocks are made (FORMAT section 4). */
import { blockHashes } from '#native/hash.ts';
import { writeShareHeader, writeUebLength } from './header.ts';
import { hashBytes, type ShareLayout, shareTotalBytes } from './layout.ts';
import { blockBytesIn, type SegmentSpan } from './window.ts';

/**
 * Where a new share goes. Calls come one after another, in the order begin, write (ascending, without gaps), end.
 * `bytes` may be used again by the caller once the promise has resolved. A share is there only after `end`.
 */
export interface ShareSink {
  begin(totalBytes: number): Promise<void>;
  write(offset: number, bytes: Uint8Array): Promise<void>;
  end(): Promise<void>;
  /** Called instead of `end` where the share cannot be finished: leave nothing behind. */
  abort?(reason: unknown): Promise<void>;
}

/** What follows the blocks; known only once all of them are made. */
export interface ShareTrailer {
  readonly crypttextTree: Uint8Array;
  readonly blockTree: Uint8Array;
  readonly chain: Uint8Array;
  readonly ueb: Uint8Array;
}

/** Shares up to this length are handed to their sink in one write. */
const gatheredBytes = 128 * 1024;
const zerosBytes = 256 * 1024;

/**
 * A sink that fails does not stop the others: the writer keeps the error and takes no more. Block hashes are kept all
 * the same (32 bytes a segment), for the other shares' hash chains depend on them.
 */
export class ShareWriter {
  readonly shareNumber: number;
  readonly totalBytes: number;
  error: unknown = null;
  readonly #layout: ShareLayout;
  /** Null for a share of which only the hashes are wanted. */
  readonly #sink: ShareSink | null;
  readonly #gathered: Uint8Array | null;
  readonly #blockHashes: Uint8Array;
  #position = 0;

  constructor(shareNumber: number, layout: ShareLayout, uebBytes: number, sink: ShareSink | null) {
    this.shareNumber = shareNumber;
    this.totalBytes = shareTotalBytes(layout, uebBytes);
    this.#layout = layout;
    this.#sink = sink;
    this.#gathered = sink !== null && this.totalBytes <= gatheredBytes ? new Uint8Array(this.totalBytes) : null;
    this.#blockHashes = new Uint8Array(layout.segmentCount * hashBytes);
  }

  get isWritten(): boolean {
    return this.#sink !== null && this.error === null;
  }

  get blockHashes(): Uint8Array {
    return this.#blockHashes;
  }

  async begin(): Promise<void> {
    await this.#try(async (sink) => {
      await sink.begin(this.totalBytes);
      await this.#put(sink, writeShareHeader(this.#layout));
    });
  }

  async append(firstSegment: number, blocks: Uint8Array, blockHashes: Uint8Array): Promise<void> {
    this.#blockHashes.set(blockHashes, firstSegment * hashBytes);
    await this.#try((sink) => this.#put(sink, blocks));
  }

  async end(trailer: ShareTrailer): Promise<void> {
    await this.#try(async (sink) => {
      await this.#putZeros(sink, this.#layout.treeBytes);
      await this.#put(sink, trailer.crypttextTree);
      const rest = [
        trailer.blockTree,
        trailer.chain,
        writeUebLength(this.#layout.version, trailer.ueb.length),
        trailer.ueb,
      ];
      await this.#put(sink, Buffer.concat(rest));
      if (this.#position !== this.totalBytes)
        throw new RangeError(`wrote ${this.#position} of ${this.totalBytes} bytes`);
      if (this.#gathered !== null) await sink.write(0, this.#gathered);
      await sink.end();
    });
  }

  /** Gives up on the share, unless its sink has failed already. */
  async abort(reason: unknown): Promise<void> {
    if (this.isWritten) await this.#fail(reason);
  }

  async #try(run: (sink: ShareSink) => Promise<void>): Promise<void> {
    if (this.#sink === null || this.error !== null) return;
    try {
      await run(this.#sink);
    } catch (error) {
      await this.#fail(error);
    }
  }

  async #fail(reason: unknown): Promise<void> {
    this.error = reason;
    // The first error is the one to tell; a sink that cannot even give up has nothing to add to it.
    await this.#sink?.abort?.(reason).catch(() => undefined);
  }

  async #put(sink: ShareSink, bytes: Uint8Array): Promise<void> {
    const offset = this.#position;
    this.#position += bytes.length;
    if (this.#gathered === null) await sink.write(offset, bytes);
    else this.#gathered.set(bytes, offset);
  }

  async #putZeros(sink: ShareSink, count: number): Promise<void> {
    const zeros = new Uint8Array(Math.min(count, zerosBytes));
    for (let left = count; left > 0; left -= zeros.length) {
      await this.#put(sink, left < zeros.length ? zeros.subarray(0, left) : zeros);
    }
  }
}

/**
 * Hands each writer its blocks of a span.
 *
 * @param blocks those of the first writer, then of the second, and so on: hashed in one go.
 */
export function appendBlocks(
  layout: ShareLayout,
  span: SegmentSpan,
  writers: readonly ShareWriter[],
  blocks: Uint8Array,
): Promise<void> {
  return appendHashedBlocks(span, writers, blocks, blockHashes(blocks, blockBytesIn(layout, span), 'block'));
}

/** As `appendBlocks`, of blocks that were hashed while they were made. */
export async function appendHashedBlocks(
  span: SegmentSpan,
  writers: readonly ShareWriter[],
  blocks: Uint8Array,
  hashes: Uint8Array,
): Promise<void> {
  const spanBytes = blocks.length / writers.length;
  const spanHashes = hashes.length / writers.length;
  await Promise.all(
    writers.map((writer, i) =>
      writer.append(
        span.firstSegment,
        blocks.subarray(i * spanBytes, (i + 1) * spanBytes),
        hashes.subarray(i * spanHashes, (i + 1) * spanHashes),
      ),
    ),
  );
}
