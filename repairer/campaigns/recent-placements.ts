/** What repairs of campaigns placed a moment ago: until the store shows it, another campaign with the same file must not do it again. */
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { PlacedShare } from '#peers/locate.ts';

const maxFiles = 10_000;

/** Bounded: the oldest go first, and by then the store has them. */
export class RecentPlacements {
  readonly #placed = new Map<StorageIndex, readonly PlacedShare[]>();

  of(storageIndex: StorageIndex): readonly PlacedShare[] {
    return this.#placed.get(storageIndex) ?? [];
  }

  note(storageIndex: StorageIndex, placed: readonly PlacedShare[]): void {
    if (placed.length === 0) return;
    const before = this.of(storageIndex);
    this.#placed.delete(storageIndex);
    this.#placed.set(storageIndex, [...before, ...placed].slice(-256));
    const [oldest] = this.#placed.keys();
    if (this.#placed.size > maxFiles && oldest !== undefined) this.#placed.delete(oldest);
  }
}
