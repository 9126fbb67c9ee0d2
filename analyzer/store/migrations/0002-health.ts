/** The newest health of each file, what changed when, and the mesh's history in four grains. */
import { renderTable, renderView, type SchemaContext } from './engine.ts';
import { gradeType, storageIndexText, timeCodec, timeType, tombstoneSettings } from './fragments.ts';
import type { Migration } from './migration.ts';

export const health: Migration = {
  version: 2,
  name: 'health',
  render: (context) => [
    ...renderTable(context, {
      name: 'file_health',
      columns: `
        partition UInt16 CODEC(ZSTD),
        storage_index FixedString(16),
        policy LowCardinality(String),
        grade ${gradeType} CODEC(ZSTD),
        grade_since ${timeType} ${timeCodec},
        size_bytes UInt64 CODEC(ZSTD),
        k UInt16 CODEC(ZSTD),
        n UInt16 CODEC(ZSTD),
        available UInt16 CODEC(ZSTD),
        retained UInt16 CODEC(ZSTD),
        counted UInt16 CODEC(ZSTD),
        margin Int16 CODEC(ZSTD),
        happiness UInt16 CODEC(ZSTD),
        distinct_peers UInt16 CODEC(ZSTD),
        tolerance_peers UInt16 CODEC(ZSTD),
        tolerance_domains Map(LowCardinality(String), UInt16) CODEC(ZSTD),
        corrupt UInt16 CODEC(ZSTD),
        log10_loss Nullable(Float32) CODEC(ZSTD),
        cause String CODEC(ZSTD),
        at ${timeType} ${timeCodec},
        deleted Bool,
        version UInt64 CODEC(Delta, ZSTD),
        gone UInt8 MATERIALIZED toUInt8(deleted) CODEC(ZSTD),
        ${storageIndexText},
        INDEX grade_index grade TYPE set(8) GRANULARITY 4`,
      engine: 'ReplacingMergeTree',
      engineArguments: 'version, gone',
      partitionBy: 'partition % 8',
      orderBy: '(partition, storage_index)',
      settings: tombstoneSettings,
      shardBy: 'partition',
    }),
    ...renderTable(context, {
      name: 'grade_changes',
      columns: `
        at ${timeType} ${timeCodec},
        storage_index FixedString(16),
        policy LowCardinality(String),
        from_grade Nullable(${gradeType}) CODEC(ZSTD),
        to_grade ${gradeType} CODEC(ZSTD),
        available UInt16 CODEC(ZSTD),
        retained UInt16 CODEC(ZSTD),
        margin Int16 CODEC(ZSTD),
        size_bytes UInt64 CODEC(ZSTD),
        cause String CODEC(ZSTD),
        ${storageIndexText},
        INDEX storage_index_bloom storage_index TYPE bloom_filter GRANULARITY 2`,
      engine: 'MergeTree',
      partitionBy: 'toYYYYMM(at)',
      orderBy: '(at, storage_index)',
      ttl: 'toDateTime(at) + INTERVAL 400 DAY',
      settings: { ttl_only_drop_parts: 1 },
      shardBy: 'cityHash64(storage_index)',
    }),
    ...rolledUp(context, 'grade_history', `grade ${gradeType}`, 'grade'),
    ...rolledUp(context, 'margin_history', 'margin Int16', 'margin'),
    ...renderTable(context, {
      name: 'domain_exposure',
      columns: `
        at ${timeType} ${timeCodec},
        analyzer LowCardinality(String),
        kind LowCardinality(String),
        domain LowCardinality(String),
        files_below_k UInt64 CODEC(ZSTD),
        files_below_repair UInt64 CODEC(ZSTD)`,
      engine: 'MergeTree',
      partitionBy: 'toMonday(at)',
      orderBy: '(kind, domain, analyzer, at)',
      ttl: 'toDateTime(at) + INTERVAL 30 DAY',
      settings: { ttl_only_drop_parts: 1 },
      shardBy: 'cityHash64(analyzer)',
    }),
  ],
};

interface Grain {
  readonly name: string;
  readonly bucket: string;
  readonly days: number;
  readonly partitionBy: string;
}

/** A day's bucket is kept for ten years. */
const grains: readonly Grain[] = [
  { name: 'minute', bucket: 'toStartOfMinute', days: 14, partitionBy: 'toMonday(at)' },
  { name: 'hour', bucket: 'toStartOfHour', days: 400, partitionBy: 'toYYYYMM(at)' },
  { name: 'day', bucket: 'toStartOfDay', days: 3650, partitionBy: 'toYear(at)' },
];

/**
 * A bucket holds the last figure of each key and its extremes. A key that vanished inside of the bucket is known by a
 * `last_at` older than the bucket's newest: sums over keys take the newest sweep only and so stay a true distribution.
 */
function rolledUp(context: SchemaContext, name: string, keyColumn: string, key: string): string[] {
  const raw = renderTable(context, {
    name,
    columns: `
      at ${timeType} ${timeCodec},
      analyzer LowCardinality(String),
      policy LowCardinality(String),
      ${keyColumn} CODEC(ZSTD),
      files UInt64 CODEC(T64, ZSTD),
      bytes UInt64 CODEC(T64, ZSTD)`,
    engine: 'MergeTree',
    partitionBy: 'toMonday(at)',
    orderBy: `(policy, ${key}, analyzer, at)`,
    ttl: 'toDateTime(at) + INTERVAL 3 DAY',
    shardBy: 'cityHash64(analyzer)',
  });
  const rollups = grains.flatMap((grain) => [
    ...renderTable(context, {
      name: `${name}_${grain.name}`,
      columns: `
        at DateTime('UTC') CODEC(Delta, ZSTD),
        analyzer LowCardinality(String),
        policy LowCardinality(String),
        ${keyColumn} CODEC(ZSTD),
        last_at SimpleAggregateFunction(max, ${timeType}) ${timeCodec},
        files_last AggregateFunction(argMax, UInt64, ${timeType}) CODEC(ZSTD),
        bytes_last AggregateFunction(argMax, UInt64, ${timeType}) CODEC(ZSTD),
        files_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
        files_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD)`,
      engine: 'AggregatingMergeTree',
      partitionBy: grain.partitionBy,
      orderBy: `(policy, ${key}, analyzer, at)`,
      ttl: `at + INTERVAL ${grain.days} DAY`,
      shardBy: 'cityHash64(analyzer)',
    }),
    renderView(context, {
      name: `${name}_to_${grain.name}`,
      source: name,
      target: `${name}_${grain.name}`,
      select: (source) =>
        `SELECT ${grain.bucket}(toDateTime(raw.at)) AS at, raw.analyzer AS analyzer, raw.policy AS policy, raw.${key} AS ${key},\n` +
        '  max(raw.at) AS last_at, argMaxState(raw.files, raw.at) AS files_last, argMaxState(raw.bytes, raw.at) AS bytes_last,\n' +
        '  min(raw.files) AS files_min, max(raw.files) AS files_max\n' +
        `FROM ${source} AS raw GROUP BY at, analyzer, policy, ${key}`,
    }),
  ]);
  return [...raw, ...rollups];
}
