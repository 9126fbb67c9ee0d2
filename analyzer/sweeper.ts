/** Looks at files when it is due: at all of them in a sweep, at those that were touched in between, and raises alerts by what a sweep found. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { AlertBoard } from './alerts/alert-board.ts';
import { recoverabilityAlerts, staleAlertKey } from './alerts/recoverability.ts';
import type { Freshness } from './freshness.ts';
import type { PeerRegister } from './liveness/peer-register.ts';
import type { AnalyzerOptions } from './options.ts';
import type { OwnedPartition } from './partition/owned-partition.ts';
import type { Publisher } from './publisher.ts';
import type { PeerTable } from './share-map/peer-table.ts';
import type { SweepTotals } from './share-map/share-map.ts';
import { emptyTotals, mergeTotals } from './share-map/totals.ts';
import type { WaitingHistory } from './waiting-history.ts';

export interface SweeperOptions {
  readonly analyzer: AnalyzerOptions;
  readonly table: PeerTable;
  readonly publisher: Publisher;
  readonly owned: ReadonlyMap<number, OwnedPartition>;
  readonly history: WaitingHistory;
  readonly newAlertId: () => string;
  readonly peers: () => PeerRegister | null;
  readonly freshness: () => Freshness;
}

/** Part of a domain's peers that must be silent for the domain to count as lost. */
const lostDomainRatio = 0.8;
const touchIntervalMs = 200;
/** Sweeps because of peers rest for this many times what the last one took: peers that flap must not take the whole core. */
const restRatio = 4;
const historyIntervalMs = 1000;

export class Sweeper {
  readonly board: AlertBoard;
  totals: SweepTotals = emptyTotals();
  sweptAtMs = 0;
  readonly #options: SweeperOptions;
  #sweptRevision = -1;
  #nextSweepMs = 0;
  #nextUrgentSweepMs = 0;
  #nextLookMs = 0;
  #nextHistoryMs = 0;
  #staleSinceMs: number | null = null;
  #refusedBefore = 0;
  #truncatedRecords = 0;
  #truncatedAtMs = 0;

  constructor(options: SweeperOptions) {
    this.#options = options;
    this.board = new AlertBoard(options.newAlertId);
  }

  sweepSoon(): void {
    this.#nextSweepMs = 0;
  }

  /** Records left the log unread; said in an alert until every peer must have sent an inventory since. */
  truncated(records: number): void {
    this.#truncatedRecords += records;
    this.#truncatedAtMs = this.#options.analyzer.clock.monotonicMs();
  }

  /** Does what is due. @returns whether anything may have changed. */
  async step(): Promise<boolean> {
    const now = this.#options.analyzer.clock.monotonicMs();
    const peersChanged = this.#options.table.revision !== this.#sweptRevision && now >= this.#nextUrgentSweepMs;
    if (now >= this.#nextSweepMs || peersChanged) {
      await this.#sweep();
      return true;
    }
    if (now < this.#nextLookMs) return false;
    this.#nextLookMs = now + touchIntervalMs;
    return this.#look();
  }

  async #sweep(): Promise<void> {
    const { analyzer, publisher, history, table } = this.#options;
    const { clock, metrics, config } = analyzer;
    const startedMs = clock.monotonicMs();
    this.#nextSweepMs = startedMs + config.analyzer.sweepIntervalMs;
    this.#sweptRevision = table.revision;
    let totals = emptyTotals();
    for (const owned of this.#caughtUp()) {
      if (this.#options.owned.get(owned.number) !== owned) continue;
      publisher.removeDeleted(owned);
      const sweep = owned.map.sweep(owned.time.watermarkMs);
      totals = mergeTotals(totals, sweep.totals);
      publisher.publish(owned, sweep.changed);
      await nextTurn();
    }
    this.totals = totals;
    this.sweptAtMs = clock.nowMs();
    const now = clock.monotonicMs();
    this.#nextUrgentSweepMs = now + restRatio * (now - startedMs);
    metrics.sweepSeconds.record((now - startedMs) / 1000);
    history.addStateChanges(this.#options.peers()?.takeChanges() ?? []);
    this.#raiseAlerts(now);
    if (now < this.#nextHistoryMs) return;
    this.#nextHistoryMs = now + Math.min(historyIntervalMs, config.analyzer.sweepIntervalMs);
    history.addSweep({ totals, atMs: this.sweptAtMs });
  }

  #look(): boolean {
    const { publisher } = this.#options;
    let changed = false;
    for (const owned of this.#caughtUp()) {
      if (publisher.removeDeleted(owned)) changed = true;
      const touched = owned.map.lookAtTouched(owned.time.watermarkMs);
      publisher.publish(owned, touched);
      if (touched.length > 0) changed = true;
    }
    return changed;
  }

  /** Files of a partition that is still being rebuilt are not judged. */
  #caughtUp(): readonly OwnedPartition[] {
    return [...this.#options.owned.values()].filter((owned) => owned.caughtUp);
  }

  #raiseAlerts(nowMs: number): void {
    const { analyzer, owned, history } = this.#options;
    const alerts = recoverabilityAlerts({
      totals: this.totals,
      peers: this.#options.peers()?.facts() ?? [],
      staleReasons: this.#lastingStaleReasons(nowMs),
      lostDomainRatio,
      refusedEvents: this.#refusedEvents(),
      truncatedRecords: this.#truncatedLately(nowMs),
    });
    // With a partition still being rebuilt the totals lack its files: no file alert begins or ends by that.
    const isWhole = owned.size > 0 && [...owned.values()].every(({ caughtUp }) => caughtUp);
    const changes = this.board.update(alerts, this.sweptAtMs, (key) => isWhole || key === staleAlertKey);
    for (const { alert, state } of changes) {
      const fields = { alert: alert.key, severity: alert.severity, files: alert.files, next: alert.next };
      if (state === 'firing') analyzer.logger.warn(fields, alert.summary);
      if (state === 'resolved') analyzer.logger.info(fields, `resolved: ${alert.summary}`);
    }
    history.addAlertChanges(changes);
  }

  /** A restart and a partition that moves make health stale for a moment: nobody is called for that. */
  #lastingStaleReasons(nowMs: number): readonly string[] {
    const { state, reasons } = this.#options.freshness();
    if (state === 'fresh') {
      this.#staleSinceMs = null;
      return [];
    }
    this.#staleSinceMs ??= nowMs;
    const { staleAfterMs } = this.#options.analyzer.config.analyzer;
    return nowMs - this.#staleSinceMs >= staleAfterMs ? reasons : [];
  }

  #refusedEvents(): number {
    let refused = 0;
    for (const { map } of this.#options.owned.values()) refused += map.refusedFiles;
    this.#options.analyzer.metrics.refusedEvents.add(Math.max(0, refused - this.#refusedBefore));
    this.#refusedBefore = refused;
    return refused;
  }

  #truncatedLately(nowMs: number): number {
    const lastsMs = this.#options.analyzer.config.agent.inventoryIntervalMs;
    if (nowMs - this.#truncatedAtMs > lastsMs) this.#truncatedRecords = 0;
    return this.#truncatedRecords;
  }
}
