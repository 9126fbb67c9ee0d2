/** Missing shares straight from any `k` others, streamed, byte for byte as Tahoe-LAFS wrote them (FORMAT section 9). */
import { setImmediate } from 'node:timers/promises';
import { MeshwardError } from '#mesh/errors.ts';
import { blockHashes } from '#native/hash.ts';
import { chainSiblings, detectChainOrderRule } from './chain-order.ts';
import { completeWindow, notOneCodeword, pick, primaryNumbers, readAhead } from './decode.ts';
import { computeTree, ShareHashTree, sameHash, treeNode } from './hash-tree.ts';
import { computeLayout, hashBytes, type ShareLayout, type ShareVersion } from './layout.ts';
import { makeWindow } from './regenerate-window.ts';
import { buildChain } from './share-chain.ts';
import { appendHashedBlocks, blockHashBytes, type ShareSink, ShareWriter } from './share-writer.ts';
import {
  letGo,
  type ReplaceSource,
  type SourceFailure,
  SourceSet,
  throwIfCancelled,
  type UncheckedWindow,
} from './source-set.ts';
import type { VerifiedShare } from './verified-share.ts';
import { blockBytesIn, defaultWindowBytes, joinSegments, Scratch, type SegmentSpan, segmentSpans } from './window.ts';

export interface WantedShare {
  readonly shareNumber: number;
  readonly sink: ShareSink;
  /** @default the one that Tahoe-LAFS takes: 2 for shares over 4 GiB, whatever the sources have */
  readonly shareVersion?: ShareVersion | undefined;
}

export interface RegenerateRequest {
  /**
   * At least `k` verified shares of one file. The first `k` are read; the others stand by, and their hash chains save
   * work: a part of the share hash tree that no chain tells must be computed from shares that nobody asked for.
   */
  readonly sources: readonly VerifiedShare[];
  readonly wanted: readonly WantedShare[];
  /** Asked for another share when a source fails and no spare is left. */
  readonly replace?: ReplaceSource | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Memory for one window of blocks; two are held. @default 16 MiB */
  readonly windowBytes?: number | undefined;
  /** Memory for block hashes: 32 bytes a segment for each new share whose sink takes nothing ahead, and for the file. @default 256 MiB */
  readonly hashMemoryBytes?: number | undefined;
}

export interface RegenerateResult {
  readonly written: readonly { readonly shareNumber: number; readonly totalBytes: number }[];
  /** Shares whose sink failed; the others were written all the same. */
  readonly failed: readonly { readonly shareNumber: number; readonly error: unknown }[];
  /** Share numbers that were read, as the last window had them. */
  readonly sources: readonly number[];
  /** Sources that failed on the way. */
  readonly replaced: readonly SourceFailure[];
  /** Share numbers that were computed for their hashes only. */
  readonly hashedOnly: readonly number[];
}

/** Ciphertext that is put together and hashed without a pause: two milliseconds of one core. */
const hashedAtOnceBytes = 4 * 1024 * 1024;
const defaultHashMemoryBytes = 256 * 1024 * 1024;
/** Shares are ended together as long as their block hash trees fit into this. */
const treeMemoryBytes = 32 * 1024 * 1024;

/**
 * Nothing is taken on trust: blocks are checked against each source's hash chain, the decoded file against the crypttext
 * root hash, and every new share against the share root hash before its sink's `end` is called.
 *
 * @throws MeshwardError `not-enough-shares`, `file-irrecoverable` (the shares are not of one codeword), `cancelled`,
 * `bad-input`. Every sink that has begun is then aborted.
 */
export async function regenerateShares(request: RegenerateRequest): Promise<RegenerateResult> {
  const set = new SourceSet(request.sources, request);
  const job = new RegenerateJob(set, request);
  try {
    await job.makeBlocks(request.windowBytes ?? defaultWindowBytes);
    job.freeScratch();
    await job.finish();
  } catch (error) {
    await job.abort(error);
    throw error;
  }
  return job.result();
}

class RegenerateJob {
  readonly #set: SourceSet;
  readonly #layout: ShareLayout;
  /** The wanted shares, then those that only lend their hashes. */
  readonly #writers: readonly ShareWriter[];
  readonly #hashedOnly: readonly number[];
  readonly #crypttextHashes: Uint8Array;
  readonly #madeScratch = new Scratch();
  readonly #lentScratch = new Scratch();
  readonly #joinScratch = new Scratch();
  readonly #signal: AbortSignal | undefined;

  constructor(set: SourceSet, request: RegenerateRequest) {
    const { ueb } = set.first;
    this.#set = set;
    this.#signal = request.signal;
    this.#layout = computeLayout(ueb);
    const wantedNumbers = request.wanted.map(({ shareNumber }) => shareNumber);
    checkWanted(wantedNumbers, this.#layout.n);
    this.#hashedOnly = lendingShares(this.#layout.n, set.seen, wantedNumbers);
    const rowCount = wantedNumbers.length + this.#hashedOnly.length;
    const writesAhead = request.wanted.every(({ sink }) => sink.writeAhead !== undefined);
    const hashMemory = hashMemoryOf(rowCount, this.#layout, writesAhead);
    if (hashMemory > (request.hashMemoryBytes ?? defaultHashMemoryBytes)) {
      throw new MeshwardError(
        'bad-input',
        `the block hashes of ${rowCount} shares at once need ${hashMemory} bytes of memory`,
        {
          next: 'Regenerate fewer shares at a time, or allow more memory for hashes.',
        },
      );
    }
    const uebBytes = ueb.bytes.length;
    this.#writers = [
      ...request.wanted.map(
        ({ shareNumber, shareVersion, sink }) =>
          new ShareWriter(shareNumber, computeLayout(ueb, shareVersion), uebBytes, sink),
      ),
      ...this.#hashedOnly.map((shareNumber) => new ShareWriter(shareNumber, this.#layout, uebBytes, null)),
    ];
    this.#crypttextHashes = new Uint8Array(this.#layout.segmentCount * hashBytes);
  }

  async makeBlocks(windowBytes: number): Promise<void> {
    const layout = this.#layout;
    const madeNumbers = this.#writers.map((writer) => writer.shareNumber);
    const primary = primaryNumbers(layout);
    const lent = primary.filter((shareNumber) => !madeNumbers.includes(shareNumber));
    // Sources, new shares, and the primary blocks that may have to be made besides to check the segments.
    const rowCount = layout.k + madeNumbers.length + lent.length;
    await Promise.all(this.#writers.map((writer) => writer.begin()));
    const read = (span: SegmentSpan): Promise<UncheckedWindow> =>
      this.#set.readUnchecked(span.firstSegment, span.count);
    for await (const { span, window: unchecked } of readAhead(segmentSpans(layout, rowCount, windowBytes), read)) {
      const { window, made, madeHashes } = await makeWindow(
        this.#set,
        layout,
        span,
        unchecked,
        () => madeNumbers,
        this.#madeScratch,
        this.#signal,
      );
      const blocks = new Map(await completeWindow(layout, window, lent, this.#lentScratch));
      const spanBytes = made.length / madeNumbers.length;
      madeNumbers.forEach((shareNumber, i) =>
        blocks.set(shareNumber, made.subarray(i * spanBytes, (i + 1) * spanBytes)),
      );
      await this.#hashSegments(span, pick(blocks, primary));
      await appendHashedBlocks(span, this.#writers, made, madeHashes);
      letGo(window);
      this.#throwIfNobodyListens();
    }
  }

  /** A few segments at a time: on the event loop this takes some milliseconds, and others get their turn in between. */
  async #hashSegments(span: SegmentSpan, primary: readonly Uint8Array[]): Promise<void> {
    const layout = this.#layout;
    const blockBytes = blockBytesIn(layout, span);
    const atOnce = Math.max(1, Math.floor(hashedAtOnceBytes / layout.segmentBytes));
    for (let first = 0; first < span.count; first += atOnce) {
      if (first > 0) await setImmediate();
      throwIfCancelled(this.#signal);
      const part = { firstSegment: span.firstSegment + first, count: Math.min(atOnce, span.count - first) };
      const blocks = primary.map((each) => each.subarray(first * blockBytes, (first + part.count) * blockBytes));
      const ciphertext = joinSegments(layout, part, blocks, this.#joinScratch);
      const hashes = blockHashes(ciphertext, layout.segmentBytes, 'crypttext-segment');
      this.#crypttextHashes.set(hashes, part.firstSegment * hashBytes);
    }
  }

  freeScratch(): void {
    for (const scratch of [this.#madeScratch, this.#lentScratch, this.#joinScratch]) scratch.free();
  }

  async finish(): Promise<void> {
    const { ueb } = this.#set.first;
    const { n } = this.#layout;
    const crypttextTree = computeTree(this.#crypttextHashes);
    if (!sameHash(treeNode(crypttextTree, 0), ueb.crypttextRootHash)) throw notOneCodeword();
    const shareTree = treeKnownFrom(n, this.#set.seen);
    for (const writer of this.#writers) {
      shareTree.learn(shareTree.leafNode(writer.shareNumber), writer.blockRoot(crypttextTree));
    }
    const rule = detectChainOrderRule(
      n,
      this.#set.seen.map((share) => share.chain),
    );
    // All chains before the first `end`: a share that nobody can verify must not appear.
    const endings = this.#writers
      .filter((writer) => writer.isWritten)
      .map((writer) => {
        const chain = buildChain(shareTree, n, writer.shareNumber, ueb.shareRootHash, rule);
        if (chain === null) throw notOneCodeword();
        return { writer, chain };
      });
    const atOnce = Math.max(1, Math.floor(treeMemoryBytes / this.#layout.treeBytes));
    for (let first = 0; first < endings.length; first += atOnce) {
      const turn = endings.slice(first, first + atOnce);
      await Promise.all(turn.map(({ writer, chain }) => writer.end({ crypttextTree, chain, ueb: ueb.bytes })));
    }
    this.#throwIfNobodyListens();
  }

  async abort(reason: unknown): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.abort(reason)));
  }

  result(): RegenerateResult {
    const wanted = this.#writers.slice(0, this.#writers.length - this.#hashedOnly.length);
    return {
      written: wanted
        .filter((writer) => writer.isWritten)
        .map(({ shareNumber, totalBytes }) => ({ shareNumber, totalBytes })),
      failed: wanted.filter((writer) => !writer.isWritten).map(({ shareNumber, error }) => ({ shareNumber, error })),
      sources: this.#set.active.map((share) => share.shareNumber),
      replaced: this.#set.failures,
      hashedOnly: this.#hashedOnly,
    };
  }

  #throwIfNobodyListens(): void {
    const failed = this.#writers.find((writer) => writer.error !== null);
    if (failed !== undefined && !this.#writers.some((writer) => writer.isWritten)) throw failed.error;
  }
}

function treeKnownFrom(n: number, shares: readonly VerifiedShare[]): ShareHashTree {
  const tree = new ShareHashTree(n);
  for (const share of shares) {
    for (const [node, hash] of share.chain.known) tree.learn(node, hash);
  }
  return tree;
}

/**
 * As many of the wanted shares, from the first on, as can be regenerated at once in so much memory for block hashes, into sinks that take
 * them ahead; at least one.
 * @param hashMemoryBytes as of the request.
 */
export function sharesAtOnce(
  sources: readonly VerifiedShare[],
  wantedNumbers: readonly number[],
  hashMemoryBytes: number,
): readonly number[] {
  const { layout } = sources[0] as VerifiedShare;
  for (let count = wantedNumbers.length; count > 1; count--) {
    const some = wantedNumbers.slice(0, count);
    const rowCount = count + lendingShares(layout.n, sources, some).length;
    if (hashMemoryOf(rowCount, layout, true) <= hashMemoryBytes) return some;
  }
  return wantedNumbers.slice(0, 1);
}

function hashMemoryOf(rowCount: number, layout: ShareLayout, writesAhead: boolean): number {
  return rowCount * blockHashBytes(layout, writesAhead) + 4 * layout.segmentCount * hashBytes;
}

/** Shares that must be computed although nobody wants them: their leaves are missing from the wanted shares' chains. */
function lendingShares(n: number, shares: readonly VerifiedShare[], wantedNumbers: readonly number[]): number[] {
  const tree = treeKnownFrom(n, shares);
  const missing = tree.missingLeaves(wantedNumbers.flatMap((shareNumber) => chainSiblings(n, shareNumber)));
  return [...missing].filter((shareNumber) => !wantedNumbers.includes(shareNumber));
}

function checkWanted(numbers: readonly number[], n: number): void {
  const isSound =
    new Set(numbers).size === numbers.length &&
    numbers.every((number) => Number.isInteger(number) && number >= 0 && number < n);
  if (numbers.length === 0 || !isSound) {
    throw new MeshwardError('bad-input', `cannot regenerate the shares ${numbers.join(', ') || '(none)'} of ${n}`, {
      next: `Name each wanted share once, with numbers from 0 to ${n - 1}.`,
    });
  }
}
