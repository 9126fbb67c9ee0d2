/** The same figures out of raw rows and out of a coarser level: SQL over a table that is called `source`. */
import type { Store } from '../client.ts';
import type { Level } from '../retention.ts';
import { pieceOfTime, type Series } from '../series.ts';
import type { LevelChoice } from './level.ts';

export function tableOf(store: Store, series: Series, level: Level): string {
  return store.qualified(level === 'raw' ? series.name : `${series.name}_${level}`);
}

/** Start of the step that a row is in. */
export function stepSql({ stepMs }: LevelChoice): string {
  return `toDateTime(toStartOfInterval(toDateTime(source.at, 'UTC'), INTERVAL ${Math.round(stepMs / 1000)} SECOND), 'UTC')`;
}

const from = "fromUnixTimestamp64Milli({from:Int64}, 'UTC')";
const to = "fromUnixTimestamp64Milli({to:Int64}, 'UTC')";

export function spanCondition(series: Series, level: Level): string {
  const within = `source.at >= ${from} AND source.at < ${to}`;
  if (series.readBy === 'key') return within;
  const piece = pieceOfTime[level];
  return `${within} AND ${piece}(source.at) >= ${piece}(${from}) AND ${piece}(source.at) <= ${piece}(${to})`;
}

export function spanParameters({ fromMs, toMs }: LevelChoice): { from: number; to: number } {
  return { from: fromMs, to: toMs };
}

export interface FigureSql {
  readonly least: (figure: string) => string;
  readonly most: (figure: string) => string;
  readonly mean: (figure: string) => string;
  /** Of the newest row. */
  readonly last: (figure: string) => string;
  /** Time of the newest row. */
  readonly newestAt: string;
  readonly rows: string;
}

export function figureSql(series: Series, level: Level): FigureSql {
  if (level === 'raw') {
    return {
      least: (figure) => `min(source.${figure})`,
      most: (figure) => `max(source.${figure})`,
      mean: (figure) => `avg(toFloat64(source.${figure}))`,
      last: (figure) => `argMax(source.${figure}, source.at)`,
      newestAt: 'max(source.at)',
      rows: 'count()',
    };
  }
  return {
    least: (figure) => `min(source.${figure}_min)`,
    most: (figure) => `max(source.${figure}_max)`,
    mean: (figure) => `toFloat64(sum(source.${figure}_sum)) / sum(source.${series.countName})`,
    last: (figure) => `argMax(source.${figure}_last.2, source.last_at)`,
    newestAt: 'max(source.last_at)',
    rows: `sum(source.${series.countName})`,
  };
}
