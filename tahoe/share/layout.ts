/** Where everything lies in the share data of a file of given numbers (FORMAT sections 4 and 5). */
import { checkCoding } from '#mesh/coding.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { paddedLeafCount } from './chain-order.ts';

/** Version 2 has 64-bit fields; Tahoe-LAFS writes it only where 32 bits do not do (shares over 4 GiB). */
export type ShareVersion = 1 | 2;

export interface FileShape {
  readonly k: number;
  readonly n: number;
  /** Size of the file, the same in plaintext and ciphertext. */
  readonly sizeBytes: number;
  /** A multiple of `k`. */
  readonly segmentBytes: number;
}

export interface ShareLayout extends FileShape {
  readonly version: ShareVersion;
  readonly segmentCount: number;
  /** Ciphertext in the last segment, without padding. */
  readonly tailSegmentBytes: number;
  readonly blockBytes: number;
  readonly tailBlockBytes: number;
  /** All blocks of one share. */
  readonly dataBytes: number;
  /** Leaves of the block and crypttext hash trees, padded to a power of two. */
  readonly leafCount: number;
  readonly treeBytes: number;
  readonly chainEntryCount: number;
  readonly chainBytes: number;
  readonly offsets: ShareOffsets;
}

/** Offsets from the start of the share data. */
export interface ShareOffsets {
  readonly blocks: number;
  /** Unused: zeros, of the size of a hash tree. */
  readonly plaintextTree: number;
  readonly crypttextTree: number;
  readonly blockTree: number;
  readonly chain: number;
  /** Of the UEB's length field; the UEB follows it. */
  readonly ueb: number;
}

export const hashBytes = 32;
export const chainEntryBytes = 2 + hashBytes;
export const defaultMaxSegmentBytes = 1024 * 1024;
/** Larger segments are refused: a window of one segment of every source and every new share must fit in memory. */
export const largestSegmentBytes = 64 * 1024 * 1024;

export const shareHeaderBytes: Readonly<Record<ShareVersion, number>> = { 1: 0x24, 2: 0x44 };
export const uebLengthFieldBytes: Readonly<Record<ShareVersion, number>> = { 1: 4, 2: 8 };

/**
 * @param version by default the one that Tahoe-LAFS chooses for these numbers.
 * @throws MeshwardError `bad-coding`, or `bad-input` where the numbers make no share that can be handled.
 */
export function computeLayout(shape: FileShape, version?: ShareVersion): ShareLayout {
  const { k, n } = checkCoding(shape.k, shape.n);
  const { sizeBytes, segmentBytes } = shape;
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 1) throw badShape(`a size of ${sizeBytes} bytes`);
  if (!Number.isSafeInteger(segmentBytes) || segmentBytes < 1 || segmentBytes % k !== 0) {
    throw badShape(`segments of ${segmentBytes} bytes, which is no multiple of k = ${k}`);
  }
  if (segmentBytes > largestSegmentBytes) {
    throw badShape(`segments of ${segmentBytes} bytes, above the limit of ${largestSegmentBytes}`);
  }
  const segmentCount = Math.ceil(sizeBytes / segmentBytes);
  const tailSegmentBytes = sizeBytes - (segmentCount - 1) * segmentBytes;
  const blockBytes = segmentBytes / k;
  const tailBlockBytes = Math.ceil(tailSegmentBytes / k);
  const dataBytes = (segmentCount - 1) * blockBytes + tailBlockBytes;
  const leafCount = paddedLeafCount(segmentCount);
  const treeBytes = hashBytes * (2 * leafCount - 1);
  const chainEntryCount = Math.log2(paddedLeafCount(n)) + 1;
  const sizes = { dataBytes, treeBytes, chainBytes: chainEntryCount * chainEntryBytes };
  const narrow = offsetsFor(1, sizes);
  if (!Number.isSafeInteger(narrow.ueb + 2 ** 20)) throw badShape(`a share beyond ${Number.MAX_SAFE_INTEGER} bytes`);
  const isNarrow = Math.max(blockBytes, dataBytes, narrow.ueb) < 2 ** 32;
  if (version === 1 && !isNarrow) throw badShape('a share over 4 GiB, which version 1 cannot hold');
  const chosen = version ?? (isNarrow ? 1 : 2);
  const offsets = chosen === 1 ? narrow : offsetsFor(2, sizes);
  return {
    k,
    n,
    sizeBytes,
    segmentBytes,
    version: chosen,
    segmentCount,
    tailSegmentBytes,
    blockBytes,
    tailBlockBytes,
    leafCount,
    chainEntryCount,
    ...sizes,
    offsets,
  };
}

/** Segment size that Tahoe-LAFS takes for a new file; for an existing one it stands in the UEB. */
export function chooseSegmentBytes(sizeBytes: number, k: number, maxSegmentBytes = defaultMaxSegmentBytes): number {
  return Math.ceil(Math.min(maxSegmentBytes, sizeBytes) / k) * k;
}

/** Length of the whole share data: the `allocated-size` of an upload. */
export function shareTotalBytes(layout: ShareLayout, uebBytes: number): number {
  return layout.offsets.ueb + uebLengthFieldBytes[layout.version] + uebBytes;
}

/** Bytes of `count` blocks from segment `firstSegment` on, in one share. */
export function blockSpanBytes(layout: ShareLayout, firstSegment: number, count: number): number {
  const hasTail = firstSegment + count === layout.segmentCount;
  return hasTail ? (count - 1) * layout.blockBytes + layout.tailBlockBytes : count * layout.blockBytes;
}

/** Ciphertext bytes of `count` segments from `firstSegment` on, without the tail's padding. */
export function segmentSpanBytes(layout: ShareLayout, firstSegment: number, count: number): number {
  const hasTail = firstSegment + count === layout.segmentCount;
  return hasTail ? (count - 1) * layout.segmentBytes + layout.tailSegmentBytes : count * layout.segmentBytes;
}

function offsetsFor(
  version: ShareVersion,
  sizes: { dataBytes: number; treeBytes: number; chainBytes: number },
): ShareOffsets {
  const blocks = shareHeaderBytes[version];
  const plaintextTree = blocks + sizes.dataBytes;
  const crypttextTree = plaintextTree + sizes.treeBytes;
  const blockTree = crypttextTree + sizes.treeBytes;
  const chain = blockTree + sizes.treeBytes;
  return { blocks, plaintextTree, crypttextTree, blockTree, chain, ueb: chain + sizes.chainBytes };
}

function badShape(what: string): MeshwardError {
  return new MeshwardError('bad-input', `cannot lay out a share of a file with ${what}`, {
    next: 'Give a size of at least one byte and a segment size that is a multiple of k and at most 64 MiB.',
  });
}
