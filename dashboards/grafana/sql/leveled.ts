/**
 * Time series in steps, out of the level that fits: SQL for Grafana, which knows the span of time and the width of a point only
 * when it asks. Every level stands in the statement with a condition that is a constant by then: ClickHouse reads one of them.
 *
 * The rule is that of store/queries/level.ts: the coarsest level that is as fine as the points and still holds the first of
 * them; where a finer one has dropped it, points become as wide as the buckets of the one that has it.
 */
import { bucketMsOf } from '#store/queries/level.ts';
import { daysOf, defaultRetention, type Level, levels, type Retention } from '#store/retention.ts';
import { type Aggregate, pieceOfTime, type Series, type SeriesFigure } from '#store/series.ts';

/** Replaced by Grafana: the database that the variable of this name names. */
export const database = '${database}';

const from = "toDateTime($__fromTime, 'UTC')";
const to = "toDateTime($__toTime, 'UTC')";

const coarser = levels.slice(1);

/** Names that every statement over a series begins with: `level`, `step` in seconds, `since` and `until`. */
export function stepsClauseOf(retention: Retention): string {
  return `WITH
  greatest(
    multiIf(${coarser.map((level, index) => `$__interval_s < ${seconds(level)}, ${index}`).join(', ')}, ${coarser.length}),
    multiIf(${coarser.map((_, index) => `${from} >= now() - INTERVAL ${daysOf(retention, levels[index] as Level)} DAY, ${index}`).join(', ')}, ${coarser.length})
  ) AS level,
  greatest($__interval_s, [${levels.map(seconds).join(', ')}][level + 1]) AS step,
  toStartOfInterval(${from}, toIntervalSecond(step)) AS since,
  ${to} AS until`;
}

/** For the life times that the configuration has by default. */
export const stepsClause = stepsClauseOf(defaultRetention);

function seconds(level: Level): number {
  return bucketMsOf[level] / 1000;
}

export interface LeveledQuery {
  readonly series: Series;
  /** Keys that rows are told apart by; the others are merged. */
  readonly keys: readonly string[];
  readonly figures: readonly string[];
  /** SQL over the keys. */
  readonly condition?: string;
}

/**
 * A subquery with a row for each step and key: `time`, the keys, `rows`, `newest_at`, and of each figure `X_min`, `X_max`, `X_mean` and
 * `X_last` as far as the series keeps them.
 */
export function leveled({ series, keys, figures, condition = '1' }: LeveledQuery): string {
  const wanted = figures.map((name) => figureOf(series, name));
  const outer = wanted.flatMap(({ name, aggregates }) => aggregates.map((aggregate) => outerOf(name, aggregate)));
  const branches = levels.map((level, index) => branchOf(series, keys, wanted, level, index, condition));
  return `(
  SELECT time, ${[...keys, 'sum(rows_in) AS rows', 'max(row_at) AS newest_at', ...outer].join(', ')}
  FROM (
    ${branches.join('\n    UNION ALL ')}
  )
  GROUP BY ${['time', ...keys].join(', ')}
)`;
}

function branchOf(
  series: Series,
  keys: readonly string[],
  figures: readonly SeriesFigure[],
  level: Level,
  index: number,
  condition: string,
): string {
  const raw = level === 'raw';
  const columns = [
    `toDateTime(toStartOfInterval(toDateTime(source.at, 'UTC'), toIntervalSecond(step)), 'UTC') AS time`,
    ...keys.map((key) => `source.${key} AS ${key}`),
    raw ? 'toUInt64(1) AS rows_in' : `toUInt64(source.${series.countName}) AS rows_in`,
    raw ? 'source.at AS row_at' : 'source.last_at AS row_at',
    ...figures.flatMap(({ name, aggregates }) => aggregates.map((aggregate) => innerOf(name, aggregate, raw))),
  ];
  const piece = pieceOfTime[level];
  const pieces =
    series.readBy === 'key'
      ? ''
      : ` AND ${piece}(source.at) >= ${piece}(since) AND ${piece}(source.at) <= ${piece}(until)`;
  const table = `${database}.${series.name}${raw ? '' : `_${level}`}`;
  return `SELECT ${columns.join(', ')} FROM ${table} AS source WHERE level = ${index} AND source.at >= since AND source.at <= until${pieces} AND ${condition}`;
}

function innerOf(name: string, aggregate: Aggregate, raw: boolean): string {
  if (aggregate === 'sum') return `toFloat64(source.${raw ? name : `${name}_sum`}) AS ${name}_sum_in`;
  if (raw) return `source.${name} AS ${name}_${aggregate}_in`;
  const column = `source.${name}_${aggregate}`;
  return `${aggregate === 'last' ? `${column}.2` : column} AS ${name}_${aggregate}_in`;
}

function outerOf(name: string, aggregate: Aggregate): string {
  switch (aggregate) {
    case 'min':
      return `min(${name}_min_in) AS ${name}_min`;
    case 'max':
      return `max(${name}_max_in) AS ${name}_max`;
    case 'sum':
      return `sum(${name}_sum_in) / sum(rows_in) AS ${name}_mean`;
    case 'last':
      return `argMax(${name}_last_in, row_at) AS ${name}_last`;
  }
}

function figureOf(series: Series, name: string): SeriesFigure {
  const figure = series.figures.find((one) => one.name === name);
  if (figure === undefined) throw new RangeError(`${series.name} has no figure ${name}`);
  return figure;
}

export interface SweepsQuery {
  readonly series: Series;
  /** What an analyzer reports a whole distribution for in each sweep: `policy` or `kind`. */
  readonly source: string;
  /** `grade`, `margin` or `domain`. */
  readonly key: string;
  readonly figures: readonly string[];
  readonly condition?: string;
}

/**
 * A subquery with `time`, the source, the key and each figure of the step's last sweep, summed over analyzers. A key that had files
 * early in a step and none in its last sweep is older than the newest row of its analyzer and source, and does not count.
 */
export function lastSweeps({ series, source, key, figures, condition = '1' }: SweepsQuery): string {
  const rows = leveled({ series, keys: ['analyzer', source, key], figures, condition });
  return `(
SELECT time, ${source}, ${key}, ${figures.map((figure) => `sum(${figure}_last) AS ${figure}`).join(', ')} FROM (
  SELECT *, max(newest_at) OVER (PARTITION BY time, analyzer, ${source}) AS sweep_at FROM ${rows}
) WHERE newest_at = sweep_at
GROUP BY time, ${source}, ${key}
)`;
}
