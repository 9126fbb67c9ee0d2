/**
 * What this analyzer knows of the whole mesh: its own part as its last sweep found it, the rest as others report it. Reading changes
 * nothing; `look` notes since when what it sees has been so.
 */

import type { SweepTotals } from '../files/share-map/share-map.ts';
import type { AnalyzerOptions } from '../options.ts';
import type { Freshness } from './freshness.ts';
import { Lasting, LastingCount } from './lasting.ts';
import type { MeshView, WholeMesh } from './mesh-view.ts';
import type { OwnPart } from './own-part.ts';
import type { AnalyzerTroubles } from './report.ts';
import { isPassing, type StaleReason } from './stale-reason.ts';

/** What this analyzer says of its own part. */
export type OwnFacts = Pick<
  OwnPart,
  | 'owned'
  | 'partitionCount'
  | 'ownedPartitions'
  | 'partitionsBehind'
  | 'reportTimeMs'
  | 'freshness'
  | 'owingPeers'
  | 'judged'
>;

export class MeshFacts {
  readonly #clock: AnalyzerOptions['clock'];
  readonly #own: OwnFacts;
  readonly #view: MeshView;
  readonly #stale: Lasting;
  readonly #unreported: Lasting;
  readonly #withoutManifest: LastingCount;

  constructor({ clock, config }: Pick<AnalyzerOptions, 'clock' | 'config'>, own: OwnFacts, view: MeshView) {
    this.#clock = clock;
    this.#own = own;
    this.#view = view;
    this.#stale = new Lasting(config.analyzer.staleAfterMs);
    this.#unreported = new Lasting(config.analyzer.staleAfterMs);
    this.#withoutManifest = new LastingCount(config.analyzer.manifestPatienceMs);
  }

  /** To be called again and again: what was not seen has not lasted. */
  look(): void {
    const now = this.#clock.monotonicMs();
    this.#stale.see(this.#lasting().length > 0, now);
    this.#unreported.see(this.#unreportedPartitions() > 0, now);
    this.#withoutManifest.see(this.#filesWithoutManifest(), now);
  }

  /** The mesh with the own partitions as the last sweep found them. */
  whole(): WholeMesh {
    const { owned, partitionCount } = this.#own;
    const owns = new Set(owned.keys());
    return this.#view.whole(this.#own.judged(), owns, this.troubles(), partitionCount, this.#own.reportTimeMs);
  }

  /** The freshness of the whole: of what this analyzer says itself, and of what the others report. */
  freshness(): Freshness {
    const own = this.#own.freshness();
    const unreported = this.#unreportedPartitions();
    const reasons: readonly StaleReason[] = [
      ...own.reasons,
      ...this.#view.othersReasons(this.#own.reportTimeMs),
      ...(unreported > 0 ? [{ kind: 'unreported', partitions: unreported } as const] : []),
      ...(this.lastingWithoutManifest > 0
        ? [{ kind: 'without-manifest', files: this.lastingWithoutManifest } as const]
        : []),
    ];
    return { state: reasons.length === 0 ? 'fresh' : 'stale', asOfMs: own.asOfMs, reasons };
  }

  /** Whether anybody has told of any partition of late. */
  get isAnyKnown(): boolean {
    return this.#knownPartitions().size > 0;
  }

  /** Whether every partition that is owned here has been judged. */
  get areAllJudged(): boolean {
    return this.#own.judged().length === this.#own.ownedPartitions;
  }

  /** Of this analyzer. A restart and a partition that moves make health stale for a moment: nobody is told of that. */
  troubles(): AnalyzerTroubles {
    let refusedEvents = 0;
    let truncatedRecords = 0;
    for (const { map, lostRecords } of this.#own.owned.values()) {
      refusedEvents += map.refusedFiles;
      if (map.progress.owing.size > 0) truncatedRecords += lostRecords;
    }
    const staleReasons = this.#stale.hasLasted(this.#clock.monotonicMs()) ? this.#lasting() : [];
    return { staleReasons, refusedEvents, truncatedRecords, owedInventories: this.#own.owingPeers().length };
  }

  #lasting(): readonly StaleReason[] {
    return this.#own.freshness().reasons.filter((reason) => !isPassing(reason));
  }

  /** Files of the mesh that have shares and, for long, no manifest. */
  get lastingWithoutManifest(): number {
    return this.#withoutManifest.lasting;
  }

  #filesWithoutManifest(): number {
    let files = 0;
    for (const { filesWithoutManifest } of this.#knownPartitions().values()) files += filesWithoutManifest;
    return files;
  }

  #knownPartitions(): ReadonlyMap<number, SweepTotals> {
    const { owned, reportTimeMs } = this.#own;
    return this.#view.knownPartitions(this.#own.judged(), new Set(owned.keys()), reportTimeMs);
  }

  /** That nobody reports of a partition, where it has been so for long. */
  lastingUnreported(): readonly StaleReason[] {
    const partitions = this.#unreportedPartitions();
    const hasLasted = partitions > 0 && this.#unreported.hasLasted(this.#clock.monotonicMs());
    return hasLasted ? [{ kind: 'unreported', partitions }] : [];
  }

  /** Partitions of others of which nobody has reported of late; 0 while nothing is known here either. */
  #unreportedPartitions(): number {
    const { partitionCount, partitionsBehind } = this.#own;
    if (this.#own.judged().length === 0) return 0;
    return Math.max(0, partitionCount - this.#knownPartitions().size - partitionsBehind);
  }
}
