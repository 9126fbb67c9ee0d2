/** The time series that thin out with age: keys, figures, and what a coarser level keeps of each figure. */

import type { Level } from './retention.ts';

/** `last` is the figure of the newest row in a bucket; a mean is the sum over the number of rows. */
export type Aggregate = 'min' | 'max' | 'sum' | 'last';

export interface SeriesFigure {
  readonly name: string;
  readonly type: 'UInt64' | 'Float32' | 'Float64';
  /** Type of a sum that a day's rows cannot overflow. */
  readonly sumType?: 'UInt64' | 'UInt128' | 'Float64';
  readonly codec: string;
  readonly aggregates: readonly Aggregate[];
}

export interface Series {
  readonly name: string;
  /** In the order in which rows are sorted. */
  readonly keys: readonly { readonly name: string; readonly type: string }[];
  readonly figures: readonly SeriesFigure[];
  /** Column of the coarser levels with the number of rows in a bucket. */
  readonly countName: string;
  /** Whether a query asks for all keys of a time (a distribution), or for one key over time. */
  readonly readBy: 'time' | 'key';
  readonly shardBy: string;
}

const every: readonly Aggregate[] = ['min', 'max', 'sum', 'last'];
const count = { type: 'UInt64', sumType: 'UInt64', codec: 'CODEC(T64, ZSTD)' } as const;
const bytes = { ...count, sumType: 'UInt128' } as const;
const counter = { type: 'UInt64', codec: 'CODEC(Delta, ZSTD)', aggregates: ['last'] } as const;

const label = 'LowCardinality(String)';
const filesAndBytes: readonly SeriesFigure[] = [
  { name: 'files', ...count, aggregates: every },
  { name: 'bytes', ...bytes, aggregates: every },
];

export const gradeHistorySeries: Series = {
  name: 'grade_history',
  keys: [
    { name: 'policy', type: label },
    { name: 'grade', type: "Enum8('lost' = 1, 'critical' = 2, 'at-risk' = 3, 'degraded' = 4, 'healthy' = 5)" },
    { name: 'analyzer', type: label },
  ],
  figures: filesAndBytes,
  countName: 'sweeps',
  readBy: 'time',
  shardBy: 'cityHash64(analyzer)',
};

export const marginHistorySeries: Series = {
  ...gradeHistorySeries,
  name: 'margin_history',
  keys: [
    { name: 'policy', type: label },
    { name: 'margin', type: 'Int16' },
    { name: 'analyzer', type: label },
  ],
};

export const exposureSeries: Series = {
  name: 'domain_exposure',
  keys: [
    { name: 'kind', type: label },
    { name: 'domain', type: label },
    { name: 'analyzer', type: label },
  ],
  figures: [
    { name: 'files_below_k', ...count, aggregates: every },
    { name: 'files_below_repair', ...count, aggregates: every },
  ],
  countName: 'sweeps',
  readBy: 'time',
  shardBy: 'cityHash64(analyzer)',
};

export const vitalsSeries: Series = {
  name: 'peer_vitals',
  keys: [{ name: 'peer_id', type: 'LowCardinality(FixedString(32))' }],
  figures: [
    {
      name: 'cpu_used_ratio',
      type: 'Float32',
      sumType: 'Float64',
      codec: 'CODEC(Gorilla, ZSTD)',
      aggregates: ['min', 'max', 'sum'],
    },
    { name: 'memory_used_bytes', ...count, aggregates: ['min', 'max', 'sum'] },
    { name: 'disk_used_bytes', ...count, aggregates: ['max', 'last'] },
    { name: 'disk_capacity_bytes', ...count, aggregates: ['max', 'last'] },
    { name: 'network_received_bytes', ...counter },
    { name: 'network_sent_bytes', ...counter },
    { name: 'shares', ...count, aggregates: ['min', 'max', 'last'] },
    { name: 'share_bytes', ...count, aggregates: ['last'] },
    { name: 'shares_verified', ...counter },
    { name: 'spooled_batches', ...count, aggregates: ['max', 'sum'] },
    { name: 'spool_dropped_inventories', ...count, aggregates: ['last'] },
    { name: 'process_memory_bytes', ...count, aggregates: ['max'] },
  ],
  countName: 'heartbeats',
  readBy: 'key',
  shardBy: 'cityHash64(peer_id)',
};

/** What the services count of themselves: metrics by name, with their labels as `name=value` in order, comma between them. */
export const serviceFiguresSeries: Series = {
  name: 'service_figures',
  keys: [
    { name: 'figure', type: label },
    { name: 'labels', type: label },
    { name: 'service', type: label },
    { name: 'instance', type: label },
  ],
  figures: [
    {
      name: 'value',
      type: 'Float64',
      sumType: 'Float64',
      codec: 'CODEC(Gorilla, ZSTD)',
      aggregates: ['min', 'max', 'sum', 'last'],
    },
  ],
  countName: 'samples',
  readBy: 'key',
  shardBy: 'cityHash64(instance)',
};

/**
 * Rows of a series that is read by time lie in pieces of time, and in a piece by key: the first expression of their order.
 * A query that should read only its pieces compares this expression too; a comparison of \`at\` alone does not reach it.
 */
export const pieceOfTime: Readonly<Record<Level, string>> = {
  raw: 'toStartOfHour',
  minute: 'toStartOfDay',
  hour: 'toStartOfMonth',
  day: 'toStartOfYear',
};

export const allSeries: readonly Series[] = [
  gradeHistorySeries,
  marginHistorySeries,
  exposureSeries,
  vitalsSeries,
  serviceFiguresSeries,
];
