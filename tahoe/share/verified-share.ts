/** One share, verified from the cap down (FORMAT section 8): UEB, share hash chain, block hash tree, then blocks as asked for. */

import { MeshwardError } from '#mesh/errors.ts';
import type { Manifest } from '#mesh/manifest.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { blockHashes } from '#native/hash.ts';
import { sameHash, treeNode } from './hash-tree.ts';
import { checkHeader, parseShareHeader, parseUebLength, type ShareHeader } from './header.ts';
import {
  blockSpanBytes,
  chooseSegmentBytes,
  computeLayout,
  hashBytes,
  type ShareLayout,
  shareHeaderBytes,
  shareTotalBytes,
  uebLengthFieldBytes,
} from './layout.ts';
import { PrefetchedSource, readExactly, type ShareSource } from './reader.ts';
import { identifyShareNumber, parseChain, type VerifiedChain, verifyChain } from './share-chain.ts';
import { shareError } from './share-errors.ts';
import { StoredTree } from './stored-tree.ts';
import { deriveManifest, layoutOfUeb, parseUeb, parseUebOf, type Ueb, uebLimitBytes } from './ueb.ts';

/**
 * Opens a share of the file that `manifest` names.
 *
 * @param shareNumber null where it is not known: the share itself tells.
 * @param headBytes a share up to this length is read in one request, and kept while it is open.
 * @throws MeshwardError of a share error code where the share is bad; whatever the source throws where it is unreachable.
 */
export function openShare(
  source: ShareSource,
  manifest: Manifest,
  shareNumber: number | null,
  headBytes = smallShareBytes,
): Promise<VerifiedShare> {
  const accept = (bytes: Uint8Array): { manifest: Manifest; ueb: Ueb } => ({
    manifest,
    ueb: parseUebOf(bytes, manifest),
  });
  return open(PrefetchedSource.read(source, headBytesFor(source, manifest, headBytes)), accept, shareNumber);
}

/**
 * Opens a share by what it says of itself, for want of a cap: proves that the share is whole, not that it is the
 * right file's ({@link deriveManifest}).
 *
 * @param shareNumber null where it is not known: the share itself tells.
 */
export function openShareOnTrust(
  source: ShareSource,
  storageIndex: StorageIndex,
  shareNumber: number | null,
): Promise<VerifiedShare> {
  const accept = (bytes: Uint8Array): { manifest: Manifest; ueb: Ueb } => {
    const ueb = parseUeb(bytes);
    return { manifest: deriveManifest(storageIndex, ueb), ueb };
  };
  return open(PrefetchedSource.read(source, headBytesFor(source, null, smallShareBytes)), accept, shareNumber);
}

export interface UncheckedBlocks {
  readonly blocks: Uint8Array;
  /** 32 bytes for each block. */
  readonly expectedHashes: Uint8Array;
}

/** What is wrong with a share whose block of this segment has another hash than its tree says. */
export function corruptBlock(segment: number): MeshwardError {
  return shareError('share-corrupt', `block ${segment} does not match its hash`, { details: { segment } });
}

export class VerifiedShare {
  readonly manifest: Manifest;
  readonly shareNumber: number;
  readonly ueb: Ueb;
  /** Its `version` is that of this share's header. */
  readonly layout: ShareLayout;
  readonly chain: VerifiedChain;
  readonly #source: ShareSource;
  readonly #blockTree: StoredTree;
  #crypttextTree: StoredTree | null = null;

  constructor(parts: {
    manifest: Manifest;
    ueb: Ueb;
    layout: ShareLayout;
    chain: VerifiedChain;
    source: ShareSource;
    blockTree: StoredTree;
  }) {
    this.manifest = parts.manifest;
    this.shareNumber = parts.chain.shareNumber;
    this.ueb = parts.ueb;
    this.layout = parts.layout;
    this.chain = parts.chain;
    this.#source = parts.source;
    this.#blockTree = parts.blockTree;
  }

  /** Length of the share data, without anything that may follow it. */
  get totalBytes(): number {
    return shareTotalBytes(this.layout, this.ueb.bytes.length);
  }

  /**
   * `count` consecutive blocks from segment `firstSegment` on, each checked against the block hash tree.
   *
   * @throws MeshwardError `share-corrupt` (its details name the first bad segment) or `share-truncated`.
   */
  async readBlocks(firstSegment: number, count: number): Promise<Uint8Array> {
    const { blocks, expectedHashes } = await this.readUnchecked(firstSegment, count);
    const bad = firstDifference(blockHashes(blocks, this.layout.blockBytes, 'block'), expectedHashes);
    if (bad >= 0) throw corruptBlock(firstSegment + bad);
    return blocks;
  }

  /**
   * The same blocks with the hashes that they must have, for who hashes them on the way: nothing may be made of a block
   * before its hash was compared.
   *
   * @throws MeshwardError `share-corrupt` for the block hash tree, `share-truncated`.
   */
  async readUnchecked(firstSegment: number, count: number): Promise<UncheckedBlocks> {
    const { layout } = this;
    if (firstSegment < 0 || count < 1 || firstSegment + count > layout.segmentCount) {
      throw new RangeError(`segments ${firstSegment}+${count} of ${layout.segmentCount}`);
    }
    const [expectedHashes, blocks] = await Promise.all([
      this.#blockTree.leaves(firstSegment, count),
      readExactly(
        this.#source,
        layout.offsets.blocks + firstSegment * layout.blockBytes,
        blockSpanBytes(layout, firstSegment, count),
        'blocks',
      ),
    ]);
    return { blocks, expectedHashes };
  }

  /** Of blocks that nobody looks at any more. */
  letGo(blocks: Uint8Array): void {
    this.#source.letGo?.(blocks);
  }

  /** Hashes of `count` ciphertext segments from `firstSegment` on, out of this share's copy of the crypttext hash tree. */
  async crypttextHashes(firstSegment: number, count: number): Promise<Uint8Array> {
    const tree = await this.#openCrypttextTree();
    return tree.leaves(firstSegment, count);
  }

  /** Checks every node of both hash trees; {@link readBlocks} checks what it needs. */
  async verifyTrees(): Promise<void> {
    await this.#blockTree.verifyEveryNode();
    const tree = await this.#openCrypttextTree();
    await tree.verifyEveryNode();
  }

  /** Only when nobody looks at any of its blocks and hashes any more. */
  async close(): Promise<void> {
    await this.#source.close?.();
  }

  async #openCrypttextTree(): Promise<StoredTree> {
    this.#crypttextTree ??= await StoredTree.open(this.#source, {
      name: 'crypttext hash tree',
      offset: this.layout.offsets.crypttextTree,
      leafCount: this.layout.leafCount,
      root: this.ueb.crypttextRootHash,
    });
    return this.#crypttextTree;
  }
}

/** Shares up to this length are read in one request. */
const smallShareBytes = 64 * 1024;
/** Block hash tree, chain and UEB of a share are read in one request up to this length: files to 1 GiB as a rule. */
const largestTailBytes = 96 * 1024;

async function open(
  reading: Promise<PrefetchedSource>,
  acceptUeb: (bytes: Uint8Array) => { manifest: Manifest; ueb: Ueb },
  shareNumber: number | null,
): Promise<VerifiedShare> {
  const source = await reading;
  const header = parseShareHeader(await source.read(0, shareHeaderBytes[2]), source.lengthBytes);
  const { blockTree: tailOffset, ueb: uebOffset } = header.offsets;
  const tailBytes = uebOffset - tailOffset + uebLengthFieldBytes[header.version] + uebLimitBytes;
  if (tailBytes <= largestTailBytes) await source.prefetchTail(tailOffset, tailBytes);
  const { manifest, ueb } = acceptUeb(await readUeb(source, header));
  const layout = layoutOfUeb(ueb, header.version);
  checkHeader(header, layout);
  if (shareNumber !== null && shareNumber >= layout.n) {
    throw shareError('share-mismatch', `share number ${shareNumber} of a file with ${layout.n} shares`);
  }
  const chain = parseChain(await readExactly(source, layout.offsets.chain, layout.chainBytes, 'share hash chain'));
  const storedRoot = await readExactly(source, layout.offsets.blockTree, hashBytes, 'block hash tree');
  const found = identifyShareNumber(chain, layout.n, storedRoot);
  const claimed = shareNumber ?? found;
  if (claimed === null)
    throw shareError('share-corrupt', 'its block hash tree is not the one that its hash chain names');
  const verified = verifyChain(chain, layout.n, claimed, ueb.shareRootHash);
  // With k = 1 all shares are equal, so that a look at the chain's leaves alone would take one for its sibling.
  if (found !== null && !sameHash(verified.leafHash, storedRoot)) {
    throw shareError('share-mismatch', `it is share ${found} and not share ${claimed}`);
  }
  const blockTree = await StoredTree.open(source, {
    name: 'block hash tree',
    offset: layout.offsets.blockTree,
    leafCount: layout.leafCount,
    root: verified.leafHash,
  });
  source.dropTail();
  return new VerifiedShare({ manifest, ueb, layout, chain: verified, source, blockTree });
}

async function readUeb(source: ShareSource, header: ShareHeader): Promise<Uint8Array> {
  const fieldBytes = uebLengthFieldBytes[header.version];
  // One request for both; the share ends somewhere inside it.
  const tail = await source.read(header.offsets.ueb, fieldBytes + uebLimitBytes);
  const length = parseUebLength(tail, header.version);
  if (length >= uebLimitBytes) throw shareError('share-malformed', `a UEB of ${length} bytes`);
  if (tail.length < fieldBytes + length) throw shareError('share-truncated', 'the share ends inside its UEB');
  return tail.slice(fieldBytes, fieldBytes + length);
}

/** The whole share where it is small, as far as the file's size tells; else its header. */
function headBytesFor(source: ShareSource, manifest: Manifest | null, mostBytes: number): number {
  if (typeof source.lengthBytes === 'number') {
    return source.lengthBytes <= mostBytes ? source.lengthBytes : shareHeaderBytes[2];
  }
  if (manifest === null) return shareHeaderBytes[2];
  const { k, n, sizeBytes } = manifest;
  if (sizeBytes > mostBytes * k) return shareHeaderBytes[2];
  try {
    // Segments may be smaller than the default, which lengthens the trees: then there is a second request.
    const layout = computeLayout({ k, n, sizeBytes, segmentBytes: chooseSegmentBytes(sizeBytes, k) });
    const totalBytes = shareTotalBytes(layout, uebLimitBytes);
    return totalBytes <= mostBytes ? totalBytes : Math.min(smallShareBytes, totalBytes);
  } catch (error) {
    if (error instanceof MeshwardError) return shareHeaderBytes[2];
    throw error;
  }
}

function firstDifference(hashes: Uint8Array, expected: Uint8Array): number {
  if (Buffer.compare(hashes, expected) === 0) return -1;
  for (let i = 0; i * hashBytes < hashes.length; i++) {
    if (Buffer.compare(treeNode(hashes, i), treeNode(expected, i)) !== 0) return i;
  }
  return hashes.length / hashBytes;
}
