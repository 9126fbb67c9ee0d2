/** What repairs of campaigns placed a moment ago: until the store shows it, another campaign with the same file must not do it again. */
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { PlacedShare } from '#peers/locate.ts';

export interface RecentShares {
  /** Restored, and read back or enough of their like. */
  readonly placed: readonly PlacedShare[];
  /** Left by repairs that were called off: they are on their peers, and nobody has read them. */
  readonly taken: readonly PlacedShare[];
}

const maxFiles = 10_000;
const maxShares = 256;
const nothing: RecentShares = { placed: [], taken: [] };

/** Bounded: the oldest go first, and by then the store has them. */
export class RecentPlacements {
  readonly #files = new Map<StorageIndex, RecentShares>();

  of(storageIndex: StorageIndex): RecentShares {
    return this.#files.get(storageIndex) ?? nothing;
  }

  note(storageIndex: StorageIndex, { placed = [], taken = [] }: Partial<RecentShares>): void {
    if (placed.length === 0 && taken.length === 0) return;
    const before = this.of(storageIndex);
    this.#files.delete(storageIndex);
    this.#files.set(storageIndex, {
      placed: [...before.placed, ...placed].slice(-maxShares),
      taken: [...before.taken, ...taken].slice(-maxShares),
    });
    const [oldest] = this.#files.keys();
    if (this.#files.size > maxFiles && oldest !== undefined) this.#files.delete(oldest);
  }
}
