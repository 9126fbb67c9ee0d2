/**
 * Where the mesh is heading, out of the last hour's sweeps: when the file that is closest to k reaches it at the present rate of
 * decline, and when repair will be done at the rate at which files have left the list of those that need it.
 */
import type { SweepTotals } from '../files/share-map/share-map.ts';
import { formatSpan } from './words.ts';

export interface Outlook {
  /** Of files that can be recovered; null where there are none. */
  readonly smallestMargin: number | null;
  /** Null while the smallest margin does not fall. */
  readonly timeToKMs: number | null;
  readonly filesToRepair: number;
  /** Null while the files to repair do not become fewer. */
  readonly repairEtaMs: number | null;
  /** Under way now; null where no repairer answers. */
  readonly runningRepairs: number | null;
  /** Why bulk repair holds; null where it does not. */
  readonly brake: string | null;
}

export interface RepairsNow {
  readonly running: number;
  readonly brake: string | null;
}

interface Sample {
  readonly atMs: number;
  readonly smallestMargin: number | null;
  readonly filesToRepair: number;
}

const windowMs = 3_600_000;
/** A rate is told once it is seen over as long. */
const leastSpanMs = 10_000;
const maxSamples = 720;
const sampleEveryMs = windowMs / maxSamples;

export class OutlookWatch {
  readonly #samples: Sample[] = [];

  /** @param atMs of a clock that only grows. */
  note(totals: SweepTotals, atMs: number): void {
    const sample = { atMs, smallestMargin: smallestMarginOf(totals), filesToRepair: filesToRepairOf(totals) };
    const last = this.#samples.at(-2);
    // The newest always stands; between the others there is a distance.
    if (last !== undefined && atMs - last.atMs < sampleEveryMs) this.#samples.pop();
    this.#samples.push(sample);
    while ((this.#samples[0]?.atMs ?? atMs) < atMs - windowMs || this.#samples.length > maxSamples)
      this.#samples.shift();
  }

  outlook(repairs: RepairsNow | null): Outlook {
    const now = this.#samples.at(-1);
    return {
      smallestMargin: now?.smallestMargin ?? null,
      timeToKMs: this.#timeToZeroMs(({ smallestMargin }) => smallestMargin),
      filesToRepair: now?.filesToRepair ?? 0,
      repairEtaMs: this.#timeToZeroMs(({ filesToRepair }) => filesToRepair),
      runningRepairs: repairs?.running ?? null,
      brake: repairs?.brake ?? null,
    };
  }

  /** By the decline since the figure was at its largest: what rose before is no news. */
  #timeToZeroMs(figureOf: (sample: Sample) => number | null): number | null {
    const now = this.#samples.at(-1);
    const figure = now === undefined ? null : figureOf(now);
    if (now === undefined || figure === null || figure <= 0) return null;
    let top = now;
    let topFigure = figure;
    for (const sample of this.#samples) {
      const known = figureOf(sample);
      if (known === null || known < topFigure || sample === now) continue;
      top = sample;
      topFigure = known;
    }
    const spanMs = now.atMs - top.atMs;
    if (topFigure <= figure || spanMs < leastSpanMs) return null;
    return (figure * spanMs) / (topFigure - figure);
  }
}

function smallestMarginOf({ byMargin }: SweepTotals): number | null {
  let smallest: number | null = null;
  for (const margins of byMargin.values()) {
    for (const [margin, { files }] of margins) {
      if (files > 0 && margin >= 0 && (smallest === null || margin < smallest)) smallest = margin;
    }
  }
  return smallest;
}

function filesToRepairOf({ byGrade }: SweepTotals): number {
  const files = (grade: 'lost' | 'critical' | 'at-risk'): number => byGrade.get(grade)?.files ?? 0;
  return files('lost') + files('critical') + files('at-risk');
}

export function timeLeftWords({ smallestMargin, timeToKMs }: Outlook): string {
  if (smallestMargin === null) return 'no file that can be recovered is left';
  const margin = `the smallest margin is ${smallestMargin === 1 ? '1 share' : `${smallestMargin} shares`}`;
  if (timeToKMs === null) return `${margin} and is not falling`;
  return `${formatSpan(timeToKMs)} until a file reaches k at the present rate of decline (${margin})`;
}

export function repairWords({ filesToRepair, repairEtaMs, runningRepairs, brake }: Outlook): string {
  if (filesToRepair === 0) return 'no file waits for repair';
  const waiting = `${filesToRepair === 1 ? '1 file needs' : `${filesToRepair} files need`} repair`;
  const running =
    runningRepairs === null
      ? 'no repairer answers'
      : `${runningRepairs === 1 ? '1 repair is' : `${runningRepairs} repairs are`} under way`;
  const eta = repairEtaMs === null ? 'they do not become fewer yet' : `done in about ${formatSpan(repairEtaMs)}`;
  return [waiting, running, eta, ...(brake === null ? [] : [`bulk repair is held: ${brake}`])].join('; ');
}
