/**
 * Files whose row in the store is not what was told of them last. A file that stood still and changes goes first: somebody may be
 * looking at it. One that is only arriving, share after share, is told of once its placements are stored, and not at every step.
 */
import type { StorageIndex } from '#mesh/storage-index.ts';

/** Those alone that go first, or all. */
export type WaitingFiles = 'urgent' | 'all';

export class UnsavedHealth {
  readonly #isSteady: (file: StorageIndex) => boolean;
  readonly #urgent = new Map<StorageIndex, number | null>();
  readonly #others = new Map<StorageIndex, number | null>();

  /** @param isSteady whether the file has a row that has stood for a while. */
  constructor(isSteady: (file: StorageIndex) => boolean) {
    this.#isSteady = isSteady;
  }

  get size(): number {
    return this.#urgent.size + this.#others.size;
  }

  /** How many go first. */
  get urgent(): number {
    return this.#urgent.size;
  }

  /** A sum of what was told of the file (`figuresOf`), null where it was deleted; undefined where it is not waiting. */
  get(file: StorageIndex): number | null | undefined {
    const urgent = this.#urgent.get(file);
    return urgent === undefined ? this.#others.get(file) : urgent;
  }

  set(file: StorageIndex, figures: number | null): void {
    if (this.#urgent.has(file) || this.#isSteady(file)) {
      this.#others.delete(file);
      this.#urgent.set(file, figures);
    } else this.#others.set(file, figures);
  }

  delete(file: StorageIndex): void {
    this.#urgent.delete(file);
    this.#others.delete(file);
  }

  /** In the order in which they go. */
  *keys(which: WaitingFiles): Generator<StorageIndex, void> {
    yield* this.#urgent.keys();
    if (which === 'all') yield* this.#others.keys();
  }
}
