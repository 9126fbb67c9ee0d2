/** Writes one share, front to back, while its blocks are made (FORMAT section 4). */
import { blockHashes } from '#native/hash.ts';
import { GrowingTree, growingTreeBytes } from './growing-tree.ts';
import { computeTree, treeNode } from './hash-tree.ts';
import { writeShareHeader, writeUebLength } from './header.ts';
import { hashBytes, type ShareLayout, shareTotalBytes } from './layout.ts';
import { blockBytesIn, type SegmentSpan } from './window.ts';

/**
 * Where a new share goes. Calls come one after another, in the order begin, write (ascending, without gaps but for what went ahead), end.
 * `bytes` may be used again by the caller once the promise has resolved. A share is there only after `end`.
 */
export interface ShareSink {
  begin(totalBytes: number): Promise<void>;
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** Takes a part that lies further back, and is not written again. Without it, the hashes of long shares are kept to their end. */
  writeAhead?(offset: number, bytes: Uint8Array): Promise<void>;
  end(): Promise<void>;
  /** Called instead of `end` where the share cannot be finished: leave nothing behind. */
  abort?(reason: unknown): Promise<void>;
}

/** What follows the blocks; known only once all of them are made. */
export interface ShareTrailer {
  readonly crypttextTree: Uint8Array;
  readonly chain: Uint8Array;
  readonly ueb: Uint8Array;
}

/** Shares up to this length are handed to their sink in one write. */
const gatheredBytes = 128 * 1024;
const zerosBytes = 256 * 1024;

/** Trees of up to this many leaves are kept whole: files to 4 GiB as a rule. */
const keptLeaves = 4096;

/** Memory for the block hashes of a share that goes to such a sink. */
export function blockHashBytes({ leafCount, segmentCount }: ShareLayout, writesAhead: boolean): number {
  return writesAhead && leafCount > keptLeaves ? growingTreeBytes(leafCount) : segmentCount * hashBytes;
}

/**
 * A sink that fails does not stop the others: the writer keeps the error and takes no more. Block hashes are taken
 * all the same, for the other shares' hash chains depend on them.
 */
export class ShareWriter {
  readonly shareNumber: number;
  readonly totalBytes: number;
  error: unknown = null;
  readonly #layout: ShareLayout;
  /** Null for a share of which only the hashes are wanted. */
  readonly #sink: ShareSink | null;
  readonly #gathered: Uint8Array | null;
  readonly #hashes: Uint8Array | GrowingTree;
  #rest: readonly (readonly [number, Uint8Array])[] = [];
  #position = 0;

  constructor(shareNumber: number, layout: ShareLayout, uebBytes: number, sink: ShareSink | null) {
    this.shareNumber = shareNumber;
    this.totalBytes = shareTotalBytes(layout, uebBytes);
    this.#layout = layout;
    this.#sink = sink;
    this.#gathered = sink !== null && this.totalBytes <= gatheredBytes ? new Uint8Array(this.totalBytes) : null;
    const writesAhead = this.#gathered === null && (sink === null || sink.writeAhead !== undefined);
    this.#hashes =
      writesAhead && layout.leafCount > keptLeaves
        ? new GrowingTree(layout.leafCount)
        : new Uint8Array(layout.segmentCount * hashBytes);
  }

  get isWritten(): boolean {
    return this.#sink !== null && this.error === null;
  }

  /** When all blocks are there. @param crypttextTree of the same file. */
  blockRoot(crypttextTree: Uint8Array): Uint8Array {
    if (!(this.#hashes instanceof GrowingTree)) return treeNode(computeTree(this.#hashes), 0).slice();
    const { root, rest } = this.#hashes.finish(crypttextTree);
    this.#rest = rest;
    return root;
  }

  async begin(): Promise<void> {
    await this.#try(async (sink) => {
      await sink.begin(this.totalBytes);
      await this.#put(sink, writeShareHeader(this.#layout));
    });
  }

  async append(firstSegment: number, blocks: Uint8Array, blockHashes: Uint8Array): Promise<void> {
    if (!(this.#hashes instanceof GrowingTree)) this.#hashes.set(blockHashes, firstSegment * hashBytes);
    await this.#try((sink) => this.#put(sink, blocks));
    if (!(this.#hashes instanceof GrowingTree)) return;
    const { blockTree } = this.#layout.offsets;
    await this.#hashes.append(blockHashes, (firstNode, nodes) =>
      this.#try(async (sink) => sink.writeAhead?.(blockTree + firstNode * hashBytes, nodes)),
    );
  }

  async end(trailer: ShareTrailer): Promise<void> {
    await this.#try(async (sink) => {
      await this.#putZeros(sink, this.#layout.treeBytes);
      await this.#put(sink, trailer.crypttextTree);
      const rest = [trailer.chain, writeUebLength(this.#layout.version, trailer.ueb.length), trailer.ueb];
      if (this.#hashes instanceof GrowingTree) await this.#putRest(sink);
      else rest.unshift(computeTree(this.#hashes));
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

  /** Nodes of the block hash tree that have not gone ahead. */
  async #putRest(sink: ShareSink): Promise<void> {
    const { blockTree, chain } = this.#layout.offsets;
    for (const [firstNode, nodes] of this.#rest) {
      this.#position = blockTree + firstNode * hashBytes;
      await this.#put(sink, nodes);
    }
    this.#position = chain;
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
