/** Which rollup answers for a span of time, and in which steps. */

export interface Grain {
  /** Added to the table's name. */
  readonly suffix: '' | '_minute' | '_hour' | '_day';
  readonly bucketMs: number;
  readonly keptMs: number;
}

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

const dayGrain: Grain = { suffix: '_day', bucketMs: dayMs, keptMs: 3650 * dayMs };

/** Finest first; how long each is kept is what the migrations set. */
export const grains: readonly Grain[] = [
  { suffix: '', bucketMs: 10 * secondMs, keptMs: 3 * dayMs },
  { suffix: '_minute', bucketMs: minuteMs, keptMs: 14 * dayMs },
  { suffix: '_hour', bucketMs: hourMs, keptMs: 400 * dayMs },
  dayGrain,
];

/** Steps that read well on an axis; beyond the last, whole multiples of it. */
const steps = [
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

export interface GrainChoice {
  readonly grain: Grain;
  readonly stepMs: number;
}

/** The smallest step that gives at most `maxPoints`, on the coarsest rollup that is as fine as the step and reaches back far enough. */
export function chooseGrain(span: Span, nowMs: number, maxPoints: number): GrainChoice {
  const lengthMs = Math.max(1, span.toMs - span.fromMs);
  const longestMs = steps.at(-1) as number;
  const wantedMs =
    steps.find((step) => lengthMs / step <= maxPoints) ?? Math.ceil(lengthMs / maxPoints / longestMs) * longestMs;
  const kept = grains.filter((grain) => span.fromMs >= nowMs - grain.keptMs);
  const [finest = dayGrain] = kept;
  const grain = kept.findLast((one) => one.bucketMs <= wantedMs) ?? finest;
  return { grain, stepMs: Math.max(wantedMs, grain.bucketMs) };
}
