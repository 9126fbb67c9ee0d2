/** The newest health of each file, what changed when, and the mesh's history at four levels. */
import { exposureSeries, gradeHistorySeries, marginHistorySeries } from '../series.ts';
import { savesOfGeneration } from '../versions.ts';
import { renderTable, renderView, shardByFile } from './engine.ts';
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
        previous_grade Nullable(${gradeType}) CODEC(ZSTD),
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
        ${storageIndexText}`,
      engine: 'ReplacingMergeTree',
      engineArguments: 'version, gone',
      partitionBy: 'partition % 8',
      orderBy: '(partition, storage_index)',
      settings: { ...tombstoneSettings, index_granularity: 1024 },
      shardBy: shardByFile,
    }),
    // The worst files are asked for often and are few: they are listed apart, so that no read goes over the health of all.
    ...renderTable(context, {
      name: 'files_at_risk',
      columns: `
        partition UInt16 CODEC(ZSTD),
        storage_index FixedString(16),
        policy LowCardinality(String),
        grade ${gradeType} CODEC(ZSTD),
        margin Int16 CODEC(ZSTD),
        log10_loss Nullable(Float32) CODEC(ZSTD),
        version UInt64 CODEC(Delta, ZSTD),
        gone UInt8 CODEC(ZSTD),
        ${storageIndexText}`,
      engine: 'ReplacingMergeTree',
      engineArguments: 'version, gone',
      orderBy: '(partition, storage_index)',
      settings: { ...tombstoneSettings, min_age_to_force_merge_seconds: 3600 },
      shardBy: shardByFile,
    }),
    renderView(context, {
      name: 'file_health_to_files_at_risk',
      source: 'file_health',
      target: 'files_at_risk',
      // A file that was at risk and is not any more leaves the list by a row that says so.
      select: (source) =>
        'SELECT partition, storage_index, policy, grade, margin, log10_loss, version,\n' +
        "  toUInt8(deleted OR grade > 'at-risk') AS gone\n" +
        `FROM ${source} WHERE grade <= 'at-risk' OR previous_grade <= 'at-risk'`,
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
    // Who owns a partition, said before its new owner reads what is there: what an earlier one still sends is no history then.
    ...renderTable(context, {
      name: 'partition_owners',
      columns: `
        partition UInt16 CODEC(ZSTD),
        generation UInt64 CODEC(ZSTD),
        analyzer LowCardinality(String),
        since ${timeType} ${timeCodec}`,
      engine: 'ReplacingMergeTree',
      engineArguments: 'generation',
      orderBy: 'partition',
      shardBy: 'partition',
    }),
    // With the row of health in one insert: whoever is killed leaves both or neither, so a change is there once.
    renderView(context, {
      name: 'file_health_to_grade_changes',
      source: 'file_health',
      target: 'grade_changes',
      select: (source) =>
        'SELECT at, storage_index, policy, previous_grade AS from_grade, grade AS to_grade, available, retained, margin, size_bytes, cause\n' +
        `FROM ${source} AS health LEFT JOIN (\n` +
        `  SELECT partition, max(generation) AS newest FROM ${context.database}.partition_owners GROUP BY partition\n` +
        ') AS owners ON owners.partition = health.partition\n' +
        'WHERE NOT deleted AND (previous_grade IS NULL OR previous_grade != grade)\n' +
        `  AND intDiv(version, ${savesOfGeneration}) >= newest`,
    }),
    ...[gradeHistorySeries, marginHistorySeries, exposureSeries].flatMap((series) => renderSeries(context, series)),
  ],
};
