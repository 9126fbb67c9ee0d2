/** Merkle trees as Tahoe-LAFS stores them: breadth first, node 0 is the root (FORMAT section 6). */
import { hashTree, pairHash, taggedHash } from '#native/hash.ts';
import { paddedLeafCount } from './chain-order.ts';
import { hashBytes } from './layout.ts';

export { hashTree as computeTree };

export function treeNode(tree: Uint8Array, node: number): Uint8Array {
  return tree.subarray(node * hashBytes, (node + 1) * hashBytes);
}

export function sameHash(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** The leaf that stands at `index`, counted from leaf 0, where there is nothing to hash. */
export function paddingLeaf(index: number): Uint8Array {
  return taggedHash('Merkle tree empty leaf', Buffer.from(String(index)));
}

/**
 * The share hash tree of one file, as far as it is known: nodes learned from the chains of surviving shares, leaves
 * of regenerated ones, and what follows from them.
 */
export class ShareHashTree {
  readonly leafCount: number;
  readonly #shareCount: number;
  readonly #known = new Map<number, Uint8Array>();

  /** @param n how many shares the file has. */
  constructor(n: number) {
    this.#shareCount = n;
    this.leafCount = paddedLeafCount(n);
  }

  /** Keeps a hash that is known to be true. */
  learn(node: number, hash: Uint8Array): void {
    this.#known.set(node, hash);
  }

  leafNode(shareNumber: number): number {
    return this.leafCount - 1 + shareNumber;
  }

  /** The hash at `node`, or null where it depends on a leaf that is not known. */
  resolve(node: number): Uint8Array | null {
    const known = this.#known.get(node);
    if (known !== undefined) return known;
    if (node >= this.leafCount - 1) {
      const index = node - (this.leafCount - 1);
      return index < this.#shareCount ? null : this.#keep(node, paddingLeaf(index));
    }
    const left = this.resolve(2 * node + 1);
    if (left === null) return null;
    const right = this.resolve(2 * node + 2);
    return right === null ? null : this.#keep(node, pairHash(left, right));
  }

  /** Share numbers whose leaves must still be found before every one of `nodes` can be resolved. */
  missingLeaves(nodes: Iterable<number>): Set<number> {
    const missing = new Set<number>();
    for (const node of nodes) this.#collectMissing(node, missing);
    return missing;
  }

  #collectMissing(node: number, missing: Set<number>): void {
    if (this.#known.has(node)) return;
    if (node >= this.leafCount - 1) {
      const index = node - (this.leafCount - 1);
      if (index < this.#shareCount) missing.add(index);
      return;
    }
    this.#collectMissing(2 * node + 1, missing);
    this.#collectMissing(2 * node + 2, missing);
  }

  #keep(node: number, hash: Uint8Array): Uint8Array {
    this.#known.set(node, hash);
    return hash;
  }
}
