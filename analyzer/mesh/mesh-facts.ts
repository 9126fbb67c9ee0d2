/**
 * What this analyzer knows of the whole mesh: its own part as its last sweep found it, the rest as others report it. Reading changes
 * nothing; `look` notes since when what it sees has been so.
 */
import type { PeerId } from '#mesh/peer-id.ts';
import type { OwnedPartition } from '../files/partition/owned-partition.ts';
import type { AnalyzerOptions } from '../options.ts';
import type { Freshness } from './freshness.ts';
import { Lasting } from './lasting.ts';
import type { MeshView, WholeMesh } from './mesh-view.ts';
import type { AnalyzerTroubles, JudgedPartition } from './report.ts';
import type { StaleReason } from './stale-reason.ts';

/** What this analyzer says of the partitions that it owns. */
export interface OwnPart {
  readonly owned: ReadonlyMap<number, OwnedPartition>;
  readonly partitionCount: () => number;
  readonly freshness: () => Freshness;
  /** Peers that owe an inventory and count. */
  readonly owingPeers: () => readonly PeerId[];
}

export class MeshFacts {
  readonly #clock: AnalyzerOptions['clock'];
  readonly #own: OwnPart;
  readonly #view: MeshView;
  readonly #stale: Lasting;
  readonly #unreported: Lasting;

  constructor({ clock, config }: Pick<AnalyzerOptions, 'clock' | 'config'>, own: OwnPart, view: MeshView) {
    this.#clock = clock;
    this.#own = own;
    this.#view = view;
    this.#stale = new Lasting(config.analyzer.staleAfterMs);
    this.#unreported = new Lasting(config.analyzer.staleAfterMs);
  }

  /** To be called again and again: what was not seen has not lasted. */
  look(): void {
    const now = this.#clock.monotonicMs();
    this.#stale.see(this.#own.freshness().state === 'stale', now);
    this.#unreported.see(this.#unreportedPartitions() > 0, now);
  }

  /** The mesh with the own partitions as the last sweep found them. */
  whole(): WholeMesh {
    const { owned, partitionCount } = this.#own;
    return this.#view.whole(
      this.judged(),
      new Set(owned.keys()),
      this.troubles(),
      partitionCount(),
      this.#clock.nowMs(),
    );
  }

  /** The freshness of the whole: of what this analyzer says itself, and of what the others report. */
  freshness(): Freshness {
    const own = this.#own.freshness();
    const unreported = this.#unreportedPartitions();
    const reasons: readonly StaleReason[] = [
      ...own.reasons,
      ...this.#view.othersReasons(this.#clock.nowMs()),
      ...(unreported > 0 ? [{ kind: 'unreported', partitions: unreported } as const] : []),
    ];
    return { state: reasons.length === 0 ? 'fresh' : 'stale', asOfMs: own.asOfMs, reasons };
  }

  judged(): readonly JudgedPartition[] {
    return [...this.#own.owned.values()].flatMap(({ number, assigned, totals }) =>
      totals === null ? [] : [{ partition: number, generation: assigned.generation, totals }],
    );
  }

  /** Whether every partition that is owned here has been judged. */
  get areAllJudged(): boolean {
    return this.judged().length === this.#own.owned.size;
  }

  /** Of this analyzer. A restart and a partition that moves make health stale for a moment: nobody is told of that. */
  troubles(): AnalyzerTroubles {
    const { owned, owingPeers, freshness } = this.#own;
    let refusedEvents = 0;
    let truncatedRecords = 0;
    for (const { map, lostRecords } of owned.values()) {
      refusedEvents += map.refusedFiles;
      if (map.progress.owing.size > 0) truncatedRecords += lostRecords;
    }
    const staleReasons = this.#stale.hasLasted(this.#clock.monotonicMs()) ? freshness().reasons : [];
    return { staleReasons, refusedEvents, truncatedRecords, owedInventories: owingPeers().length };
  }

  /** That nobody reports of a partition, where it has been so for long. */
  lastingUnreported(): readonly StaleReason[] {
    const partitions = this.#unreportedPartitions();
    const hasLasted = partitions > 0 && this.#unreported.hasLasted(this.#clock.monotonicMs());
    return hasLasted ? [{ kind: 'unreported', partitions }] : [];
  }

  /** Partitions of others of which nobody has reported of late; 0 while nothing is known here either. */
  #unreportedPartitions(): number {
    const { owned, partitionCount } = this.#own;
    const judged = this.judged();
    if (judged.length === 0) return 0;
    const rebuilt = [...owned.values()].filter(({ caughtUp }) => !caughtUp).length;
    const known = this.#view.knownPartitions(judged, new Set(owned.keys()), this.#clock.nowMs()).size;
    return Math.max(0, partitionCount() - known - rebuilt);
  }
}
