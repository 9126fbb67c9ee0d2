/**
 * The block hash tree of a share while its blocks are made. What of it is complete goes to its place early, so that memory for it is
 * the same however long the share is: leaves page by page, each level above them in pieces as long, and of each page its root is kept.
 */
import { computeTree, treeNode } from './hash-tree.ts';
import { hashBytes } from './layout.ts';

const pageLeaves = 512;
const pageBytes = pageLeaves * hashBytes;
const pageLevels = Math.log2(pageLeaves);

/** Takes nodes that lie one after the other, from `firstNode` on; good until it resolves. */
export type PutNodes = (firstNode: number, nodes: Uint8Array) => Promise<void>;

interface Level {
  readonly nodes: Uint8Array;
  filled: number;
  /** Nodes that have gone. */
  gone: number;
}

/** What a tree of so many leaves takes while it grows. */
export function growingTreeBytes(leafCount: number): number {
  return pageLevels * pageBytes + (leafCount / pageLeaves) * hashBytes;
}

export class GrowingTree {
  readonly #leafCount: number;
  /** From the leaves up; the roots of pages are not among them. */
  readonly #levels: readonly Level[] = Array.from({ length: pageLevels }, () => ({
    nodes: new Uint8Array(pageBytes),
    filled: 0,
    gone: 0,
  }));
  readonly #pageRoots: Uint8Array;
  #pages = 0;

  /** @param leafCount padded to a power of two, of several pages. */
  constructor(leafCount: number) {
    this.#leafCount = leafCount;
    this.#pageRoots = new Uint8Array((leafCount / pageLeaves) * hashBytes);
  }

  async append(leaves: Uint8Array, put: PutNodes): Promise<void> {
    const page = this.#levels[0] as Level;
    for (let at = 0; at < leaves.length; ) {
      const part = leaves.subarray(at, at + pageBytes - page.filled * hashBytes);
      page.nodes.set(part, page.filled * hashBytes);
      page.filled += part.length / hashBytes;
      at += part.length;
      if (page.filled < pageLeaves) continue;
      this.#closePage();
      await this.#putFull(put);
    }
  }

  /**
   * When all leaves are there.
   * @param other a whole tree of as many leaves, whose padding is this one's as well.
   * @returns the root, and in ascending order all nodes that have not gone.
   */
  finish(other: Uint8Array): { readonly root: Uint8Array; readonly rest: readonly (readonly [number, Uint8Array])[] } {
    const page = this.#levels[0] as Level;
    if (page.filled > 0) {
      const first = this.#firstNode(0) + page.gone + page.filled;
      const padding = other.subarray(first * hashBytes, (first + pageLeaves - page.filled) * hashBytes);
      page.nodes.set(padding, page.filled * hashBytes);
      page.filled = pageLeaves;
      this.#closePage();
    }
    const firstRoot = this.#firstNode(pageLevels);
    this.#pageRoots.set(
      other.subarray((firstRoot + this.#pages) * hashBytes, (2 * firstRoot + 1) * hashBytes),
      this.#pages * hashBytes,
    );
    const top = computeTree(this.#pageRoots);
    const rest: (readonly [number, Uint8Array])[] = [[0, top]];
    for (const [height, { nodes, filled, gone }] of [...this.#levels.entries()].toReversed()) {
      const first = this.#firstNode(height);
      rest.push([first + gone, nodes.subarray(0, filled * hashBytes)]);
      const padded = first + gone + filled;
      rest.push([padded, other.subarray(padded * hashBytes, (2 * first + 1) * hashBytes)]);
    }
    return { root: treeNode(top, 0).slice(), rest: rest.filter(([, nodes]) => nodes.length > 0) };
  }

  #closePage(): void {
    const tree = computeTree((this.#levels[0] as Level).nodes);
    for (const [height, level] of this.#levels.entries()) {
      if (height === 0) continue;
      const count = pageLeaves >> height;
      level.nodes.set(tree.subarray((count - 1) * hashBytes, (2 * count - 1) * hashBytes), level.filled * hashBytes);
      level.filled += count;
    }
    this.#pageRoots.set(treeNode(tree, 0), this.#pages * hashBytes);
    this.#pages++;
  }

  async #putFull(put: PutNodes): Promise<void> {
    for (const [height, level] of this.#levels.entries()) {
      if (level.filled < pageLeaves) continue;
      await put(this.#firstNode(height) + level.gone, level.nodes);
      level.gone += level.filled;
      level.filled = 0;
    }
  }

  #firstNode(height: number): number {
    return (this.#leafCount >> height) - 1;
  }
}
