/** What a storage server tells whoever watches its folder. */
import type { StorageIndex } from '#mesh/storage-index.ts';

export type StorageEvent =
  | {
      readonly kind: 'stored';
      readonly storageIndex: StorageIndex;
      readonly shareNumber: number;
      readonly shareBytes: number;
    }
  | { readonly kind: 'corruption-reported'; readonly storageIndex: StorageIndex; readonly shareNumber: number };
