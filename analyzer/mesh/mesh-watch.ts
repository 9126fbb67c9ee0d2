/** What follows from a sweep for the mesh as a whole: a report to the other analyzers, alerts, history and exposure. */
import type { PeerRegister } from '#peers/liveness/peer-register.ts';
import type { MeshAlerts } from '../alerts/mesh-alerts.ts';
import { departedIn, freeDeparted } from '../files/departures.ts';
import type { OwnedPartition } from '../files/partition/owned-partition.ts';
import type { Exposure } from '../files/share-map/peer-numbering.ts';
import type { WaitingHistory } from '../files/waiting-history.ts';
import type { AnalyzerOptions } from '../options.ts';
import { ExposureHistory } from './exposure-history.ts';
import type { MeshFacts } from './mesh-facts.ts';
import { MeshHistory } from './mesh-history.ts';
import { meshWriterPartition } from './mesh-writer.ts';
import { RefusedCounts } from './refused-counts.ts';
import type { ReportExchange } from './report-exchange.ts';

export interface MeshWatchOptions {
  readonly analyzer: Pick<AnalyzerOptions, 'clock' | 'config' | 'metrics'>;
  readonly owned: ReadonlyMap<number, OwnedPartition>;
  readonly facts: MeshFacts;
  readonly reports: ReportExchange;
  readonly alerts: MeshAlerts;
  readonly history: WaitingHistory;
  readonly register: PeerRegister;
}

export class MeshWatch {
  readonly #options: MeshWatchOptions;
  readonly #totals: MeshHistory;
  readonly #exposure: ExposureHistory;
  readonly #refused: RefusedCounts;

  constructor(options: MeshWatchOptions) {
    const { analyzer, history } = options;
    const { sweepIntervalMs } = analyzer.config.analyzer;
    this.#options = options;
    this.#totals = new MeshHistory(history, sweepIntervalMs);
    this.#exposure = new ExposureHistory(history, sweepIntervalMs);
    this.#refused = new RefusedCounts(analyzer.metrics);
  }

  swept(partition: number, exposure: Exposure): void {
    this.#exposure.swept(partition, exposure);
  }

  /** After a sweep of everything that is owned. @param look its trace, where it is kept. */
  afterSweep(atMs: number, look?: string): void {
    const { analyzer, owned, facts, reports, alerts, history, register } = this.#options;
    const now = analyzer.clock.monotonicMs();
    const changes = register.takeChanges();
    history.addStateChanges(changes);
    freeDeparted(owned.values(), departedIn(changes));
    this.#refused.count(owned.values());
    reports.reportWhenDue(now);
    this.#exposure.addWhenDue(owned, now, atMs);
    const whole = facts.whole();
    const isWhole = whole.unknownPartitions === 0 && facts.areAllJudged;
    const mesh = { ...whole, staleReasons: [...whole.staleReasons, ...facts.lastingUnreported()] };
    const unwatchedFiles = facts.lastingWithoutManifest;
    alerts.update({ mesh, isWhole, unwatchedFiles, peers: register.facts(), now, atMs, look });
    if (isWhole && owned.has(meshWriterPartition)) this.#totals.addWhenDue(whole, now, atMs);
  }

  /** Nothing is owned here any more. */
  withdraw(atMs: number): void {
    this.#exposure.withdraw(atMs);
  }
}
