/**
 * Alerts that have just begun and speak of files, where several analyzers share them: each sees its own part first, so that the first words
 * would say too little. They are told when every other analyzer has reported since, and after some seconds at the latest.
 */
import type { AlertChange } from './alert-board.ts';

/** By analyzer: how many of its reports were heard. */
export type ReportCounts = ReadonlyMap<string, number>;

/** The first report after the beginning may be of a sweep from before it. */
const reportsToHear = 2;
const patienceMs = 5_000;

interface Opening {
  readonly sinceMs: number;
  readonly reports: ReportCounts;
}

export class OpeningAlerts {
  readonly #opening = new Map<string, Opening>();

  /** @param now monotonic time. @returns the keys of the alerts that are not told yet. */
  held(changes: readonly AlertChange[], reports: ReportCounts, now: number): ReadonlySet<string> {
    for (const { alert, state } of changes) {
      if (state === 'resolved') this.#opening.delete(alert.key);
      else if (state === 'firing' && alert.files > 0) this.#opening.set(alert.key, { sinceMs: now, reports });
    }
    for (const [key, opening] of this.#opening) if (isOver(opening, reports, now)) this.#opening.delete(key);
    return new Set(this.#opening.keys());
  }

  /** Another analyzer tells from now on. */
  release(): void {
    this.#opening.clear();
  }
}

function isOver({ sinceMs, reports }: Opening, heard: ReportCounts, now: number): boolean {
  if (now - sinceMs >= patienceMs) return true;
  return [...heard].every(([analyzer, count]) => count - (reports.get(analyzer) ?? 0) >= reportsToHear);
}
