/**
 * The whole mesh as one analyzer knows it: its own partitions as it sees them, the others by what their owners report. Of each
 * partition the largest generation counts, so that one which moves is never counted twice.
 */
import type { SweepTotals } from '../files/share-map/share-map.ts';
import { emptyTotals, mergeTotals } from '../files/share-map/totals.ts';
import type { AnalyzerTroubles, JudgedPartition, Report } from './report.ts';
import type { StaleReason } from './stale-reason.ts';

export interface MeshViewOptions {
  /** This analyzer's instance name: what it reports itself is left out. */
  readonly analyzer: string;
  /** A report that was heard longer ago than this, by the log's time, does not count. */
  readonly staleAfterMs: number;
}

export interface WholeMesh extends AnalyzerTroubles {
  readonly totals: SweepTotals;
  /** Partitions of which nobody has reported of late. */
  readonly unknownPartitions: number;
  /** By other analyzer that has reported of late: how many of its reports were heard. */
  readonly reports?: ReadonlyMap<string, number>;
}

interface Known {
  readonly analyzer: string;
  readonly generation: number;
  readonly totals: SweepTotals;
  readonly heardMs: number;
}

interface Heard {
  readonly report: Report;
  readonly reports: number;
  readonly heardMs: number;
}

export class MeshView {
  readonly #options: MeshViewOptions;
  readonly #partitions = new Map<number, Known>();
  /** The newest report of each other analyzer. */
  readonly #analyzers = new Map<string, Heard>();

  constructor(options: MeshViewOptions) {
    this.#options = options;
  }

  /**
   * @param heardMs elapsed log time where the report stands: what the clocks of two machines say is not compared, and a report that is
   * read late is as old as it is.
   */
  note(report: Report, heardMs: number): void {
    const { analyzer } = report;
    if (analyzer === this.#options.analyzer) return;
    const reports = (this.#analyzers.get(analyzer)?.reports ?? 0) + 1;
    this.#analyzers.set(analyzer, { report, reports, heardMs });
    for (const { partition, generation, totals } of report.partitions) {
      const known = this.#partitions.get(partition);
      if (known === undefined || generation >= known.generation)
        this.#partitions.set(partition, { analyzer, generation, totals, heardMs });
    }
    for (const [name, heard] of this.#analyzers) if (!this.#isFresh(heard, heardMs)) this.#analyzers.delete(name);
  }

  /**
   * @param own partitions of this analyzer that it has judged. @param ownedNumbers those that it owns.
   * @param troubles its own. @param nowMs elapsed log time, here and below.
   */
  whole(
    own: readonly JudgedPartition[],
    ownedNumbers: ReadonlySet<number>,
    troubles: AnalyzerTroubles,
    partitions: number,
    nowMs: number,
  ): WholeMesh {
    const known = this.knownPartitions(own, ownedNumbers, nowMs);
    const others = this.#others(nowMs);
    const ownReasons =
      others.length > 0 ? reasonsOf(this.#options.analyzer, troubles.staleReasons) : troubles.staleReasons;
    const sum = (figure: 'refusedEvents' | 'truncatedRecords'): number =>
      others.reduce((all, report) => all + report[figure], troubles[figure]);
    return {
      totals: [...known.values()].reduce(mergeTotals, emptyTotals()),
      unknownPartitions: partitions - known.size,
      reports: new Map(
        [...this.#analyzers]
          .filter(([, heard]) => this.#isFresh(heard, nowMs) && heard.report.ownedPartitions > 0)
          .map(([analyzer, { reports }]) => [analyzer, reports]),
      ),
      staleReasons: [...ownReasons, ...this.othersReasons(nowMs)],
      refusedEvents: sum('refusedEvents'),
      truncatedRecords: sum('truncatedRecords'),
      // An inventory is of all partitions: a peer that owes one to several analyzers sends it once.
      owedInventories: Math.max(troubles.owedInventories, ...others.map((report) => report.owedInventories)),
    };
  }
  /** Totals of each partition that anybody tells of; the own ones first. */
  knownPartitions(
    own: readonly JudgedPartition[],
    ownedNumbers: ReadonlySet<number>,
    nowMs: number,
  ): ReadonlyMap<number, SweepTotals> {
    const totals = new Map(own.map((each) => [each.partition, each.totals]));
    for (const [partition, known] of this.#partitions) {
      if (!ownedNumbers.has(partition) && this.#isFresh(known, nowMs)) totals.set(partition, known.totals);
    }
    return totals;
  }

  /** Why the parts of other analyzers are stale. */
  othersReasons(nowMs: number): readonly StaleReason[] {
    return this.#others(nowMs).flatMap(({ analyzer, staleReasons }) => reasonsOf(analyzer, staleReasons));
  }

  #others(nowMs: number): readonly Report[] {
    return [...this.#analyzers.values()]
      .filter((heard) => this.#isFresh(heard, nowMs) && heard.report.ownedPartitions > 0)
      .map(({ report }) => report);
  }

  #isFresh({ heardMs }: { readonly heardMs: number }, nowMs: number): boolean {
    return nowMs - heardMs <= this.#options.staleAfterMs;
  }
}

function reasonsOf(analyzer: string, reasons: readonly StaleReason[]): readonly StaleReason[] {
  return reasons.map((reason) => ({ ...reason, analyzer }));
}
