/**
 * Which alerts hold for the mesh. Every analyzer knows them; the owner of one partition is the only one that announces their changes and
 * writes them, and whoever takes that over goes on with those that are open.
 */
import type { PeerFacts } from '#peers/liveness/peer-register.ts';
import type { WaitingHistory } from '../files/waiting-history.ts';
import type { WholeMesh } from '../mesh/mesh-view.ts';
import { meshWriterPartition } from '../mesh/mesh-writer.ts';
import type { AnalyzerOptions } from '../options.ts';
import type { AlertBoard, AlertChange } from './alert-board.ts';
import { recoverabilityAlerts, staleAlertKey } from './recoverability.ts';

export interface MeshAlertsOptions {
  readonly analyzer: Pick<AnalyzerOptions, 'store' | 'config' | 'logger'>;
  readonly board: AlertBoard;
  readonly history: Pick<WaitingHistory, 'addAlertChanges'>;
  /** By number: the owner of `meshWriterPartition` announces. */
  readonly owned: ReadonlyMap<number, unknown>;
  readonly complain: (error: unknown, message: string) => void;
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
}

/** Part of a domain's peers that must be silent for the domain to count as lost. */
const lostDomainRatio = 0.8;

export class MeshAlerts {
  readonly #options: MeshAlertsOptions;
  /** Since when this analyzer has been the one that announces; null where it is not. */
  #writerSinceMs: number | null = null;
  /** The board holds those that were open before, or has waited for them for long enough. */
  #resumed = false;

  constructor(options: MeshAlertsOptions) {
    this.#options = options;
  }

  update({ mesh, isWhole, unwatchedFiles, peers, now, atMs }: AlertMoment): void {
    const { board, history } = this.#options;
    const isWriter = this.#takesTurn(now);
    if (isWriter && !this.#resumed) return;
    const alerts = recoverabilityAlerts({ ...mesh, unwatchedFiles, peers, lostDomainRatio });
    const changes = board.update(alerts, atMs, (key) => isWhole || key === staleAlertKey);
    if (!isWriter) return;
    for (const change of changes) this.#log(change);
    history.addAlertChanges(changes);
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
      return false;
    }
    if (this.#writerSinceMs === null) {
      this.#writerSinceMs = now;
      void this.#resume();
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
