/** The share hash chain: what binds the root of one share's block hash tree to the file (FORMAT section 6). */
import { pairHash } from '#native/hash.ts';
import { type ChainOrderRule, chainOrder, chainSiblings, paddedLeafCount } from './chain-order.ts';
import { type ShareHashTree, sameHash } from './hash-tree.ts';
import { chainEntryBytes, hashBytes } from './layout.ts';
import { shareError } from './share-errors.ts';

/** Entries as they stand in the share; not authenticated before {@link verifyChain}. */
export interface ShareChain {
  /** Node numbers in the order of the share: needed to write regenerated shares in the same manner. */
  readonly order: readonly number[];
  readonly hashes: ReadonlyMap<number, Uint8Array>;
}

/** A verified chain: every hash follows from the file's share root hash. */
export interface VerifiedChain extends ShareChain {
  readonly shareNumber: number;
  /** Root of the share's block hash tree. */
  readonly leafHash: Uint8Array;
  /** Nodes on the path and beside it, the leaf included. */
  readonly known: ReadonlyMap<number, Uint8Array>;
}

export function parseChain(bytes: Uint8Array): ShareChain {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const order: number[] = [];
  const hashes = new Map<number, Uint8Array>();
  for (let offset = 0; offset + chainEntryBytes <= bytes.length; offset += chainEntryBytes) {
    const node = view.getUint16(offset);
    order.push(node);
    hashes.set(node, bytes.slice(offset + 2, offset + chainEntryBytes));
  }
  return { order, hashes };
}

/** @throws MeshwardError `share-corrupt`, or `share-mismatch` where the chain is that of another share number. */
export function verifyChain(
  chain: ShareChain,
  n: number,
  shareNumber: number,
  shareRootHash: Uint8Array,
): VerifiedChain {
  const siblings = chainSiblings(n, shareNumber);
  let node = paddedLeafCount(n) - 1 + shareNumber;
  const leafHash = chain.hashes.get(node);
  if (leafHash === undefined || chain.hashes.size !== siblings.length + 1) throw foreignChain(chain, n, shareNumber);
  const known = new Map<number, Uint8Array>([[node, leafHash]]);
  let hash = leafHash;
  for (const sibling of siblings) {
    const beside = chain.hashes.get(sibling);
    if (beside === undefined) throw foreignChain(chain, n, shareNumber);
    known.set(sibling, beside);
    hash = sibling < node ? pairHash(beside, hash) : pairHash(hash, beside);
    node = (node - 1) >> 1;
    known.set(node, hash);
  }
  if (!sameHash(hash, shareRootHash)) {
    throw shareError('share-corrupt', 'the share hash chain does not lead to the root hash of the file');
  }
  return { ...chain, shareNumber, leafHash, known };
}

/**
 * The share number that a chain was written for, or null where it fits none. A chain names a leaf and its sibling; the
 * root of the share's own block hash tree tells which of them it is.
 */
export function identifyShareNumber(chain: ShareChain, n: number, blockTreeRoot: Uint8Array): number | null {
  const firstLeaf = paddedLeafCount(n) - 1;
  for (const [node, hash] of chain.hashes) {
    const shareNumber = node - firstLeaf;
    if (shareNumber >= 0 && shareNumber < n && sameHash(hash, blockTreeRoot)) return shareNumber;
  }
  return null;
}

/**
 * The chain of a regenerated share, in the file's own order of entries.
 *
 * @returns null where the tree lacks a hash, or where its hashes do not lead to `shareRootHash`.
 */
export function buildChain(
  tree: ShareHashTree,
  n: number,
  shareNumber: number,
  shareRootHash: Uint8Array,
  rule: ChainOrderRule,
): Uint8Array | null {
  const siblings = chainSiblings(n, shareNumber);
  let node = tree.leafNode(shareNumber);
  let hash = tree.resolve(node);
  if (hash === null) return null;
  const hashes = new Map<number, Uint8Array>([[node, hash]]);
  for (const sibling of siblings) {
    const beside = tree.resolve(sibling);
    if (beside === null) return null;
    hashes.set(sibling, beside);
    hash = sibling < node ? pairHash(beside, hash) : pairHash(hash, beside);
    node = (node - 1) >> 1;
  }
  return sameHash(hash, shareRootHash) ? writeChain(hashes, chainOrder(n, shareNumber, rule)) : null;
}

function writeChain(hashes: ReadonlyMap<number, Uint8Array>, order: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(order.length * chainEntryBytes);
  const view = new DataView(bytes.buffer);
  order.forEach((node, i) => {
    view.setUint16(i * chainEntryBytes, node);
    bytes.set(hashes.get(node) ?? new Uint8Array(hashBytes), i * chainEntryBytes + 2);
  });
  return bytes;
}

function foreignChain(chain: ShareChain, n: number, shareNumber: number): Error {
  const firstLeaf = paddedLeafCount(n) - 1;
  const leaves = chain.order.filter((node) => node >= firstLeaf).map((node) => node - firstLeaf);
  const isSoundElsewhere =
    leaves.length > 0 &&
    leaves.every((leaf) => leaf < paddedLeafCount(n)) &&
    chainSiblings(n, leaves[0] as number).every((sibling) => chain.hashes.has(sibling));
  return isSoundElsewhere
    ? shareError('share-mismatch', `its hash chain is not that of share ${shareNumber}, but of ${leaves.join(' or ')}`)
    : shareError('share-corrupt', `its hash chain does not hold the nodes of share ${shareNumber}`);
}
