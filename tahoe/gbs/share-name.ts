/** Which share of which file. */
import type { StorageIndex } from '#mesh/storage-index.ts';

export interface ShareName {
  readonly index: StorageIndex;
  readonly shareNumber: number;
}

/** To look it up by. */
export function shareKey({ index, shareNumber }: ShareName): string {
  return `${index}/${shareNumber}`;
}
