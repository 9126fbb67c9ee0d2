/** The newest health of each file, what changed when, and the mesh's history at four levels. */
import { exposureSeries, gradeHistorySeries, marginHistorySeries } from '../series.ts';
import { renderTable, shardByFile } from './engine.ts';
import { gradeType, storageIndexText, timeCodec, timeType, tombstoneSettings } from './fragments.ts';
import type { Migration } from './migration.ts';
import { renderSeries } from './series.ts';

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
      settings: { ...tombstoneSettings, index_granularity: 1024 },
      shardBy: shardByFile,
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
      shardBy: shardByFile,
    }),
    ...[gradeHistorySeries, marginHistorySeries, exposureSeries].flatMap((series) => renderSeries(context, series)),
  ],
};
