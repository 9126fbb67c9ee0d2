/**
 * A hash tree inside a share, verified and held in bounded memory: the top levels are read and kept, the leaves under
 * one node of the lowest kept level (a page) are read when asked for.
 */
import { computeTree, sameHash, treeNode } from './hash-tree.ts';
import { hashBytes } from './layout.ts';
import { readExactly, type ShareSource } from './reader.ts';
import { shareError } from './share-errors.ts';

export interface StoredTreePlace {
  /** What the errors call it, such as `block hash tree`. */
  readonly name: string;
  /** Offset of node 0 in the share data. */
  readonly offset: number;
  /** Padded to a power of two. */
  readonly leafCount: number;
  readonly root: Uint8Array;
}

/** Trees of up to this many leaves are kept whole: 1 GiB of file at the usual segment size, 32 KiB of hashes. */
export const keptLeaves = 1024;

export class StoredTree {
  readonly #source: ShareSource;
  readonly #place: StoredTreePlace;
  /** The hashes of the lowest kept level: the leaves themselves in a small tree. */
  readonly #kept: Uint8Array;
  readonly #pageLeaves: number;
  #page: { readonly index: number; readonly leaves: Uint8Array } | null = null;

  private constructor(source: ShareSource, place: StoredTreePlace, kept: Uint8Array) {
    this.#source = source;
    this.#place = place;
    this.#kept = kept;
    this.#pageLeaves = (place.leafCount * hashBytes) / kept.length;
  }

  /** @throws MeshwardError `share-corrupt` or `share-truncated`. */
  static async open(source: ShareSource, place: StoredTreePlace): Promise<StoredTree> {
    const keptCount = Math.min(place.leafCount, keptLeaves);
    const top = await readExactly(source, place.offset, (2 * keptCount - 1) * hashBytes, place.name);
    const kept = top.slice((keptCount - 1) * hashBytes);
    const isSound = sameHash(treeNode(top, 0), place.root) && sameHash(computeTree(kept), top);
    if (!isSound) throw corruptTree(place);
    return new StoredTree(source, place, kept);
  }

  /** `count` leaves from `first` on, 32 bytes each. Cheapest in ascending order. */
  async leaves(first: number, count: number): Promise<Uint8Array> {
    if (this.#pageLeaves === 1) return this.#kept.subarray(first * hashBytes, (first + count) * hashBytes);
    const leaves = new Uint8Array(count * hashBytes);
    for (let done = 0; done < count; ) {
      const pageIndex = Math.floor((first + done) / this.#pageLeaves);
      const page = await this.#readPage(pageIndex);
      const from = first + done - pageIndex * this.#pageLeaves;
      const taken = Math.min(count - done, this.#pageLeaves - from);
      leaves.set(page.subarray(from * hashBytes, (from + taken) * hashBytes), done * hashBytes);
      done += taken;
    }
    return leaves;
  }

  /** Checks every stored node, those between the kept level and the leaves included. */
  async verifyEveryNode(): Promise<void> {
    if (this.#pageLeaves === 1) return;
    const pageCount = this.#kept.length / hashBytes;
    for (let index = 0; index < pageCount; index++) {
      const subtree = computeTree(await this.#readPage(index));
      for (let width = 2, level = pageCount * 2; level < this.#place.leafCount; width *= 2, level *= 2) {
        const stored = await this.#readNodes(level - 1 + index * width, width);
        if (!sameHash(stored, subtree.subarray((width - 1) * hashBytes, (2 * width - 1) * hashBytes))) {
          throw corruptTree(this.#place);
        }
      }
    }
  }

  async #readPage(index: number): Promise<Uint8Array> {
    if (this.#page?.index === index) return this.#page.leaves;
    const leaves = await this.#readNodes(this.#place.leafCount - 1 + index * this.#pageLeaves, this.#pageLeaves);
    if (!sameHash(treeNode(computeTree(leaves), 0), treeNode(this.#kept, index))) throw corruptTree(this.#place);
    this.#page = { index, leaves };
    return leaves;
  }

  #readNodes(firstNode: number, count: number): Promise<Uint8Array> {
    const { offset, name } = this.#place;
    return readExactly(this.#source, offset + firstNode * hashBytes, count * hashBytes, name);
  }
}

function corruptTree(place: StoredTreePlace): Error {
  return shareError('share-corrupt', `its ${place.name} does not lead to its root`);
}
