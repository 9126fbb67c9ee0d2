/** What can be told of single files and of those that need repair. */
import type { Clock } from '#mesh/clock.ts';
import { compareGrades, type Grade } from '#mesh/grade.ts';
import { partitionOfStorageIndex, type StorageIndex, storageIndexToBytes } from '#mesh/storage-index.ts';
import type { Freshness } from '../mesh/freshness.ts';
import type { OwnPart } from '../mesh/own-part.ts';
import type { FileAnswer, Unanswered } from './file-answer.ts';
import type { FilesElsewhere, WorstElsewhere } from './files-elsewhere.ts';
import { compareUrgency, type Listed } from './partition/at-risk-list.ts';
import type { OwnedPartition } from './partition/owned-partition.ts';
import type { Publisher } from './publisher.ts';
import type { FileHealth } from './share-map/share-map.ts';

export interface AtRiskQuery {
  readonly limit: number;
  /** The most urgent that are left out. @default 0 */
  readonly offset?: number;
  /** This grade or worse. */
  readonly grade?: Grade;
}

export interface AtRiskAnswer {
  /** Most urgent first. */
  readonly files: readonly FileAnswer[];
  /** Of all that the query fits, not only of those in `files`. */
  readonly total: number;
}

export interface FileAnswersOptions {
  readonly elsewhere: FilesElsewhere;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly own: Pick<OwnPart, 'owned' | 'partitionCount' | 'freshness'>;
  readonly publisher: Publisher;
}

/** How old an answer of the database may be that is given again. */
const askedAgainAfterMs = 2000;

export class FileAnswers {
  readonly #options: FileAnswersOptions;
  #asked: { readonly key: string; readonly atMs: number; readonly answer: Promise<WorstElsewhere> } | null = null;

  constructor(options: FileAnswersOptions) {
    this.#options = options;
  }

  file(index: StorageIndex): FileAnswer | undefined {
    const owned = this.#ownerOf(index);
    const health = owned?.map.health(index, owned.time.watermarkMs);
    if (owned === undefined || health === undefined) return undefined;
    return this.#answer(owned, health, this.#options.own.freshness());
  }

  /** Of any partition, whoever owns it. @throws MeshwardError `store-unavailable` for those of others. */
  async lookUp(index: StorageIndex): Promise<FileAnswer | Unanswered> {
    const partition = this.#partitionOf(index);
    if (partition === undefined || this.#options.own.owned.has(partition))
      return this.file(index) ?? this.unanswered(index);
    return this.#options.elsewhere.file(index, partition);
  }

  /** Of the whole mesh. @throws MeshwardError `store-unavailable` where others own a part of it. */
  async listAtRisk(query: AtRiskQuery): Promise<AtRiskAnswer> {
    const { owned, partitionCount } = this.#options.own;
    if (owned.size === partitionCount) return this.atRisk(query);
    const { offset = 0, ...rest } = query;
    const all = { ...rest, limit: offset + query.limit };
    const own = this.atRisk(all);
    const others = await this.#worstElsewhere(all);
    const files = [...own.files, ...others.files].sort((a, b) => compareUrgency(listedOf(a), listedOf(b)));
    return { files: files.slice(offset, all.limit), total: own.total + others.total };
  }

  /** Pages ask every moment: the database is asked now and then. */
  async #worstElsewhere({ limit, grade }: AtRiskQuery): Promise<WorstElsewhere> {
    const { own, elsewhere, clock } = this.#options;
    const numbers = [...own.owned.keys()].sort((a, b) => a - b);
    const key = JSON.stringify([limit, grade, numbers]);
    const now = clock.monotonicMs();
    if (this.#asked?.key !== key || now - this.#asked.atMs > askedAgainAfterMs) {
      this.#asked = { key, atMs: now, answer: elsewhere.worst(limit, grade, numbers) };
      this.#asked.answer.catch(() => {
        this.#asked = null;
      });
    }
    return this.#asked.answer;
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
  atRisk({ limit, offset = 0, grade }: AtRiskQuery): AtRiskAnswer {
    const freshness = this.#options.own.freshness();
    const fitting: { readonly owned: OwnedPartition; readonly listed: Listed }[] = [];
    for (const owned of this.#options.own.owned.values()) {
      for (const listed of owned.list.entries()) {
        if (grade === undefined || compareGrades(listed.grade, grade) <= 0) fitting.push({ owned, listed });
      }
    }
    fitting.sort((a, b) => compareUrgency(a.listed, b.listed));
    const files: FileAnswer[] = [];
    for (const { owned, listed } of fitting.slice(offset)) {
      if (files.length >= limit) break;
      const health = owned.map.health(listed.file, owned.time.watermarkMs);
      if (health !== undefined) files.push(this.#answer(owned, health, freshness));
    }
    return { files, total: fitting.length };
  }

  #ownerOf(index: StorageIndex): OwnedPartition | undefined {
    const partition = this.#partitionOf(index);
    return partition === undefined ? undefined : this.#options.own.owned.get(partition);
  }

  /** Undefined before anything is known of the log. */
  #partitionOf(index: StorageIndex): number | undefined {
    const partitions = this.#options.own.partitionCount;
    return partitions === 0 ? undefined : partitionOfStorageIndex(storageIndexToBytes(index), 0, partitions);
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

function listedOf({ health, log10Loss }: FileAnswer): Listed {
  return { file: health.storageIndex, grade: health.grade, margin: health.margin, log10Loss };
}
