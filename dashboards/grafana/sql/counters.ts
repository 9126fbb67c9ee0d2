/** Rates of what is counted from the start of a process, and the services' own figures. */
import type { FigureName } from '#store/kept-figures.ts';
import { serviceFiguresSeries } from '#store/series.ts';
import { leveled } from './leveled.ts';

/**
 * A subquery with `time`, the keys and `X_rate` per second for each counter. The first step has none. A counter that is smaller than
 * before has begun anew: then all of it is new.
 */
export function rates(source: string, keys: readonly string[], counters: readonly string[]): string {
  const frame = `(PARTITION BY ${keys.join(', ')} ORDER BY time ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)`;
  const before = counters.map((name) => `lagInFrame(${name}_last, 1, ${name}_last) OVER ${frame} AS ${name}_before`);
  const rate = (name: string): string =>
    `toFloat64(if(${name}_last >= ${name}_before, ${name}_last - ${name}_before, ${name}_last)) / seconds AS ${name}_rate`;
  return `(
SELECT time, ${[...keys, ...counters.map(rate)].join(', ')} FROM (
  SELECT time, ${[...keys, ...counters.map((name) => `${name}_last`), ...before].join(', ')},
    dateDiff('second', lagInFrame(time, 1, time) OVER ${frame}, time) AS seconds
  FROM ${source}
) WHERE seconds > 0
)`;
}

const figureKeys = ['figure', 'labels', 'service', 'instance'] as const;

/** A subquery with `time`, `figure`, `labels`, `service`, `instance`, `value_last`, `value_max`, `value_mean`. */
export function figures(...names: readonly FigureName[]): string {
  const list = names.map((name) => `'${name}'`).join(', ');
  return leveled({
    series: serviceFiguresSeries,
    keys: figureKeys,
    figures: ['value'],
    condition: `source.figure IN (${list})`,
  });
}

/** The same with `value_rate`, per second. */
export function figureRates(...names: readonly FigureName[]): string {
  return rates(figures(...names), figureKeys, ['value']);
}

/** Value of a label in `labels`. */
export function label(name: string): string {
  return `extract(labels, '${name}=([^,]*)')`;
}
