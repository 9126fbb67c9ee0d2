/**
 * Files of partitions that other analyzers own: judged here by what the store has of them, up to one flush behind, and by the peers as they
 * are known here. So every analyzer answers for the whole mesh.
 */
import { compareGrades, type Grade } from '#mesh/grade.ts';
import { needsRepair } from '#mesh/share-counts.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { Freshness } from '../mesh/freshness.ts';
import type { AnalyzerStore, StoredFile } from '../ports.ts';
import type { FileAnswer, Unanswered } from './file-answer.ts';
import type { PolicyTable } from './policy-table.ts';
import type { Publisher } from './publisher.ts';
import { healthOf } from './share-map/health.ts';
import type { PeerTable } from './share-map/peer-table.ts';
import type { FileHealth, PlacementView } from './share-map/share-map.ts';

export interface FilesElsewhereOptions {
  readonly store: Pick<AnalyzerStore, 'loadFiles' | 'loadWorst'>;
  readonly table: PeerTable;
  readonly policies: PolicyTable;
  readonly publisher: Publisher;
  /** Of the whole mesh. */
  readonly mesh: { freshness(): Freshness };
}

export interface WorstElsewhere {
  readonly files: readonly FileAnswer[];
  /** By grade: files in grace are among them, though they are not listed. */
  readonly total: number;
}

export class FilesElsewhere {
  readonly #options: FilesElsewhereOptions;

  constructor(options: FilesElsewhereOptions) {
    this.#options = options;
  }

  /** @throws MeshwardError `store-unavailable`. */
  async file(storageIndex: StorageIndex, partition: number): Promise<FileAnswer | Unanswered> {
    const [found] = await this.#options.store.loadFiles([{ partition, storageIndex }]);
    if (found === undefined) return 'unknown';
    if (found.file?.deleted === true) return 'deleted';
    return this.#answer(found) ?? (found.placements.length > 0 ? 'without-manifest' : 'unknown');
  }

  /** The worst files of all partitions but these. @throws MeshwardError `store-unavailable`. */
  async worst(limit: number, grade: Grade | undefined, owned: readonly number[]): Promise<WorstElsewhere> {
    const worstUpTo = grade === undefined || compareGrades(grade, 'at-risk') > 0 ? 'at-risk' : grade;
    const { files, total } = await this.#options.store.loadWorst({ limit, worstUpTo, exceptPartitions: owned });
    const loaded = await this.#options.store.loadFiles(files);
    const answers = loaded.flatMap((found) => this.#answer(found) ?? []);
    return { files: answers.filter(({ listed }) => listed), total };
  }

  #answer({ file, placements }: StoredFile): FileAnswer | undefined {
    if (file === null || file.deleted || file.manifest.n === 0) return undefined;
    const { table, policies, publisher, mesh } = this.#options;
    const views = placements.map(({ shareNumber, peer, state }): PlacementView => {
      const row = table.row(table.numberOf(peer));
      const sound = state !== 'corrupt';
      return { shareNumber, peer, corrupt: !sound, available: sound && row.available, counted: sound && row.counted };
    });
    const inputs = views.map(({ shareNumber, corrupt, peer }) => {
      return { shareNumber, corrupt, peer: table.row(table.numberOf(peer)) };
    });
    const policy = policies.policyFor(file.manifest, file.tag);
    const health: FileHealth = healthOf(file, policy, inputs, () => false);
    return {
      health,
      placements: views,
      cause: publisher.causeOf(health, views),
      log10Loss: publisher.log10LossOf(health),
      listed: needsRepair(health.counted, policy),
      freshness: mesh.freshness(),
    };
  }
}
