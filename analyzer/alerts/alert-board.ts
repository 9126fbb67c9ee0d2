/** Remembers which alerts hold, and says what began, what changed and what ended. */
import type { Alert } from './alert.ts';

export interface AlertChange {
  /** The same from firing to resolved. */
  readonly id: string;
  readonly alert: Alert;
  readonly state: 'firing' | 'changed' | 'resolved';
  readonly atMs: number;
  readonly sinceMs: number;
  /** Of one that ended: it did not get better, its files are told of by a graver alert now. */
  readonly escalatedTo?: Alert;
}

export interface OpenAlert {
  readonly id: string;
  readonly alert: Alert;
  readonly sinceMs: number;
}

interface BoardEntry extends OpenAlert {
  /** The words that were told last. */
  readonly toldSummary: string;
  readonly toldAtMs: number;
}

/** What files of an alert fall into where nobody mends them. */
const graver: Readonly<Record<string, readonly string[]>> = {
  'files-at-risk': ['files-critical', 'files-lost'],
  'files-critical': ['files-lost'],
};

/** An alert whose words change is told again at most this often: its first words went out at once. */
const retellMs = 10_000;

export class AlertBoard {
  readonly #open = new Map<string, BoardEntry>();
  readonly #newId: () => string;

  constructor(newId: () => string) {
    this.#newId = newId;
  }

  /**
   * Takes over what was told before, here or by another analyzer, so that it is resolved when it no longer holds, and not told
   * twice while it does. What stood here besides was told to nobody.
   */
  resume(alerts: readonly OpenAlert[]): void {
    this.#open.clear();
    for (const open of alerts) {
      this.#open.set(open.alert.key, { ...open, toldSummary: open.alert.summary, toldAtMs: open.sinceMs });
    }
  }

  /** @param canTell whether it is known now if an alert of this key holds; one of which it is not stays as it is. */
  update(
    alerts: readonly Alert[],
    atMs: number,
    canTell: (key: string) => boolean = () => true,
  ): readonly AlertChange[] {
    const changes: AlertChange[] = [];
    const keys = new Set(alerts.map((alert) => alert.key));
    for (const [key, { id, alert, sinceMs }] of this.#open) {
      if (keys.has(key) || !canTell(key)) continue;
      const escalatedTo = this.#escalated(key, alerts);
      this.#open.delete(key);
      const end = { id, alert, state: 'resolved', atMs, sinceMs } as const;
      changes.push(escalatedTo === undefined ? end : { ...end, escalatedTo });
    }
    for (const alert of alerts) {
      if (!canTell(alert.key)) continue;
      const known = this.#open.get(alert.key);
      if (known === undefined) changes.push(this.#begin(alert, atMs));
      else changes.push(...this.#goOn(known, alert, atMs));
    }
    return changes;
  }

  /** The graver alert that has begun, or grown, as this one ends. */
  #escalated(key: string, alerts: readonly Alert[]): Alert | undefined {
    return alerts.find((alert) => {
      const before = this.#open.get(alert.key)?.alert.files ?? 0;
      return graver[key]?.includes(alert.key) === true && alert.files > before;
    });
  }

  #begin(alert: Alert, atMs: number): AlertChange {
    const id = this.#newId();
    this.#open.set(alert.key, { id, alert, sinceMs: atMs, toldSummary: alert.summary, toldAtMs: atMs });
    return { id, alert, state: 'firing', atMs, sinceMs: atMs };
  }

  #goOn(known: BoardEntry, now: Alert, atMs: number): readonly AlertChange[] {
    const { id, sinceMs } = known;
    // What paged once stays a page until it is over.
    const alert: Alert = known.alert.severity === 'page' ? { ...now, severity: 'page' } : now;
    const isGraver = alert.severity !== known.alert.severity;
    const tell = isGraver || (alert.summary !== known.toldSummary && atMs - known.toldAtMs >= retellMs);
    const told = tell ? { toldSummary: alert.summary, toldAtMs: atMs } : known;
    this.#open.set(alert.key, { id, alert, sinceMs, toldSummary: told.toldSummary, toldAtMs: told.toldAtMs });
    return tell ? [{ id, alert, state: 'changed', atMs, sinceMs }] : [];
  }

  open(): readonly OpenAlert[] {
    return [...this.#open.values()].map(({ id, alert, sinceMs }) => ({ id, alert, sinceMs }));
  }
}
