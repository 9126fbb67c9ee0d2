/**
 * Which alerts hold for the mesh. Every analyzer knows them; the owner of one partition is the only one that announces their changes and
 * writes them, and whoever takes that over goes on with those that are open.
 */
import type { PeerFacts } from '#peers/liveness/peer-register.ts';
import type { WaitingHistory } from '../files/waiting-history.ts';
import type { WholeMesh } from '../mesh/mesh-view.ts';
import { meshWriterPartition } from '../mesh/mesh-writer.ts';
import type { AnalyzerOptions } from '../options.ts';
import { traceAlert } from '../traces.ts';
import type { Alert } from './alert.ts';
import type { AlertBoard, AlertChange } from './alert-board.ts';
import type { Delivery } from './delivery/delivery.ts';
import {
  ObjectiveLedger,
  type ObjectiveStanding,
  objectiveAlerts,
  objectiveCount,
  objectiveSpans,
  pagedForMs,
} from './objective.ts';
import { OpeningAlerts } from './opening-alerts.ts';
import { OutlookWatch } from './outlook.ts';
import { DisputeWatch, proofAlertKey } from './proof-alerts.ts';
import { explainedBy, maintenanceWords, recoverabilityAlerts, staleAlertKey } from './recoverability.ts';

export interface MeshAlertsOptions {
  readonly analyzer: Pick<AnalyzerOptions, 'store' | 'config' | 'logger' | 'clock'>;
  readonly board: AlertBoard;
  readonly history: Pick<WaitingHistory, 'addAlertChanges'>;
  /** By number: the owner of `meshWriterPartition` announces. */
  readonly owned: ReadonlyMap<number, unknown>;
  readonly complain: (error: unknown, message: string) => void;
  /** Tells people; without one alerts are only kept and shown. */
  readonly delivery?: Delivery | undefined;
}

/** Of one moment. */
export interface AlertMoment {
  readonly mesh: WholeMesh;
  /** Files that have shares and, for long, no manifest. */
  readonly unwatchedFiles: number;
  /** Every partition is judged: without one the totals lack its files, and no alert of files begins or ends by that. */
  readonly isWhole: boolean;
  readonly peers: readonly PeerFacts[];
  /** Monotonic time, and wall time. */
  readonly now: number;
  readonly atMs: number;
  /** The trace of the sweep that found it, where it is kept. */
  readonly look?: string | undefined;
}

/** Part of a domain's peers that must be silent for the domain to count as lost. */
const lostDomainRatio = 0.8;

export class MeshAlerts {
  readonly #options: MeshAlertsOptions;
  /** Since when this analyzer has been the one that announces; null where it is not. */
  #writerSinceMs: number | null = null;
  readonly #outlook = new OutlookWatch();
  readonly #opening = new OpeningAlerts();
  readonly #objective: ObjectiveLedger;
  readonly #disputes: DisputeWatch;
  /** Of open alerts by id: what their notices go on from. */
  readonly #traces = new Map<string, string>();
  #pagedUntilMs = Number.NEGATIVE_INFINITY;
  /** The board holds those that were open before, or has waited for them for long enough. */
  #resumed = false;

  constructor(options: MeshAlertsOptions) {
    this.#options = options;
    this.#objective = new ObjectiveLedger(options.analyzer.config.objective);
    const { complain, analyzer } = options;
    this.#disputes = new DisputeWatch({
      ask: (sinceMs) => analyzer.store.loadDisputedProofs(sinceMs),
      clock: analyzer.clock,
      complain,
    });
  }

  update(moment: AlertMoment): void {
    const { mesh, isWhole, now, atMs } = moment;
    const { board, history, delivery } = this.#options;
    if (isWhole) {
      this.#outlook.note(mesh.totals, now);
      this.#objective.note(objectiveCount(mesh.totals, atMs));
    }
    const isWriter = this.#takesTurn(now);
    if (!isWriter) {
      delivery?.release();
      this.#opening.release();
    } else if (!this.#resumed) return;
    const canTell = (key: string): boolean =>
      key === proofAlertKey ? this.#disputes.isKnown : isWhole || isOfItself(key);
    const changes = board.update(this.#alertsNow(moment), atMs, canTell);
    if (!isWriter) return;
    for (const change of changes) {
      this.#log(change);
      this.#trace(change, moment.look);
    }
    history.addAlertChanges(changes);
    const outlook = this.#outlook.outlook(delivery?.repairsNow() ?? null);
    const escalated = new Map(
      changes.flatMap(({ alert, escalatedTo }) =>
        escalatedTo === undefined ? [] : [[alert.key, escalatedTo] as const],
      ),
    );
    const held = this.#opening.held(changes, mesh.reports ?? new Map(), now);
    delivery?.update({
      open: board.open().filter(({ alert }) => !held.has(alert.key)),
      escalated,
      outlook,
      canTell: (key) => canTell(key) && !held.has(key),
      isOwner: () => this.#isWriter,
      traceOf: (alertId) => this.#traces.get(alertId),
    });
  }

  /** How the objective stands, and what is left of its budget. */
  objective(nowMs: number): readonly ObjectiveStanding[] {
    return this.#objective.standings(nowMs);
  }

  #alertsNow({ mesh, unwatchedFiles, peers, now, atMs }: AlertMoment): readonly Alert[] {
    const found = recoverabilityAlerts({ ...mesh, unwatchedFiles, peers, readPeers: peers, lostDomainRatio });
    if (found.some(({ severity, files }) => severity === 'page' && files > 0)) this.#pagedUntilMs = now + pagedForMs;
    const maintenance = maintenanceWords(peers, mesh.totals);
    const burning = objectiveAlerts(this.#objective.standings(atMs), now < this.#pagedUntilMs);
    const failing = this.#options.delivery?.alerts() ?? [];
    const disputed = this.#disputes.alerts();
    return [...found, ...burning.map((alert) => explainedBy(maintenance, alert)), ...disputed, ...failing];
  }

  get #isWriter(): boolean {
    return this.#options.owned.has(meshWriterPartition);
  }

  /** Whether it is this analyzer's turn. A database that does not answer must not keep alerts back for long. */
  #takesTurn(now: number): boolean {
    const { analyzer } = this.#options;
    if (!this.#isWriter) {
      this.#writerSinceMs = null;
      this.#resumed = false;
      this.#traces.clear();
      return false;
    }
    if (this.#writerSinceMs === null) {
      this.#writerSinceMs = now;
      void this.#resume();
      void this.#resumeObjective();
    }
    if (now - this.#writerSinceMs > analyzer.config.analyzer.staleAfterMs) this.#resumed = true;
    return true;
  }

  async #resume(): Promise<void> {
    const { analyzer, board, complain } = this.#options;
    try {
      const open = await analyzer.store.loadOpenAlerts();
      if (this.#isWriter && !this.#resumed) board.resume(open);
    } catch (error) {
      complain(error, 'open alerts cannot be read: some may be announced twice');
    }
    this.#resumed = true;
  }

  async #resumeObjective(): Promise<void> {
    const { complain, analyzer } = this.#options;
    const { store, config, clock } = analyzer;
    const { minutes, hours } = objectiveSpans(config.objective);
    const load = (span: { readonly spanMs: number; readonly maxSteps: number }) =>
      store.loadObjectiveHistory(clock.nowMs() - span.spanMs, span.maxSteps);
    try {
      this.#objective.resume({ minutes: await load(minutes), hours: await load(hours) });
    } catch (error) {
      complain(error, 'the history of the objective cannot be read: its budget counts from now on');
    }
  }

  #trace({ id, alert, state }: AlertChange, look: string | undefined): void {
    if (state === 'resolved') this.#traces.delete(id);
    const traceparent = state === 'firing' ? traceAlert(alert, look) : undefined;
    if (traceparent !== undefined) this.#traces.set(id, traceparent);
  }

  #log({ alert, state, escalatedTo }: AlertChange): void {
    const { logger } = this.#options.analyzer;
    const fields = { alert: alert.key, severity: alert.severity, files: alert.files, next: alert.next };
    if (state === 'firing') logger.warn(fields, alert.summary);
    if (escalatedTo !== undefined)
      logger.warn(
        { ...fields, escalatedTo: escalatedTo.key },
        `graver now: ${escalatedTo.summary} (was: ${alert.summary})`,
      );
    else if (state === 'resolved') logger.info(fields, `resolved: ${alert.summary}`);
  }
}

/** Of alerts that do not follow from what is known of files. */
function isOfItself(key: string): boolean {
  return key === staleAlertKey || key.startsWith('sink-failing:');
}
