/**
 * Files that their owners deleted. The store forgets such a row after a day, and then an agent that still holds shares
 * would bring the file back by sending its manifest again. So for as long as any peer holds a share, the row is written anew.
 */
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { FileRow } from '../share-map/kept-rows.ts';
import type { ShareMap } from '../share-map/share-map.ts';

const renewIntervalMs = 8 * 3_600_000;

export class Tombstones {
  readonly #rows = new Map<StorageIndex, FileRow>();
  #renewedAtMs: number | null = null;

  /** Rows that were loaded from the store or go into it. */
  see(rows: Iterable<FileRow>): void {
    for (const row of rows) {
      const { storageIndex } = row.manifest;
      if (row.deleted) this.#rows.set(storageIndex, row);
      else this.#rows.delete(storageIndex);
    }
  }

  get size(): number {
    return this.#rows.size;
  }

  /** Rows to write again now; at the first call and every few hours after it. */
  takeDue(map: Pick<ShareMap, 'placements'>, nowMs: number): readonly FileRow[] {
    if (this.#renewedAtMs !== null && nowMs - this.#renewedAtMs < renewIntervalMs) return [];
    this.#renewedAtMs = nowMs;
    for (const storageIndex of this.#rows.keys()) {
      if (map.placements(storageIndex).length === 0) this.#rows.delete(storageIndex);
    }
    return [...this.#rows.values()];
  }
}
