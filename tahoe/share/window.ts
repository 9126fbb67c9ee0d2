/** Work goes through a file in windows: a few consecutive segments of all shares at once, in bounded memory. */
import { blockSpanBytes, type ShareLayout, segmentSpanBytes } from './layout.ts';

/** Memory for the blocks of one window, read and made. Two are held: one is read while the other is worked on. */
export const defaultWindowBytes = 16 * 1024 * 1024;

export interface SegmentSpan {
  readonly firstSegment: number;
  readonly count: number;
}

/**
 * The spans of segments that cover `firstSegment` to `endSegment`. A short last segment has a span of its own, so that
 * all blocks of a span have one length and lie beside each other.
 *
 * @param rowCount shares that are read or made; at least one segment is taken however large it is.
 */
export function* segmentSpans(
  layout: ShareLayout,
  rowCount: number,
  windowBytes: number,
  firstSegment = 0,
  endSegment = layout.segmentCount,
): Generator<SegmentSpan> {
  const perSegment = layout.blockBytes * rowCount;
  const fitting = Math.max(1, Math.floor(windowBytes / perSegment));
  // Blocks are hashed in pairs: an odd one out costs as much as two.
  const most = fitting > 1 ? fitting - (fitting % 2) : 1;
  const hasShortTail = endSegment === layout.segmentCount && layout.tailSegmentBytes < layout.segmentBytes;
  const endOfFull = hasShortTail ? endSegment - 1 : endSegment;
  for (let first = firstSegment; first < endOfFull; first += most) {
    yield { firstSegment: first, count: Math.min(most, endOfFull - first) };
  }
  if (hasShortTail) yield { firstSegment: endSegment - 1, count: 1 };
}

/** Length of one block of the span: shorter than the others' in a short last segment. */
export function blockBytesIn(layout: ShareLayout, span: SegmentSpan): number {
  return blockSpanBytes(layout, span.firstSegment, span.count) / span.count;
}

/** `bytes` in pieces of `pieceBytes`, without copying. */
export function cutEvenly(bytes: Uint8Array, pieceBytes: number): Uint8Array[] {
  const count = bytes.length / pieceBytes;
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * pieceBytes, (i + 1) * pieceBytes));
}

/** Memory that is used again by every window: fresh pages cost more than the work done in them. */
export class Scratch {
  #bytes: Uint8Array = new Uint8Array(0);

  /** `length` bytes of any content, good until the next call. */
  take(length: number): Uint8Array {
    if (this.#bytes.length < length) this.#bytes = Buffer.allocUnsafeSlow(length);
    return this.#bytes.subarray(0, length);
  }

  /** Gives the memory back, without waiting for the collector of garbage. Nobody may look at what was taken any more. */
  free(): void {
    (this.#bytes.buffer as ArrayBuffer).transfer(0);
    this.#bytes = new Uint8Array(0);
  }
}

/**
 * Puts primary blocks together to segments: `primary[p]` holds block p of each segment of the span, one after another.
 *
 * @returns the ciphertext, without the padding of the last segment.
 */
export function joinSegments(
  layout: ShareLayout,
  span: SegmentSpan,
  primary: readonly Uint8Array[],
  scratch = new Scratch(),
): Uint8Array {
  const { k } = layout;
  const blockBytes = blockBytesIn(layout, span);
  const joined = scratch.take(blockBytes * k * span.count);
  for (let i = 0; i < span.count; i++) {
    const from = i * blockBytes;
    for (let p = 0; p < k; p++) {
      joined.set((primary[p] as Uint8Array).subarray(from, from + blockBytes), (i * k + p) * blockBytes);
    }
  }
  return joined.subarray(0, segmentSpanBytes(layout, span.firstSegment, span.count));
}

/**
 * Cuts segments into primary blocks, as {@link joinSegments} put them together; the last block is padded with zeros.
 *
 * @param segments the ciphertext of the span.
 * @returns the blocks of share 0, then those of share 1, and so on to k - 1.
 */
export function splitSegments(
  layout: ShareLayout,
  span: SegmentSpan,
  segments: Uint8Array,
  scratch: Scratch,
): Uint8Array {
  const { k } = layout;
  const blockBytes = blockBytesIn(layout, span);
  const split = scratch.take(blockBytes * k * span.count);
  for (let i = 0; i < span.count; i++) {
    for (let p = 0; p < k; p++) {
      const from = (i * k + p) * blockBytes;
      const to = (p * span.count + i) * blockBytes;
      const block = segments.subarray(from, from + blockBytes);
      split.set(block, to);
      if (block.length < blockBytes) split.fill(0, to + block.length, to + blockBytes);
    }
  }
  return split;
}
