/** What only draining peers have, as the store knows it: files with the numbers that are to be copied elsewhere. */
import type { Manifest } from '#mesh/manifest.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { PlacedShare } from '#peers/locate.ts';
import type { Store } from '#store/client.ts';
import { countLeaving, leavingShares } from '#store/queries/drain.ts';
import { filesByIndex, placementsOfFile } from '#store/queries/share-map.ts';

export interface LeavingFile {
  readonly partition: number;
  readonly manifest: Manifest;
  readonly tag: string;
  /** Every sound share that is known. */
  readonly placements: readonly PlacedShare[];
  /** Numbers that only draining peers have. */
  readonly leaving: readonly number[];
}

export interface LeavingFiles {
  readonly files: readonly LeavingFile[];
  /** Share numbers that are left in these partitions; those whose file is not known cannot be copied, and do not count. */
  readonly sharesLeft: number;
}

/** Where draining peers' shares are looked up. */
export interface DrainStore {
  /** @param shares most share numbers to tell of. @throws MeshwardError `store-unavailable`. */
  find(peers: readonly PeerId[], partitions: readonly number[], shares: number): Promise<LeavingFiles>;
}

export function drainStoreOn(store: Store): DrainStore {
  return {
    async find(peers, partitions, shares) {
      const query = { peers, partitions };
      const counts = await countLeaving(store, query);
      const found = counts.shares === 0 ? [] : await leavingShares(store, { ...query, limit: shares });
      const numbers = new Map<StorageIndex, number[]>();
      for (const { storageIndex, shareNumber } of found) {
        numbers.set(storageIndex, [...(numbers.get(storageIndex) ?? []), shareNumber]);
      }
      const known = await filesByIndex(store, [...numbers.keys()]);
      const files: LeavingFile[] = [];
      for (const { partition, storageIndex, uebHash, k, n, sizeBytes, tag } of known) {
        const placements = await placementsOfFile(store, storageIndex);
        files.push({
          partition,
          manifest: { storageIndex, uebHash, k, n, sizeBytes },
          tag,
          placements: placements.flatMap(({ shareNumber, peerId, state }) =>
            state === 'stored' ? [{ shareNumber, peerId }] : [],
          ),
          leaving: numbers.get(storageIndex) ?? [],
        });
      }
      return { files, sharesLeft: counts.shares - counts.sharesWithoutManifest };
    },
  };
}
