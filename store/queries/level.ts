/** Which level of a time series answers for a span of time, and in which steps. */
import { daysOf, type Level, levels, type Retention } from '../retention.ts';

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const weekMs = 7 * dayMs;

/** Length of a level's buckets; raw rows come with each sweep or heartbeat. */
export const bucketMsOf: Readonly<Record<Level, number>> = {
  raw: 10 * secondMs,
  minute: minuteMs,
  hour: hourMs,
  day: dayMs,
};

/** Steps that read well on an axis, each a multiple of the buckets of every level that it may be read from; then whole weeks. */
const steps: readonly number[] = [
  ...[10, 30].map((count) => count * secondMs),
  ...[1, 2, 5, 10, 30].map((count) => count * minuteMs),
  ...[1, 2, 6, 12].map((count) => count * hourMs),
  ...[1, 7].map((count) => count * dayMs),
];

export interface Span {
  /** Included, milliseconds since the epoch. */
  readonly fromMs: number;
  /** Excluded. */
  readonly toMs: number;
}

/** The span is widened to whole steps, so that the first and the last point are as good as the others. */
export interface LevelChoice extends Span {
  readonly level: Level;
  readonly stepMs: number;
}

/** How many steps the choice has, with and without rows. */
export function pointsOf({ fromMs, toMs, stepMs }: LevelChoice): number {
  return Math.max(0, toMs - fromMs) / stepMs;
}

/**
 * The smallest step with at most `maxPoints` points for which a level still holds the first bucket; of such levels the
 * coarsest that is as fine as the step, which has the fewest rows. Where the span begins before anything that is kept,
 * it begins with the oldest whole step of the level that is kept longest.
 */
export function chooseLevel(span: Span, nowMs: number, maxPoints: number, retention: Retention): LevelChoice {
  const keptFromMs = (level: Level): number => nowMs - daysOf(retention, level) * dayMs;
  const longest = levels.reduce((best, level) => (keptFromMs(level) <= keptFromMs(best) ? level : best));
  for (const stepMs of stepsUpwards()) {
    const widened = wholeSteps(span, stepMs);
    const usable = levels.filter((level) => bucketMsOf[level] <= stepMs);
    const level = usable.findLast((one) => widened.fromMs >= keptFromMs(one));
    if (level !== undefined && fits({ level, stepMs, ...widened }, maxPoints)) return { level, stepMs, ...widened };
    // The first step, or more, is gone from every level: what is kept is shown from its first whole step on.
    if (level === undefined && usable.includes(longest)) {
      const fromMs = Math.ceil(keptFromMs(longest) / stepMs) * stepMs;
      const cut = { level: longest, stepMs, fromMs, toMs: Math.max(fromMs, widened.toMs) };
      if (fits(cut, maxPoints)) return cut;
    }
  }
  throw new RangeError('steps grow without end');
}

function fits(choice: LevelChoice, maxPoints: number): boolean {
  return pointsOf(choice) <= Math.max(1, maxPoints);
}

function wholeSteps({ fromMs, toMs }: Span, stepMs: number): Span {
  const from = Math.floor(fromMs / stepMs) * stepMs;
  return { fromMs: from, toMs: Math.max(from + stepMs, Math.ceil(toMs / stepMs) * stepMs) };
}

function* stepsUpwards(): Generator<number, void> {
  yield* steps;
  for (let weeks = 2; ; weeks = Math.ceil(weeks * 1.25)) yield weeks * weekMs;
}
