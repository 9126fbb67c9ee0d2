/** Which placements have changed since they were taken for the store last. */
import type { StorageIndex } from '#mesh/storage-index.ts';

export interface ChangedPlacement {
  readonly storageIndex: StorageIndex;
  readonly key: number;
}

/** By file and not by its entry: an entry that held nothing any more may be gone and there anew between two takings. */
export class ChangedPlacements {
  readonly #keys = new Map<StorageIndex, Set<number>>();

  /** Files of which any changed. */
  get size(): number {
    return this.#keys.size;
  }

  note(storageIndex: StorageIndex, key: number): void {
    const keys = this.#keys.get(storageIndex);
    if (keys === undefined) this.#keys.set(storageIndex, new Set([key]));
    else keys.add(key);
  }

  /** Whole files: a few more than `most`. */
  take(most: number): ChangedPlacement[] {
    const taken: ChangedPlacement[] = [];
    for (const [storageIndex, keys] of this.#keys) {
      if (taken.length >= most) break;
      this.#keys.delete(storageIndex);
      for (const key of keys) taken.push({ storageIndex, key });
    }
    return taken;
  }
}
