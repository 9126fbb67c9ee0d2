/**
 * New blocks of one window of a file. Each source block is hashed in the pass that computes from it, each new one in the pass
 * that wrote it, while they are in the processor's cache and on the addon's own threads; what was computed from a block whose
 * hash is not what it must be is thrown away, and the window is made again from another share.
 */
import { regenerateSegmentsAsync, type SegmentBlocks } from '#native/segments.ts';
import { hashBytes, type ShareLayout } from './layout.ts';
import type { BadBlock, SourceSet, UncheckedWindow } from './source-set.ts';
import { blockBytesIn, type Scratch, type SegmentSpan } from './window.ts';

export interface MadeWindow {
  /** The sources, every block of them checked. */
  readonly window: UncheckedWindow;
  readonly madeNumbers: readonly number[];
  /** The new blocks, one share after another: good until the scratch is taken again. */
  readonly made: Uint8Array;
  /** Their hashes, 32 bytes for each block, in the same order. */
  readonly madeHashes: Uint8Array;
}

/** Blocks that one call takes: their descriptors are made on the event loop, which files of tiny segments would hold up. */
const mostBlocksPerCall = 4096;

/**
 * @param wanted which shares' blocks are made, out of those of the given numbers; none where it is only to be checked.
 * @throws MeshwardError `not-enough-shares` where a bad share cannot be replaced, `cancelled`.
 */
export async function makeWindow(
  set: SourceSet,
  layout: ShareLayout,
  span: SegmentSpan,
  read: UncheckedWindow,
  wanted: (sourceNumbers: readonly number[]) => readonly number[],
  scratch: Scratch,
  signal: AbortSignal | undefined,
): Promise<MadeWindow> {
  for (let window = read; ; ) {
    const madeNumbers = wanted(window.numbers);
    const { made, madeHashes, bad } = await compute(layout, span, window, madeNumbers, scratch, signal);
    if (bad.length === 0) return { window, madeNumbers, made, madeHashes };
    window = await set.replaceBad(window, bad);
  }
}

async function compute(
  layout: ShareLayout,
  span: SegmentSpan,
  window: UncheckedWindow,
  madeNumbers: readonly number[],
  scratch: Scratch,
  signal: AbortSignal | undefined,
): Promise<{ readonly made: Uint8Array; readonly madeHashes: Uint8Array; readonly bad: readonly BadBlock[] }> {
  const { k, n } = layout;
  const blockBytes = blockBytesIn(layout, span);
  const made = scratch.take(blockBytes * span.count * madeNumbers.length);
  const madeHashes = new Uint8Array(hashBytes * span.count * madeNumbers.length);
  const bad = new Map<number, BadBlock>();
  const perCall = Math.max(1, Math.floor(mostBlocksPerCall / (k + madeNumbers.length)));
  for (let first = 0; first < span.count; first += perCall) {
    const segments = Array.from({ length: Math.min(perCall, span.count - first) }, (_, i) =>
      blocksOfSegment(first + i, blockBytes, span.count, window.blocks, made, madeNumbers.length),
    );
    const request = { k, n, sourceNumbers: window.numbers, wantedNumbers: madeNumbers, segments };
    const results = await regenerateSegmentsAsync(request, signal === undefined ? {} : { signal });
    for (const [i, { sourceHashes, outputHashes }] of results.entries()) {
      const at = first + i;
      for (let slot = 0; slot < k; slot++) {
        const expected = window.expectedHashes[slot] as Uint8Array;
        if (sameAt(sourceHashes, slot, expected, at) || bad.has(slot)) continue;
        bad.set(slot, { slot, segment: span.firstSegment + at });
      }
      for (let share = 0; share < madeNumbers.length; share++) {
        const hash = outputHashes.subarray(share * hashBytes, (share + 1) * hashBytes);
        madeHashes.set(hash, (share * span.count + at) * hashBytes);
      }
    }
    // The rest would be computed from the same bad share.
    if (bad.size > 0) break;
  }
  return { made, madeHashes, bad: [...bad.values()] };
}

/** Blocks of a share lie one after another; a segment's are spread over all of them. */
function blocksOfSegment(
  segment: number,
  blockBytes: number,
  count: number,
  sources: readonly Uint8Array[],
  made: Uint8Array,
  madeCount: number,
): SegmentBlocks {
  const from = segment * blockBytes;
  const outputs: Uint8Array[] = [];
  for (let share = 0; share < madeCount; share++) {
    const at = share * count * blockBytes + from;
    outputs.push(made.subarray(at, at + blockBytes));
  }
  return { sources: sources.map((blocks) => blocks.subarray(from, from + blockBytes)), outputs };
}

function sameAt(hashes: Uint8Array, index: number, others: Uint8Array, otherIndex: number): boolean {
  const start = index * hashBytes;
  const otherStart = otherIndex * hashBytes;
  for (let i = 0; i < hashBytes; i++) if (hashes[start + i] !== others[otherStart + i]) return false;
  return true;
}
