/** New files: from ciphertext of known size to `n` shares, as Tahoe-LAFS 1.20 writes them. */
import { createHash } from 'node:crypto';
import { literalMaxBytes } from '#mesh/caps.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { Manifest } from '#mesh/manifest.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { encodeAsync } from '#native/codec.ts';
import { blockHashesAsync } from '#native/threaded-hash.ts';
import { readAhead } from './decode.ts';
import { computeTree, ShareHashTree, treeNode } from './hash-tree.ts';
import {
  chooseSegmentBytes,
  computeLayout,
  hashBytes,
  type ShareLayout,
  type ShareVersion,
  segmentSpanBytes,
} from './layout.ts';
import { buildChain } from './share-chain.ts';
import { appendHashedBlocks, type ShareSink, ShareWriter } from './share-writer.ts';
import { throwIfCancelled } from './source-set.ts';
import { buildUeb, deriveManifest, type Ueb, uebBytesOf } from './ueb.ts';
import {
  blockBytesIn,
  cutEvenly,
  defaultWindowBytes,
  Scratch,
  type SegmentSpan,
  segmentSpans,
  splitSegments,
} from './window.ts';

export interface EncodeRequest {
  readonly storageIndex: StorageIndex;
  readonly k: number;
  readonly n: number;
  /** Size of the file; `ciphertext` must give exactly this much. */
  readonly sizeBytes: number;
  readonly ciphertext: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  /** Where a share goes, or null where only its hashes are needed. */
  readonly sink: (shareNumber: number) => ShareSink | null;
  /** A multiple of `k`. @default what Tahoe-LAFS takes: up to 1 MiB */
  readonly segmentBytes?: number | undefined;
  /** @default what Tahoe-LAFS takes: 2 for shares over 4 GiB */
  readonly shareVersion?: ShareVersion | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Memory for one window of blocks. @default 16 MiB */
  readonly windowBytes?: number | undefined;
}

export interface EncodeResult {
  readonly manifest: Manifest;
  readonly ueb: Ueb;
  readonly shareBytes: number;
  /** Shares whose sink failed; the others were written all the same. */
  readonly failed: readonly { readonly shareNumber: number; readonly error: unknown }[];
}

/**
 * Streams: memory is one window of blocks of all shares, and 32 bytes a segment for each share whose sink takes nothing ahead.
 *
 * @throws MeshwardError `bad-input` (a file so small that its cap holds it, or a ciphertext of another size), `bad-coding`, `cancelled`.
 */
export async function encodeShares(request: EncodeRequest): Promise<EncodeResult> {
  const { k, n, sizeBytes } = request;
  refuseLiteral(sizeBytes);
  const segmentBytes = request.segmentBytes ?? chooseSegmentBytes(sizeBytes, k);
  const layout = computeLayout({ k, n, sizeBytes, segmentBytes }, request.shareVersion);
  const uebBytes = uebBytesOf(layout);
  const writers = Array.from(
    { length: n },
    (_, number) => new ShareWriter(number, layout, uebBytes, request.sink(number)),
  );
  try {
    await Promise.all(writers.map((writer) => writer.begin()));
    const crypttext = await encodeBlocks(layout, request, writers);
    const ueb = await endShares(layout, writers, crypttext);
    const failed = writers.filter((writer) => writer.error !== null);
    return {
      manifest: deriveManifest(request.storageIndex, ueb),
      ueb,
      shareBytes: (writers[0] as ShareWriter).totalBytes,
      failed: failed.map(({ shareNumber, error }) => ({ shareNumber, error })),
    };
  } catch (error) {
    await Promise.all(writers.map((writer) => writer.abort(error)));
    throw error;
  }
}

interface CrypttextHashes {
  readonly segmentHashes: Uint8Array;
  readonly wholeHash: Uint8Array;
}

async function encodeBlocks(
  layout: ShareLayout,
  request: EncodeRequest,
  writers: readonly ShareWriter[],
): Promise<CrypttextHashes> {
  const { k, n } = layout;
  const { signal } = request;
  const segmentHashes = new Uint8Array(layout.segmentCount * hashBytes);
  const tag = 'allmydata_crypttext_v1';
  const whole = createHash('sha256').update(`${tag.length}:${tag},`);
  const wantedNumbers = Array.from({ length: n - k }, (_, i) => k + i);
  const primaryScratch = new Scratch();
  const secondaryScratch = new Scratch();
  const windows = segmentWindows(layout, request);
  for await (const { span, segments } of windows) {
    throwIfCancelled(signal);
    const blockBytes = blockBytesIn(layout, span);
    const primary = splitSegments(layout, span, segments, primaryScratch);
    const spanBytes = primary.length / k;
    const secondary = secondaryScratch.take(spanBytes * (n - k));
    const outputs = cutEvenly(secondary, spanBytes);
    const working = Promise.all([
      encodeAsync({ k, n, primary: cutEvenly(primary, spanBytes), wantedNumbers, outputs }),
      blockHashesAsync(segments, layout.segmentBytes, 'crypttext-segment'),
      blockHashesAsync(primary, blockBytes, 'block'),
    ]);
    // What must go from the first byte to the last is done beside the threads.
    whole.update(segments);
    const [, crypttextHashes, primaryHashes] = await working;
    segmentHashes.set(crypttextHashes, span.firstSegment * hashBytes);
    await appendHashedBlocks(span, writers.slice(0, k), primary, primaryHashes);
    if (n === k) continue;
    const secondaryHashes = await blockHashesAsync(secondary, blockBytes, 'block');
    await appendHashedBlocks(span, writers.slice(k), secondary, secondaryHashes);
  }
  return { segmentHashes, wholeHash: createHash('sha256').update(whole.digest()).digest() };
}

/** The ciphertext of each span, read while the one before it is worked on. Each is good until the next but one is asked for. */
async function* segmentWindows(
  layout: ShareLayout,
  request: EncodeRequest,
): AsyncGenerator<{ readonly span: SegmentSpan; readonly segments: Uint8Array }> {
  const reader = new ExactReader(request.ciphertext);
  const scratches = [new Scratch(), new Scratch()] as const;
  let turn = 0;
  const read = (span: SegmentSpan): Promise<Uint8Array> =>
    reader.read((scratches[turn++ % 2] as Scratch).take(segmentSpanBytes(layout, span.firstSegment, span.count)));
  try {
    const spans = segmentSpans(layout, layout.n, request.windowBytes ?? defaultWindowBytes);
    for await (const { span, window } of readAhead(spans, read)) yield { span, segments: window };
    await reader.expectEnd();
  } finally {
    await reader.close();
  }
}

async function endShares(
  layout: ShareLayout,
  writers: readonly ShareWriter[],
  crypttext: CrypttextHashes,
): Promise<Ueb> {
  const crypttextTree = computeTree(crypttext.segmentHashes);
  const shareTree = new ShareHashTree(layout.n);
  for (const writer of writers) {
    shareTree.learn(shareTree.leafNode(writer.shareNumber), writer.blockRoot(crypttextTree));
  }
  const shareRootHash = shareTree.resolve(0) as Uint8Array;
  const ueb = buildUeb(layout, {
    crypttextHash: crypttext.wholeHash,
    crypttextRootHash: treeNode(crypttextTree, 0),
    shareRootHash,
  });
  for (const writer of writers) {
    const chain = buildChain(shareTree, layout.n, writer.shareNumber, shareRootHash, 'python3') as Uint8Array;
    await writer.end({ crypttextTree, chain, ueb: ueb.bytes });
  }
  return ueb;
}

/** Files this small are their own cap and have no shares: `formatCap({ kind: 'literal', data })`. */
export function refuseLiteral(sizeBytes: number): void {
  if (sizeBytes > literalMaxBytes) return;
  throw new MeshwardError('bad-input', `a file of ${sizeBytes} bytes has no shares`, {
    next: `Files of at most ${literalMaxBytes} bytes are kept in a literal cap (URI:LIT:…): make that instead.`,
  });
}

/** Gathers chunks of any length to the lengths asked for. */
class ExactReader {
  readonly #iterator: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
    this.#iterator = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]();
  }

  /** Fills the bytes, and gives them back. */
  async read(bytes: Uint8Array): Promise<Uint8Array> {
    const { length } = bytes;
    let filled = 0;
    while (filled < length) {
      if (this.#rest.length === 0 && !(await this.#next())) throw wrongSize('ended before the size that was given');
      const part = this.#rest.subarray(0, length - filled);
      bytes.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return bytes;
  }

  async expectEnd(): Promise<void> {
    while (this.#rest.length === 0) {
      if (!(await this.#next())) return;
    }
    throw wrongSize('goes on after the size that was given');
  }

  async close(): Promise<void> {
    await this.#iterator.return?.();
  }

  async #next(): Promise<boolean> {
    const step = await this.#iterator.next();
    if (step.done === true) return false;
    this.#rest = step.value;
    return true;
  }
}

function wrongSize(what: string): MeshwardError {
  return new MeshwardError('bad-input', `the file ${what}`, {
    next: 'Give its exact size, and let nothing write to it meanwhile.',
  });
}
