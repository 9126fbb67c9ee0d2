/** What belongs into histories and waits for the next flush. While the store is away the oldest goes, and is counted. */

import type { StateChange } from '#peers/liveness/peer-register.ts';
import type { AlertChange } from '../alerts/alert-board.ts';
import type { ExposureRecord, SweepRecord } from '../ports.ts';

const maxSweeps = 1000;
const maxExposureRows = 50_000;
const maxStateChanges = 100_000;
const maxAlertChanges = 10_000;

export interface HistoryRows {
  readonly exposure: readonly ExposureRecord[];
  readonly sweeps: readonly SweepRecord[];
  readonly alertChanges: readonly AlertChange[];
}

export class WaitingHistory {
  readonly #sweeps: SweepRecord[] = [];
  readonly #exposure: ExposureRecord[] = [];
  readonly #stateChanges: StateChange[] = [];
  readonly #alertChanges: AlertChange[] = [];
  readonly #dropped: (rows: number) => void;

  constructor(dropped: (rows: number) => void) {
    this.#dropped = dropped;
  }

  get isEmpty(): boolean {
    const waiting = [this.#sweeps, this.#exposure, this.#stateChanges, this.#alertChanges];
    return waiting.every((rows) => rows.length === 0);
  }

  addSweep(sweep: SweepRecord): void {
    this.#sweeps.push(sweep);
    this.#trim(this.#sweeps, maxSweeps);
  }

  addExposure(rows: readonly ExposureRecord[]): void {
    for (const row of rows) this.#exposure.push(row);
    this.#trim(this.#exposure, maxExposureRows);
  }

  addStateChanges(changes: readonly StateChange[]): void {
    for (const change of changes) this.#stateChanges.push(change);
    this.#trim(this.#stateChanges, maxStateChanges);
  }

  addAlertChanges(changes: readonly AlertChange[]): void {
    for (const change of changes) this.#alertChanges.push(change);
    this.#trim(this.#alertChanges, maxAlertChanges);
  }

  take(): HistoryRows {
    return {
      sweeps: this.#sweeps.splice(0),
      exposure: this.#exposure.splice(0),
      alertChanges: this.#alertChanges.splice(0),
    };
  }

  takeStateChanges(): readonly StateChange[] {
    return this.#stateChanges.splice(0);
  }

  #trim(rows: unknown[], limit: number): void {
    const over = rows.length - limit;
    if (over <= 0) return;
    rows.splice(0, over);
    this.#dropped(over);
  }
}
