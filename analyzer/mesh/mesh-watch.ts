/**
 * What follows from a sweep for the mesh as a whole: a report to the other analyzers, alerts, history and exposure. Every analyzer knows
 * the same of the mesh; the owner of one partition is the only one that tells and writes it.
 */
import type { PeerId } from '#mesh/peer-id.ts';
import type { PeerRegister } from '#peers/liveness/peer-register.ts';
import { AlertBoard } from '../alerts/alert-board.ts';
import { recoverabilityAlerts, staleAlertKey } from '../alerts/recoverability.ts';
import type { OwnedPartition } from '../files/partition/owned-partition.ts';
import type { Exposure } from '../files/share-map/peer-numbering.ts';
import type { WaitingHistory } from '../files/waiting-history.ts';
import type { AnalyzerOptions } from '../options.ts';
import { ExposureRows, mergeExposure } from './exposure.ts';
import type { Freshness } from './freshness.ts';
import { InventoryAsks } from './inventory-asks.ts';
import { MeshView, type WholeMesh } from './mesh-view.ts';
import { meshWriterPartition } from './mesh-writer.ts';
import { type AnalyzerTroubles, encodeReport, type JudgedPartition, type Report } from './report.ts';

export interface MeshWatchOptions {
  readonly analyzer: AnalyzerOptions;
  readonly instance: string;
  readonly owned: ReadonlyMap<number, OwnedPartition>;
  readonly partitionCount: () => number;
  readonly history: WaitingHistory;
  readonly newAlertId: () => string;
  readonly peers: () => PeerRegister | null;
  /** Of this analyzer's own part. */
  readonly freshness: () => Freshness;
  /** Peers that owe an inventory and count. */
  readonly owingPeers: () => readonly PeerId[];
  readonly complain: (error: unknown, message: string) => void;
}

/** Part of a domain's peers that must be silent for the domain to count as lost. */
const lostDomainRatio = 0.8;
const historyIntervalMs = 1000;
/** Exposure changes slowly, and its rows are many. */
const sweepsPerExposure = 6;

export class MeshWatch {
  readonly board: AlertBoard;
  readonly #options: MeshWatchOptions;
  readonly #view: MeshView;
  readonly #exposureRows = new ExposureRows();
  readonly #asks = new InventoryAsks();
  #exposures = new Map<number, Exposure>();
  #staleSinceMs: number | null = null;
  #refusedBefore = { events: 0, placements: 0 };
  #nextReportMs = 0;
  #nextHistoryMs = 0;
  #nextExposureMs = 0;
  #reporting: Promise<void> | null = null;
  /** The telling of alerts is here; null where it is not, and a time while those that are open are read. */
  #tellsSinceMs: number | null = null;
  #resumed = false;

  constructor(options: MeshWatchOptions) {
    this.#options = options;
    this.board = new AlertBoard(options.newAlertId);
    const { staleAfterMs, sweepIntervalMs } = options.analyzer.config.analyzer;
    this.#view = new MeshView({ analyzer: options.instance, staleAfterMs: staleAfterMs + 2 * sweepIntervalMs });
  }

  note(report: Report): void {
    this.#view.note(report);
  }

  /** The mesh with the own partitions as the last sweep found them. */
  whole(): WholeMesh {
    const { owned, partitionCount, analyzer } = this.#options;
    const judged = this.#judged();
    return this.#view.whole(judged, new Set(owned.keys()), this.#troubles(), partitionCount(), analyzer.clock.nowMs());
  }

  /** The freshness of the whole: of what this analyzer says itself, and of what the others report. */
  freshness(): Freshness {
    const own = this.#options.freshness();
    const { staleReasons, unknownPartitions } = this.whole();
    const others = staleReasons.filter((reason) => !own.reasons.some((known) => reason.endsWith(known)));
    const rebuilt = [...this.#options.owned.values()].filter(({ caughtUp }) => !caughtUp).length;
    const elsewhere = unknownPartitions - rebuilt;
    const isUnknown = this.#options.owned.size > 0 && elsewhere > 0 && this.#hasSwept();
    const reasons = [
      ...own.reasons,
      ...others,
      ...(isUnknown ? [`no analyzer has told of ${elsewhere === 1 ? '1 partition' : `${elsewhere} partitions`}`] : []),
    ];
    return { state: reasons.length === 0 ? 'fresh' : 'stale', asOfMs: own.asOfMs, reasons };
  }

  swept(partition: number, exposure: Exposure): void {
    this.#exposures.set(partition, exposure);
  }

  /** After a sweep of everything that is owned. */
  afterSweep(atMs: number): void {
    const { analyzer, history, peers } = this.#options;
    const now = analyzer.clock.monotonicMs();
    history.addStateChanges(peers()?.takeChanges() ?? []);
    this.#report(now);
    this.#exposure(now, atMs);
    const whole = this.whole();
    const isWhole = whole.unknownPartitions === 0 && this.#judged().length === this.#options.owned.size;
    this.#raiseAlerts(whole, isWhole, now, atMs);
    if (!isWhole || !this.#isWriter || now < this.#nextHistoryMs) return;
    this.#nextHistoryMs = now + Math.min(historyIntervalMs, analyzer.config.analyzer.sweepIntervalMs);
    history.addSweep({ totals: whole.totals, atMs });
  }

  /** Nothing is owned here any more: others tell of it. */
  withdraw(atMs: number): void {
    this.#options.history.addExposure(this.#exposureRows.next({ peers: new Map(), domains: new Map() }, atMs));
  }

  /** Resolves when no report is under way. */
  async still(): Promise<void> {
    await this.#reporting;
  }

  get #isWriter(): boolean {
    return this.#options.owned.has(meshWriterPartition);
  }

  #hasSwept(): boolean {
    return this.#judged().length > 0;
  }

  #judged(): readonly JudgedPartition[] {
    return [...this.#options.owned.values()].flatMap(({ number, assigned, totals }) =>
      totals === null ? [] : [{ partition: number, generation: assigned.generation, totals }],
    );
  }

  #troubles(): AnalyzerTroubles {
    const { owned, owingPeers } = this.#options;
    let refusedEvents = 0;
    let truncatedRecords = 0;
    for (const { map, lostRecords } of owned.values()) {
      refusedEvents += map.refusedFiles;
      if (map.progress.owing.size > 0) truncatedRecords += lostRecords;
    }
    const staleReasons = this.#lastingStaleReasons();
    return { staleReasons, refusedEvents, truncatedRecords, owedInventories: owingPeers().length };
  }

  #report(now: number): void {
    const { analyzer, instance, owned, complain, owingPeers, peers } = this.#options;
    if (this.#reporting !== null || now < this.#nextReportMs) return;
    const { sweepIntervalMs } = analyzer.config.analyzer;
    this.#nextReportMs = now + Math.min(historyIntervalMs, sweepIntervalMs);
    const report: Report = {
      ...this.#troubles(),
      analyzer: instance,
      atMs: analyzer.clock.nowMs(),
      partitions: this.#judged(),
      ownedPartitions: owned.size,
      inventoryAsks: this.#asks.open(owingPeers(), (peer) => peers()?.find(peer), now),
    };
    const record = { partition: 0, key: null, value: encodeReport(report) };
    this.#reporting = analyzer.log
      .append(analyzer.topics.peerEvents.name, [record])
      .then(
        () => undefined,
        (error: unknown) => complain(error, 'the log takes no report now; the other analyzers wait for the next'),
      )
      .finally(() => {
        this.#reporting = null;
      });
  }

  #exposure(now: number, atMs: number): void {
    const { owned, history, analyzer } = this.#options;
    this.#exposures = new Map([...this.#exposures].filter(([partition]) => owned.has(partition)));
    if (now < this.#nextExposureMs) return;
    this.#nextExposureMs = now + sweepsPerExposure * analyzer.config.analyzer.sweepIntervalMs;
    history.addExposure(this.#exposureRows.next(mergeExposure([...this.#exposures.values()]), atMs));
  }

  #countRefused(): void {
    const { owned, analyzer } = this.#options;
    const refused = { events: 0, placements: 0 };
    for (const { map } of owned.values()) {
      refused.events += map.refusedFiles;
      refused.placements += map.refusedPlacements;
    }
    // Partitions that went took their counts along.
    analyzer.metrics.refusedEvents.add(Math.max(0, refused.events - this.#refusedBefore.events));
    analyzer.metrics.refusedPlacements.add(Math.max(0, refused.placements - this.#refusedBefore.placements));
    this.#refusedBefore = refused;
  }

  #raiseAlerts(whole: WholeMesh, isWhole: boolean, now: number, atMs: number): void {
    const { analyzer, history, peers } = this.#options;
    this.#countRefused();
    const tells = this.#tellsAlerts(now);
    const alerts = recoverabilityAlerts({
      ...whole,
      peers: peers()?.facts() ?? [],
      staleReasons: [...whole.staleReasons, ...this.#lastingUnknown(now)],
      lostDomainRatio,
    });
    if (tells === 'not-yet') return;
    // With a partition that nobody has judged the totals lack its files: no file alert begins or ends by that.
    const changes = this.board.update(alerts, atMs, (key) => isWhole || key === staleAlertKey);
    if (tells === 'no') return;
    for (const { alert, state } of changes) {
      const fields = { alert: alert.key, severity: alert.severity, files: alert.files, next: alert.next };
      if (state === 'firing') analyzer.logger.warn(fields, alert.summary);
      if (state === 'resolved') analyzer.logger.info(fields, `resolved: ${alert.summary}`);
    }
    history.addAlertChanges(changes);
  }

  /** Who takes over the telling goes on with what is open; a database that does not answer must not keep alerts back for long. */
  #tellsAlerts(now: number): 'yes' | 'no' | 'not-yet' {
    if (!this.#isWriter) {
      this.#tellsSinceMs = null;
      this.#resumed = false;
      return 'no';
    }
    const { analyzer, complain } = this.#options;
    if (this.#tellsSinceMs === null) {
      this.#tellsSinceMs = now;
      analyzer.store.loadOpenAlerts().then(
        (open) => {
          if (this.#isWriter && !this.#resumed) this.board.resume(open);
          this.#resumed = true;
        },
        (error: unknown) => {
          this.#resumed = true;
          complain(error, 'open alerts cannot be read: some may be told twice');
        },
      );
    }
    if (!this.#resumed && now - this.#tellsSinceMs > analyzer.config.analyzer.staleAfterMs) this.#resumed = true;
    return this.#resumed ? 'yes' : 'not-yet';
  }

  /** A restart and a partition that moves make health stale for a moment: nobody is called for that. */
  #lastingStaleReasons(): readonly string[] {
    const { freshness, analyzer } = this.#options;
    const { state, reasons } = freshness();
    if (state === 'fresh') {
      this.#staleSinceMs = null;
      return [];
    }
    const now = analyzer.clock.monotonicMs();
    this.#staleSinceMs ??= now;
    return now - this.#staleSinceMs >= analyzer.config.analyzer.staleAfterMs ? reasons : [];
  }

  #unknownSinceMs: number | null = null;

  #lastingUnknown(now: number): readonly string[] {
    const reason = this.freshness().reasons.find((each) => each.startsWith('no analyzer has told'));
    if (reason === undefined) {
      this.#unknownSinceMs = null;
      return [];
    }
    this.#unknownSinceMs ??= now;
    return now - this.#unknownSinceMs >= this.#options.analyzer.config.analyzer.staleAfterMs ? [reason] : [];
  }
}
