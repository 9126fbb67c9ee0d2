/**
 * The recoverability objective: which part of its error budget is burnt, how fast, and when that is an alert. Burn rate 1 uses the
 * budget up exactly in its window. Two windows each: the long one says that it matters, the short one that it still goes on
 * (Google SRE workbook, chapter 5).
 */
import type { Config } from '#mesh/config/schema.ts';
import type { SweepTotals } from '../files/share-map/share-map.ts';
import type { Alert, Severity } from './alert.ts';
import { formatSpan } from './words.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** With a window of 30 days: 2 % of the budget in an hour, 5 % in six, 10 % in three days. */
export const burnRules = [
  { shortMs: 5 * minuteMs, longMs: hourMs, rate: 14.4, severity: 'page' },
  { shortMs: 30 * minuteMs, longMs: 6 * hourMs, rate: 6, severity: 'page' },
  { shortMs: 6 * hourMs, longMs: 3 * dayMs, rate: 1, severity: 'warning' },
] as const satisfies readonly { shortMs: number; longMs: number; rate: number; severity: Severity }[];

const longestBurnMs = 3 * dayMs;

export const objectives = ['recoverable', 'above-repair'] as const;
export type Objective = (typeof objectives)[number];

/** Files of one moment. */
export interface ObjectiveCount {
  readonly atMs: number;
  readonly files: number;
  readonly lost: number;
  /** The lost ones too. */
  readonly belowRepair: number;
}

export function objectiveCount(
  { files, byGrade }: Pick<SweepTotals, 'files' | 'byGrade'>,
  atMs: number,
): ObjectiveCount {
  const of = (grade: 'lost' | 'critical' | 'at-risk'): number => byGrade.get(grade)?.files ?? 0;
  return { atMs, files, lost: of('lost'), belowRepair: of('lost') + of('critical') + of('at-risk') };
}

interface Bucket {
  samples: number;
  /** Sums of the bad part of each sample. */
  lost: number;
  belowRepair: number;
}

export interface ObjectiveStanding {
  readonly objective: Objective;
  readonly wantedRatio: number;
  /** Part of the files that keep it now; 1 where there are none. */
  readonly ratioNow: number;
  /** 1 is untouched, below 0 is overdrawn. */
  readonly budgetLeftRatio: number;
  /** By rule, in their order. */
  readonly burnRates: readonly { readonly shortRate: number; readonly longRate: number }[];
}

export interface StoredObjective {
  readonly minutes: readonly ObjectiveCount[];
  readonly hours: readonly ObjectiveCount[];
}

/** Minutes and hours of which nothing is known count as good: they burn nothing. */
export class ObjectiveLedger {
  readonly #config: Config['objective'];
  readonly #minutes = new Map<number, Bucket>();
  readonly #hours = new Map<number, Bucket>();
  #last: ObjectiveCount | null = null;

  constructor(config: Config['objective']) {
    this.#config = config;
  }

  /** Takes over what is stored of before, one count a minute and one an hour, where this analyzer knows nothing itself. */
  resume({ minutes, hours }: StoredObjective): void {
    resumeIn(this.#minutes, minuteMs, minutes);
    resumeIn(this.#hours, hourMs, hours);
  }

  note(count: ObjectiveCount): void {
    this.#last = count;
    add(this.#minutes, minuteMs, count);
    add(this.#hours, hourMs, count);
    forget(this.#minutes, Math.floor((count.atMs - longestBurnMs) / minuteMs));
    forget(this.#hours, Math.floor((count.atMs - this.#config.windowMs) / hourMs));
  }

  standings(nowMs: number): readonly ObjectiveStanding[] {
    return objectives.map((objective) => this.#standing(objective, nowMs));
  }

  #standing(objective: Objective, nowMs: number): ObjectiveStanding {
    const wantedRatio = objective === 'recoverable' ? this.#config.recoverableRatio : this.#config.aboveRepairRatio;
    const figure = objective === 'recoverable' ? 'lost' : 'belowRepair';
    const budget = 1 - wantedRatio;
    const rate = (windowMs: number): number =>
      budget <= 0 ? 0 : badRatio(this.#minutes, minuteMs, figure, nowMs, windowMs) / budget;
    const { windowMs } = this.#config;
    const last = this.#last;
    return {
      objective,
      wantedRatio,
      ratioNow: last === null || last.files === 0 ? 1 : 1 - last[figure] / last.files,
      budgetLeftRatio: budget <= 0 ? 1 : 1 - badRatio(this.#hours, hourMs, figure, nowMs, windowMs) / budget,
      burnRates: burnRules.map(({ shortMs, longMs }) => ({ shortRate: rate(shortMs), longRate: rate(longMs) })),
    };
  }
}

/** For so long after a page of lost domains or files the fast rules still look back at what it told of. */
export const pagedForMs = 30 * minuteMs;

/**
 * One alert an objective: the gravest rule that holds. @param isPaged whether a page of lost domains or files holds, or held within
 * `pagedForMs`: the cause has paged then, and what is left to tell is that the budget is being used up.
 */
export function objectiveAlerts(standings: readonly ObjectiveStanding[], isPaged: boolean): readonly Alert[] {
  return standings.flatMap((standing) => {
    const at = standing.burnRates.findIndex(({ shortRate, longRate }, i) => {
      const { rate, severity } = burnRules[i] as (typeof burnRules)[number];
      return shortRate > rate && longRate > rate && !(isPaged && severity === 'page');
    });
    const rule = burnRules[at];
    return rule === undefined ? [] : [burnAlert(standing, rule)];
  });
}

function burnAlert(
  { objective, wantedRatio, burnRates }: ObjectiveStanding,
  { shortMs, longMs, severity }: (typeof burnRules)[number],
): Alert {
  const wanted = `${Number((wantedRatio * 100).toFixed(6))} %`;
  const what = objective === 'recoverable' ? 'recoverable' : 'at or above the repair threshold';
  return {
    key: `objective-${objective}`,
    severity,
    summary: `the error budget burns too fast over ${formatSpan(shortMs)} and ${formatSpan(longMs)}: ${wanted} of the files shall be ${what}`,
    next:
      objective === 'recoverable'
        ? 'See which files cannot be recovered, and bring peers back that hold their shares; files that come and go point at peers that flap: `meshward peers`.'
        : 'See that repair keeps up: repairers run, their brake is off, and targets have room. `meshward doctor` looks at each.',
    files: 0,
    bytes: 0,
    details: {
      rates: burnRates.map(({ shortRate, longRate }) => `${shortRate.toFixed(1)}/${longRate.toFixed(1)}`).join(' '),
    },
  };
}

/** How far back, and in how many steps, what `resume` wants is read. */
export function objectiveSpans({ windowMs }: Config['objective']) {
  return {
    minutes: { spanMs: longestBurnMs, maxSteps: longestBurnMs / minuteMs + 1 },
    hours: { spanMs: windowMs, maxSteps: Math.ceil(windowMs / hourMs) + 1 },
  } as const;
}

function resumeIn(buckets: Map<number, Bucket>, stepMs: number, counts: readonly ObjectiveCount[]): void {
  const known = new Set(buckets.keys());
  for (const count of counts) if (!known.has(Math.floor(count.atMs / stepMs))) add(buckets, stepMs, count);
}

function add(buckets: Map<number, Bucket>, stepMs: number, { atMs, files, lost, belowRepair }: ObjectiveCount): void {
  const key = Math.floor(atMs / stepMs);
  const bucket = buckets.get(key) ?? { samples: 0, lost: 0, belowRepair: 0 };
  buckets.set(key, bucket);
  bucket.samples++;
  if (files === 0) return;
  bucket.lost += lost / files;
  bucket.belowRepair += belowRepair / files;
}

function forget(buckets: Map<number, Bucket>, before: number): void {
  for (const key of buckets.keys()) if (key < before) buckets.delete(key);
}

function badRatio(
  buckets: ReadonlyMap<number, Bucket>,
  stepMs: number,
  figure: 'lost' | 'belowRepair',
  nowMs: number,
  windowMs: number,
): number {
  const newest = Math.floor(nowMs / stepMs);
  const steps = Math.max(1, Math.round(windowMs / stepMs));
  let sum = 0;
  for (const [key, bucket] of buckets) {
    if (key > newest - steps && key <= newest) sum += bucket[figure] / bucket.samples;
  }
  return sum / steps;
}
