/** Tables of a time series: raw rows, and each coarser level with the view that feeds it from the raw rows. */
import { daysOf, defaultRetention, type Level, renderTtl } from '../retention.ts';
import { pieceOfTime, type Series, type SeriesFigure } from '../series.ts';
import { renderTable, renderView, type SchemaContext } from './engine.ts';
import { peerIdText, timeCodec, timeType } from './fragments.ts';

interface CoarseLevel {
  readonly name: Exclude<Level, 'raw'>;
  readonly bucket: string;
  /** Parts hold this span, and are dropped whole when it is over. */
  readonly partitionBy: string;
}

const coarseLevels: readonly CoarseLevel[] = [
  { name: 'minute', bucket: 'toStartOfMinute', partitionBy: 'toMonday(at)' },
  { name: 'hour', bucket: 'toStartOfHour', partitionBy: 'toYYYYMM(at)' },
  { name: 'day', bucket: 'toStartOfDay', partitionBy: 'toYear(at)' },
];

/** Whole parts are dropped when all of their rows are too old: nothing is rewritten for it. */
const dropWholeParts = { ttl_only_drop_parts: 1 } as const;

export function renderSeries(context: SchemaContext, series: Series): string[] {
  const raw = renderTable(context, {
    name: series.name,
    columns: [
      `at ${timeType} ${timeCodec}`,
      ...keyColumns(series),
      ...series.figures.map(({ name, type, codec }) => `${name} ${type} ${codec}`),
      ...shownKeys(series),
    ].join(',\n'),
    engine: 'MergeTree',
    partitionBy: 'toDate(at)',
    orderBy: orderOf(series, 'raw'),
    ttl: renderTtl({ since: 'toDateTime(at)', days: daysOf(defaultRetention, 'raw') }),
    settings: dropWholeParts,
    shardBy: series.shardBy,
  });
  return [...raw, ...coarseLevels.flatMap((level) => renderLevel(context, series, level))];
}

function renderLevel(context: SchemaContext, series: Series, level: CoarseLevel): string[] {
  const name = `${series.name}_${level.name}`;
  const keys = series.keys.map((key) => key.name);
  const table = renderTable(context, {
    name,
    columns: [
      "at DateTime('UTC') CODEC(Delta, ZSTD)",
      ...keyColumns(series),
      `last_at SimpleAggregateFunction(max, ${timeType}) ${timeCodec}`,
      `${series.countName} SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD)`,
      ...series.figures.flatMap(levelColumns),
      ...shownKeys(series),
    ].join(',\n'),
    engine: 'AggregatingMergeTree',
    partitionBy: level.partitionBy,
    orderBy: orderOf(series, level.name),
    ttl: renderTtl({ since: 'at', days: daysOf(defaultRetention, level.name) }),
    settings: dropWholeParts,
    shardBy: series.shardBy,
  });
  const view = renderView(context, {
    name: `${series.name}_to_${level.name}`,
    source: series.name,
    target: name,
    select: (source) =>
      `SELECT ${level.bucket}(toDateTime(raw.at)) AS at, ${keys.map((key) => `raw.${key} AS ${key}`).join(', ')},\n` +
      `  max(raw.at) AS last_at, count() AS ${series.countName},\n` +
      `  ${series.figures.flatMap(levelExpressions).join(',\n  ')}\n` +
      `FROM ${source} AS raw GROUP BY at, ${keys.join(', ')}`,
  });
  return [...table, view];
}

function levelColumns({ name, type, sumType = 'UInt64', aggregates }: SeriesFigure): string[] {
  const codec = type.startsWith('Float') ? 'CODEC(Gorilla, ZSTD)' : 'CODEC(T64, ZSTD)';
  const columns = {
    min: `${name}_min SimpleAggregateFunction(min, ${type}) ${codec}`,
    max: `${name}_max SimpleAggregateFunction(max, ${type}) ${codec}`,
    sum: `${name}_sum SimpleAggregateFunction(sum, ${sumType}) ${sumType === 'UInt64' ? codec : 'CODEC(ZSTD)'}`,
    // With its moment before it the largest is the newest. A state of argMax says the same in many times the disk.
    last: `${name}_last SimpleAggregateFunction(max, Tuple(${timeType}, ${type})) CODEC(Delta, ZSTD)`,
  };
  return aggregates.map((aggregate) => columns[aggregate]);
}

function levelExpressions({ name, type, sumType, aggregates }: SeriesFigure): string[] {
  const summed = sumType === undefined || sumType === type ? `raw.${name}` : `to${sumType}(raw.${name})`;
  const expressions = {
    min: `min(raw.${name}) AS ${name}_min`,
    max: `max(raw.${name}) AS ${name}_max`,
    sum: `sum(${summed}) AS ${name}_sum`,
    last: `max((raw.at, raw.${name})) AS ${name}_last`,
  };
  return aggregates.map((aggregate) => expressions[aggregate]);
}

function keyColumns({ keys }: Series): string[] {
  return keys.map(({ name, type }) => `${name} ${type} CODEC(ZSTD)`);
}

function shownKeys({ keys }: Series): string[] {
  return keys.some(({ name }) => name === 'peer_id') ? [peerIdText] : [];
}

function orderOf({ keys, readBy }: Series, level: Level): string {
  const names = keys.map(({ name }) => name);
  return `(${[...(readBy === 'time' ? [`${pieceOfTime[level]}(at)`] : []), ...names, 'at'].join(', ')})`;
}
