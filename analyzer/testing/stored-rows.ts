/** A partition out of a store as rows, for tests to compare; and rows as changes for a store. */
import { grades } from '#mesh/grade.ts';
import { type StorageIndex, storageIndexBytes, storageIndexFromBytes } from '#mesh/storage-index.ts';
import type { PublishedFile } from '../files/partition/published-health.ts';
import type { FileRow, PlacementRow } from '../files/share-map/kept-rows.ts';
import type { ShareMapChanges } from '../files/share-map/share-map.ts';
import { fileRowsOf, placementBlockOf, placementRowsOf } from '../files/share-map/stored-blocks.ts';
import type { AnalyzerStore, StoreChanges, StoredPartition } from '../ports.ts';

export interface StoredRows extends StoredPartition {
  readonly files: readonly FileRow[];
  readonly placements: readonly PlacementRow[];
  readonly health: ReadonlyMap<StorageIndex, PublishedFile>;
}

export async function storedRows(store: Pick<AnalyzerStore, 'loadPartition'>, partition: number): Promise<StoredRows> {
  const files: FileRow[] = [];
  const placements: PlacementRow[] = [];
  const health = new Map<StorageIndex, PublishedFile>();
  const stored = await store.loadPartition(partition, {
    files: (block) => {
      files.push(...fileRowsOf(block));
      return Promise.resolve();
    },
    placements: (block) => {
      placements.push(...placementRowsOf(block));
      return Promise.resolve();
    },
    health: (block) => {
      for (let i = 0; i < block.count; i++) {
        health.set(storageIndexFromBytes(block.storageIndexes, i * storageIndexBytes), {
          grade: grades[(block.grades[i] as number) - 1] as PublishedFile['grade'],
          sinceMs: block.sinceMs[i] as number,
          figures: block.figures[i] as number,
        });
      }
      return Promise.resolve();
    },
  });
  return { ...stored, files, placements, health };
}

export function changesOf({ placements, files, applied }: ShareMapChanges): StoreChanges {
  return { files, applied, placements: placements.length === 0 ? [] : [placementBlockOf(placements)] };
}
