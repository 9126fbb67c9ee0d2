/** SHA-256d hashes as Tahoe-LAFS shares hold them (share format, section 6). Digests are 32 bytes. */
import { MeshwardError } from '#mesh/errors.ts';
import { loadNative } from './load.ts';

export const digestBytes = 32;

/** The tags of share hashes, by what is hashed. */
export const hashTags = {
  block: 'allmydata_encoded_subshare_v1',
  'crypttext-segment': 'allmydata_crypttext_segment_v1',
} as const;

/** What a block hash is of: a share's block, or a segment of the ciphertext. */
export type BlockHashTag = keyof typeof hashTags;

/** SHA256(SHA256(data)). */
export function sha256d(data: Uint8Array): Uint8Array {
  return hashAll(null, [data]);
}

/** SHA256(SHA256(netstring(tag) + data)). @param tag at most 128 bytes of UTF-8. */
export function taggedHash(tag: string, data: Uint8Array): Uint8Array {
  return hashAll(tag, [data]);
}

/** The tagged hash of every block, 32 bytes each, one after another. Blocks of one length beside each other are fastest. */
export function hashMany(tag: string, blocks: readonly Uint8Array[]): Uint8Array {
  return hashAll(tag, blocks);
}

/** The hashes of `data` cut into blocks of `blockBytes`, 32 bytes each; the last block may be short. */
export function blockHashes(data: Uint8Array, blockBytes: number, tag: BlockHashTag): Uint8Array {
  refuseBlockBytes(blockBytes);
  const digests = new Uint8Array(Math.ceil(data.length / blockBytes) * digestBytes);
  runNative(() => loadNative().blockHashes(hashTags[tag], data, blockBytes, digests));
  return digests;
}

/** @throws MeshwardError `bad-input` for what is no length of blocks. */
export function refuseBlockBytes(blockBytes: number): void {
  if (!Number.isSafeInteger(blockBytes) || blockBytes < 1) throw badInput(`a block size of ${blockBytes} bytes`);
}

/**
 * The whole Merkle tree over the leaves, breadth first: node 0 is the root, the children of node i are 2i + 1 and 2i + 2.
 * Leaves are padded to a power of two P with "Merkle tree empty leaf" hashes: (2P − 1) × 32 bytes.
 */
export function hashTree(leafHashes: Uint8Array): Uint8Array {
  if (leafHashes.length === 0 || leafHashes.length % digestBytes !== 0)
    throw badInput(`leaf hashes of ${leafHashes.length} bytes`);
  const leafCount = leafHashes.length / digestBytes;
  const nodes = new Uint8Array((2 * paddedLeafCount(leafCount) - 1) * digestBytes);
  runNative(() => loadNative().hashTree(leafHashes, nodes));
  return nodes;
}

/** The smallest power of two that is at least `leafCount`. */
export function paddedLeafCount(leafCount: number): number {
  let padded = 1;
  while (padded < leafCount) padded *= 2;
  return padded;
}

/** The hash of an inner node of such a tree. */
export function pairHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  const digest = new Uint8Array(digestBytes);
  runNative(() => loadNative().pairHash(left, right, digest));
  return digest;
}

function hashAll(tag: string | null, blocks: readonly Uint8Array[]): Uint8Array {
  const digests = new Uint8Array(blocks.length * digestBytes);
  runNative(() => loadNative().doubleHash(tag, blocks, digests));
  return digests;
}

function runNative(call: () => void): void {
  try {
    call();
  } catch (error) {
    if (error instanceof MeshwardError) throw error;
    throw badInput(error instanceof Error ? error.message : String(error), error);
  }
}

function badInput(reason: string, cause?: unknown): MeshwardError {
  return new MeshwardError('bad-input', `cannot hash: ${reason}`, {
    next: 'Give Uint8Arrays, digests of 32 bytes, whole positive block sizes and a tag of at most 128 bytes.',
    cause,
  });
}
