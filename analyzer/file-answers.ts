/** What can be told of single files and of those that need repair. */
import { compareGrades, type Grade } from '#mesh/grade.ts';
import { partitionOfStorageIndex, type StorageIndex, storageIndexToBytes } from '#mesh/storage-index.ts';
import type { Freshness } from './freshness.ts';
import type { OwnedPartition } from './partition/owned-partition.ts';
import { compareUrgency, type Listed } from './partition/standing-list.ts';
import type { Publisher } from './publisher.ts';
import type { FileHealth, PlacementView } from './share-map/share-map.ts';

export interface FileAnswer {
  readonly health: FileHealth;
  readonly placements: readonly PlacementView[];
  readonly cause: string;
  readonly log10Loss: number;
  readonly listed: boolean;
  readonly freshness: Freshness;
}

export interface AtRiskQuery {
  readonly limit: number;
  /** This grade or worse. */
  readonly grade?: Grade;
}

export interface AtRiskAnswer {
  /** Most urgent first. */
  readonly files: readonly FileAnswer[];
  /** Of all that the query fits, not only of those in `files`. */
  readonly total: number;
}

/** Why nothing can be said of a file's health. */
export type Unanswered = 'unknown' | 'deleted' | 'without-manifest' | 'owned-elsewhere' | 'being-rebuilt';

export interface FileAnswersOptions {
  readonly owned: ReadonlyMap<number, OwnedPartition>;
  readonly publisher: Publisher;
  readonly partitionCount: () => number;
  readonly freshness: () => Freshness;
}

export class FileAnswers {
  readonly #options: FileAnswersOptions;

  constructor(options: FileAnswersOptions) {
    this.#options = options;
  }

  file(index: StorageIndex): FileAnswer | undefined {
    const owned = this.#ownerOf(index);
    const health = owned?.map.health(index, owned.time.watermarkMs);
    if (owned === undefined || health === undefined) return undefined;
    return this.#answer(owned, health, this.#options.freshness());
  }

  unanswered(index: StorageIndex): Unanswered {
    const owned = this.#ownerOf(index);
    if (owned === undefined) return 'owned-elsewhere';
    const known = owned.map.find(index);
    if (known?.deleted === true) return 'deleted';
    if (!owned.caughtUp) return 'being-rebuilt';
    return known === undefined ? 'unknown' : 'without-manifest';
  }

  /** Costs a look at every listed file's order, and an answer for those that are asked for only. */
  atRisk({ limit, grade }: AtRiskQuery): AtRiskAnswer {
    const freshness = this.#options.freshness();
    const fitting: { readonly owned: OwnedPartition; readonly listed: Listed }[] = [];
    for (const owned of this.#options.owned.values()) {
      for (const listed of owned.list.entries()) {
        if (grade === undefined || compareGrades(listed.grade, grade) <= 0) fitting.push({ owned, listed });
      }
    }
    fitting.sort((a, b) => compareUrgency(a.listed, b.listed));
    const files: FileAnswer[] = [];
    for (const { owned, listed } of fitting) {
      if (files.length >= limit) break;
      const health = owned.map.health(listed.file, owned.time.watermarkMs);
      if (health !== undefined) files.push(this.#answer(owned, health, freshness));
    }
    return { files, total: fitting.length };
  }

  #ownerOf(index: StorageIndex): OwnedPartition | undefined {
    const partitions = this.#options.partitionCount();
    if (partitions === 0) return undefined;
    return this.#options.owned.get(partitionOfStorageIndex(storageIndexToBytes(index), 0, partitions));
  }

  #answer(owned: OwnedPartition, health: FileHealth, freshness: Freshness): FileAnswer {
    const { publisher } = this.#options;
    const placements = owned.map.placements(health.storageIndex);
    return {
      health,
      placements,
      cause: publisher.causeOf(health, placements),
      log10Loss: publisher.log10LossOf(health),
      listed: owned.list.has(health.storageIndex),
      freshness,
    };
  }
}
