/**
 * What each partition's share map may hold: all share one limit, `analyzer.maxFiles`. Files that are registered find room first, whatever
 * peers say of others, and one peer fills nobody's part.
 */
import type { OwnedPartition } from './partition/owned-partition.ts';
import type { ShareMapLimits } from './share-map/share-map.ts';

export interface FileLimits {
  readonly maxFiles: number;
  readonly maxUnregisteredPerPeer: number;
}

/** Of the partition with this number. */
export function limitsOf(
  { maxFiles, maxUnregisteredPerPeer }: FileLimits,
  owned: ReadonlyMap<number, Pick<OwnedPartition, 'map'>>,
  partition: number,
): ShareMapLimits {
  let files = 0;
  let registered = 0;
  for (const [number, { map }] of owned) {
    if (number === partition) continue;
    files += map.fileCount;
    registered += map.registeredCount;
  }
  return {
    files: Math.max(0, maxFiles - files),
    registeredFiles: Math.max(0, maxFiles - registered),
    unregisteredPerPeer: Math.max(1, Math.floor(maxUnregisteredPerPeer / Math.max(1, owned.size))),
  };
}
