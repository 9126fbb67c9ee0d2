-- Topology sharded. Generated: node store/migrations/golden.ts

CREATE DATABASE IF NOT EXISTS meshward ENGINE = Atomic;

CREATE TABLE IF NOT EXISTS meshward.schema_migrations (
  version UInt32, name String, checksum String, topology String,
  applied_at DateTime64(3, 'UTC'), applied_by String
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY version;

CREATE TABLE IF NOT EXISTS meshward.placements_local (
  partition UInt16 CODEC(ZSTD),
  storage_index FixedString(16) CODEC(ZSTD),
  share_number UInt8 CODEC(ZSTD),
  peer_id LowCardinality(FixedString(32)) CODEC(ZSTD),
  state Enum8('stored' = 1, 'lost' = 2, 'corrupt' = 3) CODEC(ZSTD),
  generation UInt32 CODEC(ZSTD),
  incarnation UInt64 CODEC(ZSTD),
  sequence UInt64 CODEC(ZSTD),
  version UInt64 CODEC(Delta, ZSTD),
  lost UInt8 MATERIALIZED state = 'lost' CODEC(ZSTD),
  storage_index_text String ALIAS lower(trim(TRAILING '=' FROM base32Encode(storage_index))),
  peer_id_text String ALIAS base64URLEncode(peer_id)
)
ENGINE = ReplacingMergeTree(version, lost)
PARTITION BY partition % 8
ORDER BY (partition, storage_index, share_number, peer_id)
SETTINGS min_age_to_force_merge_seconds = 86400, min_age_to_force_merge_on_partition_only = 1, enable_replacing_merge_with_cleanup_for_min_age_to_force_merge = 1, allow_experimental_replacing_merge_with_cleanup = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.placements AS meshward.placements_local
ENGINE = Distributed('mesh', 'meshward', 'placements_local', cityHash64(storage_index));

CREATE TABLE IF NOT EXISTS meshward.applied_local (
  partition UInt16,
  peer_id FixedString(32),
  incarnation UInt64,
  sequence UInt64,
  generation UInt32,
  open_generation UInt32,
  version UInt64,
  peer_id_text String ALIAS base64URLEncode(peer_id)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (partition, peer_id)
SETTINGS non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.applied AS meshward.applied_local
ENGINE = Distributed('mesh', 'meshward', 'applied_local', partition);

CREATE TABLE IF NOT EXISTS meshward.files_local (
  partition UInt16 CODEC(ZSTD),
  storage_index FixedString(16),
  ueb_hash FixedString(32),
  k UInt16 CODEC(ZSTD),
  n UInt16 CODEC(ZSTD),
  size_bytes UInt64 CODEC(ZSTD),
  origin Enum8('owner' = 1, 'derived' = 2) CODEC(ZSTD),
  tag LowCardinality(String),
  registered_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
  deleted Bool,
  version UInt64 CODEC(Delta, ZSTD),
  gone UInt8 MATERIALIZED toUInt8(deleted) CODEC(ZSTD),
  storage_index_text String ALIAS lower(trim(TRAILING '=' FROM base32Encode(storage_index)))
)
ENGINE = ReplacingMergeTree(version, gone)
PARTITION BY partition % 8
ORDER BY (partition, storage_index)
SETTINGS min_age_to_force_merge_seconds = 86400, min_age_to_force_merge_on_partition_only = 1, enable_replacing_merge_with_cleanup_for_min_age_to_force_merge = 1, allow_experimental_replacing_merge_with_cleanup = 1, index_granularity = 1024, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.files AS meshward.files_local
ENGINE = Distributed('mesh', 'meshward', 'files_local', cityHash64(storage_index));

CREATE TABLE IF NOT EXISTS meshward.file_health_local (
  partition UInt16 CODEC(ZSTD),
  storage_index FixedString(16),
  policy LowCardinality(String),
  grade Enum8('lost' = 1, 'critical' = 2, 'at-risk' = 3, 'degraded' = 4, 'healthy' = 5) CODEC(ZSTD),
  previous_grade Nullable(Enum8('lost' = 1, 'critical' = 2, 'at-risk' = 3, 'degraded' = 4, 'healthy' = 5)) CODEC(ZSTD),
  grade_since DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
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
  at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
  deleted Bool,
  version UInt64 CODEC(Delta, ZSTD),
  gone UInt8 MATERIALIZED toUInt8(deleted) CODEC(ZSTD),
  storage_index_text String ALIAS lower(trim(TRAILING '=' FROM base32Encode(storage_index)))
)
ENGINE = ReplacingMergeTree(version, gone)
PARTITION BY partition % 8
ORDER BY (partition, storage_index)
SETTINGS min_age_to_force_merge_seconds = 86400, min_age_to_force_merge_on_partition_only = 1, enable_replacing_merge_with_cleanup_for_min_age_to_force_merge = 1, allow_experimental_replacing_merge_with_cleanup = 1, index_granularity = 1024, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.file_health AS meshward.file_health_local
ENGINE = Distributed('mesh', 'meshward', 'file_health_local', cityHash64(storage_index));

CREATE TABLE IF NOT EXISTS meshward.files_at_risk_local (
  partition UInt16 CODEC(ZSTD),
  storage_index FixedString(16),
  policy LowCardinality(String),
  grade Enum8('lost' = 1, 'critical' = 2, 'at-risk' = 3, 'degraded' = 4, 'healthy' = 5) CODEC(ZSTD),
  margin Int16 CODEC(ZSTD),
  log10_loss Nullable(Float32) CODEC(ZSTD),
  version UInt64 CODEC(Delta, ZSTD),
  gone UInt8 CODEC(ZSTD),
  storage_index_text String ALIAS lower(trim(TRAILING '=' FROM base32Encode(storage_index)))
)
ENGINE = ReplacingMergeTree(version, gone)
ORDER BY (partition, storage_index)
SETTINGS min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1, enable_replacing_merge_with_cleanup_for_min_age_to_force_merge = 1, allow_experimental_replacing_merge_with_cleanup = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.files_at_risk AS meshward.files_at_risk_local
ENGINE = Distributed('mesh', 'meshward', 'files_at_risk_local', cityHash64(storage_index));

CREATE MATERIALIZED VIEW IF NOT EXISTS meshward.file_health_to_files_at_risk TO meshward.files_at_risk_local AS
SELECT partition, storage_index, policy, grade, margin, log10_loss, version,
  toUInt8(deleted OR grade > 'at-risk') AS gone
FROM meshward.file_health_local WHERE grade <= 'at-risk' OR previous_grade <= 'at-risk';

CREATE TABLE IF NOT EXISTS meshward.grade_changes_local (
  at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
  storage_index FixedString(16),
  policy LowCardinality(String),
  from_grade Nullable(Enum8('lost' = 1, 'critical' = 2, 'at-risk' = 3, 'degraded' = 4, 'healthy' = 5)) CODEC(ZSTD),
  to_grade Enum8('lost' = 1, 'critical' = 2, 'at-risk' = 3, 'degraded' = 4, 'healthy' = 5) CODEC(ZSTD),
  available UInt16 CODEC(ZSTD),
  retained UInt16 CODEC(ZSTD),
  margin Int16 CODEC(ZSTD),
  size_bytes UInt64 CODEC(ZSTD),
  cause String CODEC(ZSTD),
  storage_index_text String ALIAS lower(trim(TRAILING '=' FROM base32Encode(storage_index))),
  INDEX storage_index_bloom storage_index TYPE bloom_filter GRANULARITY 2
)
ENGINE = MergeTree()
PARTITION BY toYYYYMM(at)
ORDER BY (at, storage_index)
TTL toDateTime(at) + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.grade_changes AS meshward.grade_changes_local
ENGINE = Distributed('mesh', 'meshward', 'grade_changes_local', cityHash64(storage_index));

CREATE TABLE IF NOT EXISTS meshward.partition_owners_local (
  partition UInt16 CODEC(ZSTD),
  generation UInt64 CODEC(ZSTD),
  analyzer LowCardinality(String),
  since DateTime64(3, 'UTC') CODEC(Delta, ZSTD)
)
ENGINE = ReplacingMergeTree(generation)
ORDER BY partition
SETTINGS non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.partition_owners AS meshward.partition_owners_local
ENGINE = Distributed('mesh', 'meshward', 'partition_owners_local', partition);

CREATE MATERIALIZED VIEW IF NOT EXISTS meshward.file_health_to_grade_changes TO meshward.grade_changes_local AS
SELECT at, storage_index, policy, previous_grade AS from_grade, grade AS to_grade, available, retained, margin, size_bytes, cause
FROM meshward.file_health_local AS health LEFT JOIN (
  SELECT partition, max(generation) AS newest FROM meshward.partition_owners GROUP BY partition
) AS owners ON owners.partition = health.partition
WHERE NOT deleted AND (previous_grade IS NULL OR previous_grade != grade)
  AND intDiv(version, 2097152) >= newest;

CREATE TABLE IF NOT EXISTS meshward.grade_history_local (
  at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
  policy LowCardinality(String) CODEC(ZSTD),
  grade Enum8('lost' = 1, 'critical' = 2, 'at-risk' = 3, 'degraded' = 4, 'healthy' = 5) CODEC(ZSTD),
  analyzer LowCardinality(String) CODEC(ZSTD),
  files UInt64 CODEC(T64, ZSTD),
  bytes UInt64 CODEC(T64, ZSTD)
)
ENGINE = MergeTree()
PARTITION BY toDate(at)
ORDER BY (toStartOfHour(at), policy, grade, analyzer, at)
TTL toDateTime(at) + INTERVAL 3 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.grade_history AS meshward.grade_history_local
ENGINE = Distributed('mesh', 'meshward', 'grade_history_local', cityHash64(analyzer));

CREATE TABLE IF NOT EXISTS meshward.grade_history_minute_local (
  at DateTime('UTC') CODEC(Delta, ZSTD),
  policy LowCardinality(String) CODEC(ZSTD),
  grade Enum8('lost' = 1, 'critical' = 2, 'at-risk' = 3, 'degraded' = 4, 'healthy' = 5) CODEC(ZSTD),
  analyzer LowCardinality(String) CODEC(ZSTD),
  last_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) CODEC(Delta, ZSTD),
  sweeps SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  files_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
  files_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  files_sum SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  files_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  bytes_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
  bytes_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  bytes_sum SimpleAggregateFunction(sum, UInt128) CODEC(ZSTD),
  bytes_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD)
)
ENGINE = AggregatingMergeTree()
PARTITION BY toMonday(at)
ORDER BY (toStartOfDay(at), policy, grade, analyzer, at)
TTL at + INTERVAL 14 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.grade_history_minute AS meshward.grade_history_minute_local
ENGINE = Distributed('mesh', 'meshward', 'grade_history_minute_local', cityHash64(analyzer));

CREATE MATERIALIZED VIEW IF NOT EXISTS meshward.grade_history_to_minute TO meshward.grade_history_minute_local AS
SELECT toStartOfMinute(toDateTime(raw.at)) AS at, raw.policy AS policy, raw.grade AS grade, raw.analyzer AS analyzer,
  max(raw.at) AS last_at, count() AS sweeps,
  min(raw.files) AS files_min,
  max(raw.files) AS files_max,
  sum(raw.files) AS files_sum,
  max((raw.at, raw.files)) AS files_last,
  min(raw.bytes) AS bytes_min,
  max(raw.bytes) AS bytes_max,
  sum(toUInt128(raw.bytes)) AS bytes_sum,
  max((raw.at, raw.bytes)) AS bytes_last
FROM meshward.grade_history_local AS raw GROUP BY at, policy, grade, analyzer;

CREATE TABLE IF NOT EXISTS meshward.grade_history_hour_local (
  at DateTime('UTC') CODEC(Delta, ZSTD),
  policy LowCardinality(String) CODEC(ZSTD),
  grade Enum8('lost' = 1, 'critical' = 2, 'at-risk' = 3, 'degraded' = 4, 'healthy' = 5) CODEC(ZSTD),
  analyzer LowCardinality(String) CODEC(ZSTD),
  last_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) CODEC(Delta, ZSTD),
  sweeps SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  files_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
  files_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  files_sum SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  files_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  bytes_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
  bytes_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  bytes_sum SimpleAggregateFunction(sum, UInt128) CODEC(ZSTD),
  bytes_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD)
)
ENGINE = AggregatingMergeTree()
PARTITION BY toYYYYMM(at)
ORDER BY (toStartOfMonth(at), policy, grade, analyzer, at)
TTL at + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.grade_history_hour AS meshward.grade_history_hour_local
ENGINE = Distributed('mesh', 'meshward', 'grade_history_hour_local', cityHash64(analyzer));

CREATE MATERIALIZED VIEW IF NOT EXISTS meshward.grade_history_to_hour TO meshward.grade_history_hour_local AS
SELECT toStartOfHour(toDateTime(raw.at)) AS at, raw.policy AS policy, raw.grade AS grade, raw.analyzer AS analyzer,
  max(raw.at) AS last_at, count() AS sweeps,
  min(raw.files) AS files_min,
  max(raw.files) AS files_max,
  sum(raw.files) AS files_sum,
  max((raw.at, raw.files)) AS files_last,
  min(raw.bytes) AS bytes_min,
  max(raw.bytes) AS bytes_max,
  sum(toUInt128(raw.bytes)) AS bytes_sum,
  max((raw.at, raw.bytes)) AS bytes_last
FROM meshward.grade_history_local AS raw GROUP BY at, policy, grade, analyzer;

CREATE TABLE IF NOT EXISTS meshward.grade_history_day_local (
  at DateTime('UTC') CODEC(Delta, ZSTD),
  policy LowCardinality(String) CODEC(ZSTD),
  grade Enum8('lost' = 1, 'critical' = 2, 'at-risk' = 3, 'degraded' = 4, 'healthy' = 5) CODEC(ZSTD),
  analyzer LowCardinality(String) CODEC(ZSTD),
  last_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) CODEC(Delta, ZSTD),
  sweeps SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  files_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
  files_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  files_sum SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  files_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  bytes_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
  bytes_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  bytes_sum SimpleAggregateFunction(sum, UInt128) CODEC(ZSTD),
  bytes_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD)
)
ENGINE = AggregatingMergeTree()
PARTITION BY toYear(at)
ORDER BY (toStartOfYear(at), policy, grade, analyzer, at)
TTL at + INTERVAL 3650 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.grade_history_day AS meshward.grade_history_day_local
ENGINE = Distributed('mesh', 'meshward', 'grade_history_day_local', cityHash64(analyzer));

CREATE MATERIALIZED VIEW IF NOT EXISTS meshward.grade_history_to_day TO meshward.grade_history_day_local AS
SELECT toStartOfDay(toDateTime(raw.at)) AS at, raw.policy AS policy, raw.grade AS grade, raw.analyzer AS analyzer,
  max(raw.at) AS last_at, count() AS sweeps,
  min(raw.files) AS files_min,
  max(raw.files) AS files_max,
  sum(raw.files) AS files_sum,
  max((raw.at, raw.files)) AS files_last,
  min(raw.bytes) AS bytes_min,
  max(raw.bytes) AS bytes_max,
  sum(toUInt128(raw.bytes)) AS bytes_sum,
  max((raw.at, raw.bytes)) AS bytes_last
FROM meshward.grade_history_local AS raw GROUP BY at, policy, grade, analyzer;

CREATE TABLE IF NOT EXISTS meshward.margin_history_local (
  at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
  policy LowCardinality(String) CODEC(ZSTD),
  margin Int16 CODEC(ZSTD),
  analyzer LowCardinality(String) CODEC(ZSTD),
  files UInt64 CODEC(T64, ZSTD),
  bytes UInt64 CODEC(T64, ZSTD)
)
ENGINE = MergeTree()
PARTITION BY toDate(at)
ORDER BY (toStartOfHour(at), policy, margin, analyzer, at)
TTL toDateTime(at) + INTERVAL 3 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.margin_history AS meshward.margin_history_local
ENGINE = Distributed('mesh', 'meshward', 'margin_history_local', cityHash64(analyzer));

CREATE TABLE IF NOT EXISTS meshward.margin_history_minute_local (
  at DateTime('UTC') CODEC(Delta, ZSTD),
  policy LowCardinality(String) CODEC(ZSTD),
  margin Int16 CODEC(ZSTD),
  analyzer LowCardinality(String) CODEC(ZSTD),
  last_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) CODEC(Delta, ZSTD),
  sweeps SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  files_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
  files_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  files_sum SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  files_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  bytes_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
  bytes_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  bytes_sum SimpleAggregateFunction(sum, UInt128) CODEC(ZSTD),
  bytes_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD)
)
ENGINE = AggregatingMergeTree()
PARTITION BY toMonday(at)
ORDER BY (toStartOfDay(at), policy, margin, analyzer, at)
TTL at + INTERVAL 14 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.margin_history_minute AS meshward.margin_history_minute_local
ENGINE = Distributed('mesh', 'meshward', 'margin_history_minute_local', cityHash64(analyzer));

CREATE MATERIALIZED VIEW IF NOT EXISTS meshward.margin_history_to_minute TO meshward.margin_history_minute_local AS
SELECT toStartOfMinute(toDateTime(raw.at)) AS at, raw.policy AS policy, raw.margin AS margin, raw.analyzer AS analyzer,
  max(raw.at) AS last_at, count() AS sweeps,
  min(raw.files) AS files_min,
  max(raw.files) AS files_max,
  sum(raw.files) AS files_sum,
  max((raw.at, raw.files)) AS files_last,
  min(raw.bytes) AS bytes_min,
  max(raw.bytes) AS bytes_max,
  sum(toUInt128(raw.bytes)) AS bytes_sum,
  max((raw.at, raw.bytes)) AS bytes_last
FROM meshward.margin_history_local AS raw GROUP BY at, policy, margin, analyzer;

CREATE TABLE IF NOT EXISTS meshward.margin_history_hour_local (
  at DateTime('UTC') CODEC(Delta, ZSTD),
  policy LowCardinality(String) CODEC(ZSTD),
  margin Int16 CODEC(ZSTD),
  analyzer LowCardinality(String) CODEC(ZSTD),
  last_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) CODEC(Delta, ZSTD),
  sweeps SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  files_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
  files_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  files_sum SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  files_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  bytes_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
  bytes_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  bytes_sum SimpleAggregateFunction(sum, UInt128) CODEC(ZSTD),
  bytes_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD)
)
ENGINE = AggregatingMergeTree()
PARTITION BY toYYYYMM(at)
ORDER BY (toStartOfMonth(at), policy, margin, analyzer, at)
TTL at + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.margin_history_hour AS meshward.margin_history_hour_local
ENGINE = Distributed('mesh', 'meshward', 'margin_history_hour_local', cityHash64(analyzer));

CREATE MATERIALIZED VIEW IF NOT EXISTS meshward.margin_history_to_hour TO meshward.margin_history_hour_local AS
SELECT toStartOfHour(toDateTime(raw.at)) AS at, raw.policy AS policy, raw.margin AS margin, raw.analyzer AS analyzer,
  max(raw.at) AS last_at, count() AS sweeps,
  min(raw.files) AS files_min,
  max(raw.files) AS files_max,
  sum(raw.files) AS files_sum,
  max((raw.at, raw.files)) AS files_last,
  min(raw.bytes) AS bytes_min,
  max(raw.bytes) AS bytes_max,
  sum(toUInt128(raw.bytes)) AS bytes_sum,
  max((raw.at, raw.bytes)) AS bytes_last
FROM meshward.margin_history_local AS raw GROUP BY at, policy, margin, analyzer;

CREATE TABLE IF NOT EXISTS meshward.margin_history_day_local (
  at DateTime('UTC') CODEC(Delta, ZSTD),
  policy LowCardinality(String) CODEC(ZSTD),
  margin Int16 CODEC(ZSTD),
  analyzer LowCardinality(String) CODEC(ZSTD),
  last_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) CODEC(Delta, ZSTD),
  sweeps SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  files_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
  files_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  files_sum SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  files_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  bytes_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
  bytes_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  bytes_sum SimpleAggregateFunction(sum, UInt128) CODEC(ZSTD),
  bytes_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD)
)
ENGINE = AggregatingMergeTree()
PARTITION BY toYear(at)
ORDER BY (toStartOfYear(at), policy, margin, analyzer, at)
TTL at + INTERVAL 3650 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.margin_history_day AS meshward.margin_history_day_local
ENGINE = Distributed('mesh', 'meshward', 'margin_history_day_local', cityHash64(analyzer));

CREATE MATERIALIZED VIEW IF NOT EXISTS meshward.margin_history_to_day TO meshward.margin_history_day_local AS
SELECT toStartOfDay(toDateTime(raw.at)) AS at, raw.policy AS policy, raw.margin AS margin, raw.analyzer AS analyzer,
  max(raw.at) AS last_at, count() AS sweeps,
  min(raw.files) AS files_min,
  max(raw.files) AS files_max,
  sum(raw.files) AS files_sum,
  max((raw.at, raw.files)) AS files_last,
  min(raw.bytes) AS bytes_min,
  max(raw.bytes) AS bytes_max,
  sum(toUInt128(raw.bytes)) AS bytes_sum,
  max((raw.at, raw.bytes)) AS bytes_last
FROM meshward.margin_history_local AS raw GROUP BY at, policy, margin, analyzer;

CREATE TABLE IF NOT EXISTS meshward.domain_exposure_local (
  at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
  kind LowCardinality(String) CODEC(ZSTD),
  domain LowCardinality(String) CODEC(ZSTD),
  analyzer LowCardinality(String) CODEC(ZSTD),
  files_below_k UInt64 CODEC(T64, ZSTD),
  files_below_repair UInt64 CODEC(T64, ZSTD)
)
ENGINE = MergeTree()
PARTITION BY toDate(at)
ORDER BY (toStartOfHour(at), kind, domain, analyzer, at)
TTL toDateTime(at) + INTERVAL 3 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.domain_exposure AS meshward.domain_exposure_local
ENGINE = Distributed('mesh', 'meshward', 'domain_exposure_local', cityHash64(analyzer));

CREATE TABLE IF NOT EXISTS meshward.domain_exposure_minute_local (
  at DateTime('UTC') CODEC(Delta, ZSTD),
  kind LowCardinality(String) CODEC(ZSTD),
  domain LowCardinality(String) CODEC(ZSTD),
  analyzer LowCardinality(String) CODEC(ZSTD),
  last_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) CODEC(Delta, ZSTD),
  sweeps SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  files_below_k_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
  files_below_k_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  files_below_k_sum SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  files_below_k_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  files_below_repair_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
  files_below_repair_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  files_below_repair_sum SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  files_below_repair_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD)
)
ENGINE = AggregatingMergeTree()
PARTITION BY toMonday(at)
ORDER BY (toStartOfDay(at), kind, domain, analyzer, at)
TTL at + INTERVAL 14 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.domain_exposure_minute AS meshward.domain_exposure_minute_local
ENGINE = Distributed('mesh', 'meshward', 'domain_exposure_minute_local', cityHash64(analyzer));

CREATE MATERIALIZED VIEW IF NOT EXISTS meshward.domain_exposure_to_minute TO meshward.domain_exposure_minute_local AS
SELECT toStartOfMinute(toDateTime(raw.at)) AS at, raw.kind AS kind, raw.domain AS domain, raw.analyzer AS analyzer,
  max(raw.at) AS last_at, count() AS sweeps,
  min(raw.files_below_k) AS files_below_k_min,
  max(raw.files_below_k) AS files_below_k_max,
  sum(raw.files_below_k) AS files_below_k_sum,
  max((raw.at, raw.files_below_k)) AS files_below_k_last,
  min(raw.files_below_repair) AS files_below_repair_min,
  max(raw.files_below_repair) AS files_below_repair_max,
  sum(raw.files_below_repair) AS files_below_repair_sum,
  max((raw.at, raw.files_below_repair)) AS files_below_repair_last
FROM meshward.domain_exposure_local AS raw GROUP BY at, kind, domain, analyzer;

CREATE TABLE IF NOT EXISTS meshward.domain_exposure_hour_local (
  at DateTime('UTC') CODEC(Delta, ZSTD),
  kind LowCardinality(String) CODEC(ZSTD),
  domain LowCardinality(String) CODEC(ZSTD),
  analyzer LowCardinality(String) CODEC(ZSTD),
  last_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) CODEC(Delta, ZSTD),
  sweeps SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  files_below_k_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
  files_below_k_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  files_below_k_sum SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  files_below_k_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  files_below_repair_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
  files_below_repair_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  files_below_repair_sum SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  files_below_repair_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD)
)
ENGINE = AggregatingMergeTree()
PARTITION BY toYYYYMM(at)
ORDER BY (toStartOfMonth(at), kind, domain, analyzer, at)
TTL at + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.domain_exposure_hour AS meshward.domain_exposure_hour_local
ENGINE = Distributed('mesh', 'meshward', 'domain_exposure_hour_local', cityHash64(analyzer));

CREATE MATERIALIZED VIEW IF NOT EXISTS meshward.domain_exposure_to_hour TO meshward.domain_exposure_hour_local AS
SELECT toStartOfHour(toDateTime(raw.at)) AS at, raw.kind AS kind, raw.domain AS domain, raw.analyzer AS analyzer,
  max(raw.at) AS last_at, count() AS sweeps,
  min(raw.files_below_k) AS files_below_k_min,
  max(raw.files_below_k) AS files_below_k_max,
  sum(raw.files_below_k) AS files_below_k_sum,
  max((raw.at, raw.files_below_k)) AS files_below_k_last,
  min(raw.files_below_repair) AS files_below_repair_min,
  max(raw.files_below_repair) AS files_below_repair_max,
  sum(raw.files_below_repair) AS files_below_repair_sum,
  max((raw.at, raw.files_below_repair)) AS files_below_repair_last
FROM meshward.domain_exposure_local AS raw GROUP BY at, kind, domain, analyzer;

CREATE TABLE IF NOT EXISTS meshward.domain_exposure_day_local (
  at DateTime('UTC') CODEC(Delta, ZSTD),
  kind LowCardinality(String) CODEC(ZSTD),
  domain LowCardinality(String) CODEC(ZSTD),
  analyzer LowCardinality(String) CODEC(ZSTD),
  last_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) CODEC(Delta, ZSTD),
  sweeps SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  files_below_k_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
  files_below_k_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  files_below_k_sum SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  files_below_k_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  files_below_repair_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
  files_below_repair_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  files_below_repair_sum SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  files_below_repair_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD)
)
ENGINE = AggregatingMergeTree()
PARTITION BY toYear(at)
ORDER BY (toStartOfYear(at), kind, domain, analyzer, at)
TTL at + INTERVAL 3650 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.domain_exposure_day AS meshward.domain_exposure_day_local
ENGINE = Distributed('mesh', 'meshward', 'domain_exposure_day_local', cityHash64(analyzer));

CREATE MATERIALIZED VIEW IF NOT EXISTS meshward.domain_exposure_to_day TO meshward.domain_exposure_day_local AS
SELECT toStartOfDay(toDateTime(raw.at)) AS at, raw.kind AS kind, raw.domain AS domain, raw.analyzer AS analyzer,
  max(raw.at) AS last_at, count() AS sweeps,
  min(raw.files_below_k) AS files_below_k_min,
  max(raw.files_below_k) AS files_below_k_max,
  sum(raw.files_below_k) AS files_below_k_sum,
  max((raw.at, raw.files_below_k)) AS files_below_k_last,
  min(raw.files_below_repair) AS files_below_repair_min,
  max(raw.files_below_repair) AS files_below_repair_max,
  sum(raw.files_below_repair) AS files_below_repair_sum,
  max((raw.at, raw.files_below_repair)) AS files_below_repair_last
FROM meshward.domain_exposure_local AS raw GROUP BY at, kind, domain, analyzer;

CREATE TABLE IF NOT EXISTS meshward.peers_local (
  peer_id FixedString(32),
  name String,
  state Enum8('up' = 1, 'suspect' = 2, 'down' = 3, 'departed' = 4, 'draining' = 5, 'maintenance' = 6),
  state_since DateTime64(3, 'UTC'),
  domains Map(LowCardinality(String), String),
  capacity_bytes UInt64,
  used_bytes UInt64,
  shares UInt64,
  agent_version LowCardinality(String),
  host String,
  port UInt16,
  last_heard_at DateTime64(3, 'UTC'),
  incarnation UInt64,
  flap_score Float32,
  grace_ms UInt32,
  version UInt64,
  peer_id_text String ALIAS base64URLEncode(peer_id)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY peer_id
SETTINGS non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.peers AS meshward.peers_local
ENGINE = Distributed('mesh', 'meshward', 'peers_local', cityHash64(peer_id));

CREATE TABLE IF NOT EXISTS meshward.peer_lives_local (
  peer_id FixedString(32),
  life String CODEC(ZSTD),
  version UInt64,
  peer_id_text String ALIAS base64URLEncode(peer_id)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY peer_id
SETTINGS non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.peer_lives AS meshward.peer_lives_local
ENGINE = Distributed('mesh', 'meshward', 'peer_lives_local', cityHash64(peer_id));

CREATE TABLE IF NOT EXISTS meshward.liveness_marks_local (
  partition UInt16,
  next_offset UInt64,
  watermark_ms UInt64,
  elapsed_ms UInt64,
  version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY partition
SETTINGS non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.liveness_marks AS meshward.liveness_marks_local
ENGINE = Distributed('mesh', 'meshward', 'liveness_marks_local', partition);

CREATE TABLE IF NOT EXISTS meshward.peer_states_local (
  at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
  peer_id FixedString(32),
  from_state Nullable(Enum8('up' = 1, 'suspect' = 2, 'down' = 3, 'departed' = 4, 'draining' = 5, 'maintenance' = 6)),
  to_state Enum8('up' = 1, 'suspect' = 2, 'down' = 3, 'departed' = 4, 'draining' = 5, 'maintenance' = 6),
  reason String CODEC(ZSTD),
  shares UInt64,
  peer_id_text String ALIAS base64URLEncode(peer_id)
)
ENGINE = MergeTree()
PARTITION BY toYYYYMM(at)
ORDER BY (at, peer_id)
TTL toDateTime(at) + INTERVAL 730 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.peer_states AS meshward.peer_states_local
ENGINE = Distributed('mesh', 'meshward', 'peer_states_local', cityHash64(peer_id));

CREATE TABLE IF NOT EXISTS meshward.peer_vitals_local (
  at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
  peer_id LowCardinality(FixedString(32)) CODEC(ZSTD),
  cpu_used_ratio Float32 CODEC(Gorilla, ZSTD),
  memory_used_bytes UInt64 CODEC(T64, ZSTD),
  disk_used_bytes UInt64 CODEC(T64, ZSTD),
  disk_capacity_bytes UInt64 CODEC(T64, ZSTD),
  network_received_bytes UInt64 CODEC(Delta, ZSTD),
  network_sent_bytes UInt64 CODEC(Delta, ZSTD),
  shares UInt64 CODEC(T64, ZSTD),
  share_bytes UInt64 CODEC(T64, ZSTD),
  shares_verified UInt64 CODEC(Delta, ZSTD),
  spooled_batches UInt64 CODEC(T64, ZSTD),
  spool_dropped_inventories UInt64 CODEC(T64, ZSTD),
  process_memory_bytes UInt64 CODEC(T64, ZSTD),
  peer_id_text String ALIAS base64URLEncode(peer_id)
)
ENGINE = MergeTree()
PARTITION BY toDate(at)
ORDER BY (peer_id, at)
TTL toDateTime(at) + INTERVAL 3 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.peer_vitals AS meshward.peer_vitals_local
ENGINE = Distributed('mesh', 'meshward', 'peer_vitals_local', cityHash64(peer_id));

CREATE TABLE IF NOT EXISTS meshward.peer_vitals_minute_local (
  at DateTime('UTC') CODEC(Delta, ZSTD),
  peer_id LowCardinality(FixedString(32)) CODEC(ZSTD),
  last_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) CODEC(Delta, ZSTD),
  heartbeats SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  cpu_used_ratio_min SimpleAggregateFunction(min, Float32) CODEC(Gorilla, ZSTD),
  cpu_used_ratio_max SimpleAggregateFunction(max, Float32) CODEC(Gorilla, ZSTD),
  cpu_used_ratio_sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD),
  memory_used_bytes_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
  memory_used_bytes_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  memory_used_bytes_sum SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  disk_used_bytes_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  disk_used_bytes_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  disk_capacity_bytes_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  disk_capacity_bytes_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  network_received_bytes_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  network_sent_bytes_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  shares_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
  shares_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  shares_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  share_bytes_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  shares_verified_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  spooled_batches_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  spooled_batches_sum SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  spool_dropped_inventories_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  process_memory_bytes_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  peer_id_text String ALIAS base64URLEncode(peer_id)
)
ENGINE = AggregatingMergeTree()
PARTITION BY toMonday(at)
ORDER BY (peer_id, at)
TTL at + INTERVAL 14 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.peer_vitals_minute AS meshward.peer_vitals_minute_local
ENGINE = Distributed('mesh', 'meshward', 'peer_vitals_minute_local', cityHash64(peer_id));

CREATE MATERIALIZED VIEW IF NOT EXISTS meshward.peer_vitals_to_minute TO meshward.peer_vitals_minute_local AS
SELECT toStartOfMinute(toDateTime(raw.at)) AS at, raw.peer_id AS peer_id,
  max(raw.at) AS last_at, count() AS heartbeats,
  min(raw.cpu_used_ratio) AS cpu_used_ratio_min,
  max(raw.cpu_used_ratio) AS cpu_used_ratio_max,
  sum(toFloat64(raw.cpu_used_ratio)) AS cpu_used_ratio_sum,
  min(raw.memory_used_bytes) AS memory_used_bytes_min,
  max(raw.memory_used_bytes) AS memory_used_bytes_max,
  sum(raw.memory_used_bytes) AS memory_used_bytes_sum,
  max(raw.disk_used_bytes) AS disk_used_bytes_max,
  max((raw.at, raw.disk_used_bytes)) AS disk_used_bytes_last,
  max(raw.disk_capacity_bytes) AS disk_capacity_bytes_max,
  max((raw.at, raw.disk_capacity_bytes)) AS disk_capacity_bytes_last,
  max((raw.at, raw.network_received_bytes)) AS network_received_bytes_last,
  max((raw.at, raw.network_sent_bytes)) AS network_sent_bytes_last,
  min(raw.shares) AS shares_min,
  max(raw.shares) AS shares_max,
  max((raw.at, raw.shares)) AS shares_last,
  max((raw.at, raw.share_bytes)) AS share_bytes_last,
  max((raw.at, raw.shares_verified)) AS shares_verified_last,
  max(raw.spooled_batches) AS spooled_batches_max,
  sum(raw.spooled_batches) AS spooled_batches_sum,
  max((raw.at, raw.spool_dropped_inventories)) AS spool_dropped_inventories_last,
  max(raw.process_memory_bytes) AS process_memory_bytes_max
FROM meshward.peer_vitals_local AS raw GROUP BY at, peer_id;

CREATE TABLE IF NOT EXISTS meshward.peer_vitals_hour_local (
  at DateTime('UTC') CODEC(Delta, ZSTD),
  peer_id LowCardinality(FixedString(32)) CODEC(ZSTD),
  last_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) CODEC(Delta, ZSTD),
  heartbeats SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  cpu_used_ratio_min SimpleAggregateFunction(min, Float32) CODEC(Gorilla, ZSTD),
  cpu_used_ratio_max SimpleAggregateFunction(max, Float32) CODEC(Gorilla, ZSTD),
  cpu_used_ratio_sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD),
  memory_used_bytes_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
  memory_used_bytes_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  memory_used_bytes_sum SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  disk_used_bytes_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  disk_used_bytes_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  disk_capacity_bytes_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  disk_capacity_bytes_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  network_received_bytes_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  network_sent_bytes_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  shares_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
  shares_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  shares_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  share_bytes_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  shares_verified_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  spooled_batches_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  spooled_batches_sum SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  spool_dropped_inventories_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  process_memory_bytes_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  peer_id_text String ALIAS base64URLEncode(peer_id)
)
ENGINE = AggregatingMergeTree()
PARTITION BY toYYYYMM(at)
ORDER BY (peer_id, at)
TTL at + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.peer_vitals_hour AS meshward.peer_vitals_hour_local
ENGINE = Distributed('mesh', 'meshward', 'peer_vitals_hour_local', cityHash64(peer_id));

CREATE MATERIALIZED VIEW IF NOT EXISTS meshward.peer_vitals_to_hour TO meshward.peer_vitals_hour_local AS
SELECT toStartOfHour(toDateTime(raw.at)) AS at, raw.peer_id AS peer_id,
  max(raw.at) AS last_at, count() AS heartbeats,
  min(raw.cpu_used_ratio) AS cpu_used_ratio_min,
  max(raw.cpu_used_ratio) AS cpu_used_ratio_max,
  sum(toFloat64(raw.cpu_used_ratio)) AS cpu_used_ratio_sum,
  min(raw.memory_used_bytes) AS memory_used_bytes_min,
  max(raw.memory_used_bytes) AS memory_used_bytes_max,
  sum(raw.memory_used_bytes) AS memory_used_bytes_sum,
  max(raw.disk_used_bytes) AS disk_used_bytes_max,
  max((raw.at, raw.disk_used_bytes)) AS disk_used_bytes_last,
  max(raw.disk_capacity_bytes) AS disk_capacity_bytes_max,
  max((raw.at, raw.disk_capacity_bytes)) AS disk_capacity_bytes_last,
  max((raw.at, raw.network_received_bytes)) AS network_received_bytes_last,
  max((raw.at, raw.network_sent_bytes)) AS network_sent_bytes_last,
  min(raw.shares) AS shares_min,
  max(raw.shares) AS shares_max,
  max((raw.at, raw.shares)) AS shares_last,
  max((raw.at, raw.share_bytes)) AS share_bytes_last,
  max((raw.at, raw.shares_verified)) AS shares_verified_last,
  max(raw.spooled_batches) AS spooled_batches_max,
  sum(raw.spooled_batches) AS spooled_batches_sum,
  max((raw.at, raw.spool_dropped_inventories)) AS spool_dropped_inventories_last,
  max(raw.process_memory_bytes) AS process_memory_bytes_max
FROM meshward.peer_vitals_local AS raw GROUP BY at, peer_id;

CREATE TABLE IF NOT EXISTS meshward.peer_vitals_day_local (
  at DateTime('UTC') CODEC(Delta, ZSTD),
  peer_id LowCardinality(FixedString(32)) CODEC(ZSTD),
  last_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) CODEC(Delta, ZSTD),
  heartbeats SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  cpu_used_ratio_min SimpleAggregateFunction(min, Float32) CODEC(Gorilla, ZSTD),
  cpu_used_ratio_max SimpleAggregateFunction(max, Float32) CODEC(Gorilla, ZSTD),
  cpu_used_ratio_sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD),
  memory_used_bytes_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
  memory_used_bytes_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  memory_used_bytes_sum SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  disk_used_bytes_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  disk_used_bytes_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  disk_capacity_bytes_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  disk_capacity_bytes_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  network_received_bytes_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  network_sent_bytes_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  shares_min SimpleAggregateFunction(min, UInt64) CODEC(T64, ZSTD),
  shares_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  shares_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  share_bytes_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  shares_verified_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  spooled_batches_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  spooled_batches_sum SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  spool_dropped_inventories_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), UInt64)) CODEC(Delta, ZSTD),
  process_memory_bytes_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
  peer_id_text String ALIAS base64URLEncode(peer_id)
)
ENGINE = AggregatingMergeTree()
PARTITION BY toYear(at)
ORDER BY (peer_id, at)
TTL at + INTERVAL 3650 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.peer_vitals_day AS meshward.peer_vitals_day_local
ENGINE = Distributed('mesh', 'meshward', 'peer_vitals_day_local', cityHash64(peer_id));

CREATE MATERIALIZED VIEW IF NOT EXISTS meshward.peer_vitals_to_day TO meshward.peer_vitals_day_local AS
SELECT toStartOfDay(toDateTime(raw.at)) AS at, raw.peer_id AS peer_id,
  max(raw.at) AS last_at, count() AS heartbeats,
  min(raw.cpu_used_ratio) AS cpu_used_ratio_min,
  max(raw.cpu_used_ratio) AS cpu_used_ratio_max,
  sum(toFloat64(raw.cpu_used_ratio)) AS cpu_used_ratio_sum,
  min(raw.memory_used_bytes) AS memory_used_bytes_min,
  max(raw.memory_used_bytes) AS memory_used_bytes_max,
  sum(raw.memory_used_bytes) AS memory_used_bytes_sum,
  max(raw.disk_used_bytes) AS disk_used_bytes_max,
  max((raw.at, raw.disk_used_bytes)) AS disk_used_bytes_last,
  max(raw.disk_capacity_bytes) AS disk_capacity_bytes_max,
  max((raw.at, raw.disk_capacity_bytes)) AS disk_capacity_bytes_last,
  max((raw.at, raw.network_received_bytes)) AS network_received_bytes_last,
  max((raw.at, raw.network_sent_bytes)) AS network_sent_bytes_last,
  min(raw.shares) AS shares_min,
  max(raw.shares) AS shares_max,
  max((raw.at, raw.shares)) AS shares_last,
  max((raw.at, raw.share_bytes)) AS share_bytes_last,
  max((raw.at, raw.shares_verified)) AS shares_verified_last,
  max(raw.spooled_batches) AS spooled_batches_max,
  sum(raw.spooled_batches) AS spooled_batches_sum,
  max((raw.at, raw.spool_dropped_inventories)) AS spool_dropped_inventories_last,
  max(raw.process_memory_bytes) AS process_memory_bytes_max
FROM meshward.peer_vitals_local AS raw GROUP BY at, peer_id;

CREATE TABLE IF NOT EXISTS meshward.repairs_local (
  id UUID,
  storage_index FixedString(16),
  campaign LowCardinality(String),
  started_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
  ended_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
  duration_ms UInt64 CODEC(ZSTD),
  k UInt16 CODEC(ZSTD),
  n UInt16 CODEC(ZSTD),
  size_bytes UInt64 CODEC(ZSTD),
  available_before UInt16 CODEC(ZSTD),
  available_after UInt16 CODEC(ZSTD),
  wanted_shares Array(UInt8) CODEC(ZSTD),
  written_shares Array(UInt8) CODEC(ZSTD),
  sources Array(LowCardinality(FixedString(32))) CODEC(ZSTD),
  targets Array(LowCardinality(FixedString(32))) CODEC(ZSTD),
  bytes_read UInt64 CODEC(ZSTD),
  bytes_written UInt64 CODEC(ZSTD),
  outcome Enum8('repaired' = 1, 'partial' = 2, 'not-needed' = 3, 'failed' = 4, 'cancelled' = 5) CODEC(ZSTD),
  error_code LowCardinality(String),
  error_message String CODEC(ZSTD),
  generation UInt64 CODEC(ZSTD),
  cause String CODEC(ZSTD),
  trace_id String CODEC(ZSTD),
  storage_index_text String ALIAS lower(trim(TRAILING '=' FROM base32Encode(storage_index))),
  INDEX storage_index_bloom storage_index TYPE bloom_filter GRANULARITY 2
)
ENGINE = ReplacingMergeTree(ended_at)
PARTITION BY toYYYYMM(started_at)
ORDER BY (started_at, id)
TTL toDateTime(started_at) + INTERVAL 1095 DAY
SETTINGS ttl_only_drop_parts = 1, index_granularity = 512, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.repairs AS meshward.repairs_local
ENGINE = Distributed('mesh', 'meshward', 'repairs_local', cityHash64(storage_index));

CREATE TABLE IF NOT EXISTS meshward.proofs_local (
  id UUID,
  storage_index FixedString(16),
  at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
  reason LowCardinality(String),
  shares Array(UInt8) CODEC(ZSTD),
  sources Array(LowCardinality(FixedString(32))) CODEC(ZSTD),
  outcome Enum8('proven' = 1, 'failed' = 2, 'cancelled' = 3) CODEC(ZSTD),
  duration_ms UInt64 CODEC(ZSTD),
  bytes_read UInt64 CODEC(ZSTD),
  size_bytes UInt64 CODEC(ZSTD),
  error_code LowCardinality(String),
  error_message String CODEC(ZSTD),
  trace_id String CODEC(ZSTD),
  storage_index_text String ALIAS lower(trim(TRAILING '=' FROM base32Encode(storage_index))),
  INDEX storage_index_bloom storage_index TYPE bloom_filter GRANULARITY 2
)
ENGINE = ReplacingMergeTree()
PARTITION BY toYYYYMM(at)
ORDER BY (at, id)
TTL toDateTime(at) + INTERVAL 1095 DAY
SETTINGS ttl_only_drop_parts = 1, index_granularity = 512, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.proofs AS meshward.proofs_local
ENGINE = Distributed('mesh', 'meshward', 'proofs_local', cityHash64(storage_index));

CREATE TABLE IF NOT EXISTS meshward.alerts_local (
  id UUID,
  at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
  kind LowCardinality(String),
  severity Enum8('info' = 1, 'warning' = 2, 'critical' = 3) CODEC(ZSTD),
  state Enum8('firing' = 1, 'resolved' = 2) CODEC(ZSTD),
  summary String CODEC(ZSTD),
  details String CODEC(ZSTD),
  files UInt64 CODEC(ZSTD)
)
ENGINE = ReplacingMergeTree()
ORDER BY (id, at, state)
TTL toDateTime(at) + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.alerts AS meshward.alerts_local
ENGINE = Distributed('mesh', 'meshward', 'alerts_local', cityHash64(id));

CREATE TABLE IF NOT EXISTS meshward.campaigns_local (
  id UUID,
  name String,
  state Enum8('planned' = 1, 'approved' = 2, 'running' = 3, 'paused' = 4, 'done' = 5, 'cancelled' = 6, 'failed' = 7),
  created_at DateTime64(3, 'UTC'),
  updated_at DateTime64(3, 'UTC'),
  created_by String,
  selection String CODEC(ZSTD),
  plan String CODEC(ZSTD),
  progress String CODEC(ZSTD),
  version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.campaigns AS meshward.campaigns_local
ENGINE = Distributed('mesh', 'meshward', 'campaigns_local', cityHash64(id));

CREATE TABLE IF NOT EXISTS meshward.service_figures_local (
  at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
  figure LowCardinality(String) CODEC(ZSTD),
  labels LowCardinality(String) CODEC(ZSTD),
  service LowCardinality(String) CODEC(ZSTD),
  instance LowCardinality(String) CODEC(ZSTD),
  value Float64 CODEC(Gorilla, ZSTD)
)
ENGINE = MergeTree()
PARTITION BY toDate(at)
ORDER BY (figure, labels, service, instance, at)
TTL toDateTime(at) + INTERVAL 3 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.service_figures AS meshward.service_figures_local
ENGINE = Distributed('mesh', 'meshward', 'service_figures_local', cityHash64(instance));

CREATE TABLE IF NOT EXISTS meshward.service_figures_minute_local (
  at DateTime('UTC') CODEC(Delta, ZSTD),
  figure LowCardinality(String) CODEC(ZSTD),
  labels LowCardinality(String) CODEC(ZSTD),
  service LowCardinality(String) CODEC(ZSTD),
  instance LowCardinality(String) CODEC(ZSTD),
  last_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) CODEC(Delta, ZSTD),
  samples SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  value_min SimpleAggregateFunction(min, Float64) CODEC(Gorilla, ZSTD),
  value_max SimpleAggregateFunction(max, Float64) CODEC(Gorilla, ZSTD),
  value_sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD),
  value_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), Float64)) CODEC(Delta, ZSTD)
)
ENGINE = AggregatingMergeTree()
PARTITION BY toMonday(at)
ORDER BY (figure, labels, service, instance, at)
TTL at + INTERVAL 14 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.service_figures_minute AS meshward.service_figures_minute_local
ENGINE = Distributed('mesh', 'meshward', 'service_figures_minute_local', cityHash64(instance));

CREATE MATERIALIZED VIEW IF NOT EXISTS meshward.service_figures_to_minute TO meshward.service_figures_minute_local AS
SELECT toStartOfMinute(toDateTime(raw.at)) AS at, raw.figure AS figure, raw.labels AS labels, raw.service AS service, raw.instance AS instance,
  max(raw.at) AS last_at, count() AS samples,
  min(raw.value) AS value_min,
  max(raw.value) AS value_max,
  sum(raw.value) AS value_sum,
  max((raw.at, raw.value)) AS value_last
FROM meshward.service_figures_local AS raw GROUP BY at, figure, labels, service, instance;

CREATE TABLE IF NOT EXISTS meshward.service_figures_hour_local (
  at DateTime('UTC') CODEC(Delta, ZSTD),
  figure LowCardinality(String) CODEC(ZSTD),
  labels LowCardinality(String) CODEC(ZSTD),
  service LowCardinality(String) CODEC(ZSTD),
  instance LowCardinality(String) CODEC(ZSTD),
  last_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) CODEC(Delta, ZSTD),
  samples SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  value_min SimpleAggregateFunction(min, Float64) CODEC(Gorilla, ZSTD),
  value_max SimpleAggregateFunction(max, Float64) CODEC(Gorilla, ZSTD),
  value_sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD),
  value_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), Float64)) CODEC(Delta, ZSTD)
)
ENGINE = AggregatingMergeTree()
PARTITION BY toYYYYMM(at)
ORDER BY (figure, labels, service, instance, at)
TTL at + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.service_figures_hour AS meshward.service_figures_hour_local
ENGINE = Distributed('mesh', 'meshward', 'service_figures_hour_local', cityHash64(instance));

CREATE MATERIALIZED VIEW IF NOT EXISTS meshward.service_figures_to_hour TO meshward.service_figures_hour_local AS
SELECT toStartOfHour(toDateTime(raw.at)) AS at, raw.figure AS figure, raw.labels AS labels, raw.service AS service, raw.instance AS instance,
  max(raw.at) AS last_at, count() AS samples,
  min(raw.value) AS value_min,
  max(raw.value) AS value_max,
  sum(raw.value) AS value_sum,
  max((raw.at, raw.value)) AS value_last
FROM meshward.service_figures_local AS raw GROUP BY at, figure, labels, service, instance;

CREATE TABLE IF NOT EXISTS meshward.service_figures_day_local (
  at DateTime('UTC') CODEC(Delta, ZSTD),
  figure LowCardinality(String) CODEC(ZSTD),
  labels LowCardinality(String) CODEC(ZSTD),
  service LowCardinality(String) CODEC(ZSTD),
  instance LowCardinality(String) CODEC(ZSTD),
  last_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) CODEC(Delta, ZSTD),
  samples SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
  value_min SimpleAggregateFunction(min, Float64) CODEC(Gorilla, ZSTD),
  value_max SimpleAggregateFunction(max, Float64) CODEC(Gorilla, ZSTD),
  value_sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD),
  value_last SimpleAggregateFunction(max, Tuple(DateTime64(3, 'UTC'), Float64)) CODEC(Delta, ZSTD)
)
ENGINE = AggregatingMergeTree()
PARTITION BY toYear(at)
ORDER BY (figure, labels, service, instance, at)
TTL at + INTERVAL 3650 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.service_figures_day AS meshward.service_figures_day_local
ENGINE = Distributed('mesh', 'meshward', 'service_figures_day_local', cityHash64(instance));

CREATE MATERIALIZED VIEW IF NOT EXISTS meshward.service_figures_to_day TO meshward.service_figures_day_local AS
SELECT toStartOfDay(toDateTime(raw.at)) AS at, raw.figure AS figure, raw.labels AS labels, raw.service AS service, raw.instance AS instance,
  max(raw.at) AS last_at, count() AS samples,
  min(raw.value) AS value_min,
  max(raw.value) AS value_max,
  sum(raw.value) AS value_sum,
  max((raw.at, raw.value)) AS value_last
FROM meshward.service_figures_local AS raw GROUP BY at, figure, labels, service, instance;

CREATE TABLE IF NOT EXISTS meshward.agent_versions_local (
  peer_id FixedString(32),
  agent_version LowCardinality(String),
  first_at SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
  last_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
  peer_id_text String ALIAS base64URLEncode(peer_id)
)
ENGINE = AggregatingMergeTree()
ORDER BY (peer_id, agent_version)
SETTINGS non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.agent_versions AS meshward.agent_versions_local
ENGINE = Distributed('mesh', 'meshward', 'agent_versions_local', cityHash64(peer_id));

CREATE MATERIALIZED VIEW IF NOT EXISTS meshward.peers_to_agent_versions TO meshward.agent_versions_local AS
SELECT peer_id, agent_version, min(fromUnixTimestamp64Milli(toInt64(version), 'UTC')) AS first_at,
  max(fromUnixTimestamp64Milli(toInt64(version), 'UTC')) AS last_at
FROM meshward.peers_local WHERE agent_version != '' GROUP BY peer_id, agent_version;

ALTER TABLE meshward.alerts_local MODIFY COLUMN IF EXISTS severity Enum8('info' = 1, 'warning' = 2, 'critical' = 3, 'page' = 4) CODEC(ZSTD);

ALTER TABLE meshward.alerts MODIFY COLUMN IF EXISTS severity Enum8('info' = 1, 'warning' = 2, 'critical' = 3, 'page' = 4);

ALTER TABLE meshward.placements_local
  COMMENT COLUMN IF EXISTS partition 'Partition of share-events that the file belongs to',
  COMMENT COLUMN IF EXISTS storage_index 'Names a file: 16 bytes',
  COMMENT COLUMN IF EXISTS storage_index_text 'The storage index as people write it: base32, 26 characters',
  COMMENT COLUMN IF EXISTS share_number 'Which of the n shares of the file, from 0',
  COMMENT COLUMN IF EXISTS peer_id 'Names a peer: SHA-256 of its public key',
  COMMENT COLUMN IF EXISTS peer_id_text 'The peer id as people write it: base64url, 43 characters',
  COMMENT COLUMN IF EXISTS state 'stored, lost (it takes the placement away) or corrupt',
  COMMENT COLUMN IF EXISTS generation 'The inventory of the peer that named the share last',
  COMMENT COLUMN IF EXISTS incarnation 'Count of the starts of the agent',
  COMMENT COLUMN IF EXISTS sequence 'Count of the batches of the peer in this incarnation',
  COMMENT COLUMN IF EXISTS version 'Of several rows with one key the one with the largest version counts',
  COMMENT COLUMN IF EXISTS lost '1 where the state is lost';

ALTER TABLE meshward.placements
  COMMENT COLUMN IF EXISTS partition 'Partition of share-events that the file belongs to',
  COMMENT COLUMN IF EXISTS storage_index 'Names a file: 16 bytes',
  COMMENT COLUMN IF EXISTS storage_index_text 'The storage index as people write it: base32, 26 characters',
  COMMENT COLUMN IF EXISTS share_number 'Which of the n shares of the file, from 0',
  COMMENT COLUMN IF EXISTS peer_id 'Names a peer: SHA-256 of its public key',
  COMMENT COLUMN IF EXISTS peer_id_text 'The peer id as people write it: base64url, 43 characters',
  COMMENT COLUMN IF EXISTS state 'stored, lost (it takes the placement away) or corrupt',
  COMMENT COLUMN IF EXISTS generation 'The inventory of the peer that named the share last',
  COMMENT COLUMN IF EXISTS incarnation 'Count of the starts of the agent',
  COMMENT COLUMN IF EXISTS sequence 'Count of the batches of the peer in this incarnation',
  COMMENT COLUMN IF EXISTS version 'Of several rows with one key the one with the largest version counts',
  COMMENT COLUMN IF EXISTS lost '1 where the state is lost';

ALTER TABLE meshward.applied_local
  COMMENT COLUMN IF EXISTS partition 'Partition of share-events that the file belongs to',
  COMMENT COLUMN IF EXISTS peer_id 'Names a peer: SHA-256 of its public key',
  COMMENT COLUMN IF EXISTS peer_id_text 'The peer id as people write it: base64url, 43 characters',
  COMMENT COLUMN IF EXISTS incarnation 'Of the last batch of the peer that the placements hold',
  COMMENT COLUMN IF EXISTS sequence 'Of the last batch of the peer that the placements hold',
  COMMENT COLUMN IF EXISTS generation 'The last inventory of the peer that ended',
  COMMENT COLUMN IF EXISTS open_generation 'The inventory that is under way; 0: none',
  COMMENT COLUMN IF EXISTS version 'Of several rows with one key the one with the largest version counts';

ALTER TABLE meshward.applied
  COMMENT COLUMN IF EXISTS partition 'Partition of share-events that the file belongs to',
  COMMENT COLUMN IF EXISTS peer_id 'Names a peer: SHA-256 of its public key',
  COMMENT COLUMN IF EXISTS peer_id_text 'The peer id as people write it: base64url, 43 characters',
  COMMENT COLUMN IF EXISTS incarnation 'Of the last batch of the peer that the placements hold',
  COMMENT COLUMN IF EXISTS sequence 'Of the last batch of the peer that the placements hold',
  COMMENT COLUMN IF EXISTS generation 'The last inventory of the peer that ended',
  COMMENT COLUMN IF EXISTS open_generation 'The inventory that is under way; 0: none',
  COMMENT COLUMN IF EXISTS version 'Of several rows with one key the one with the largest version counts';

ALTER TABLE meshward.files_local
  COMMENT COLUMN IF EXISTS partition 'Partition of share-events that the file belongs to',
  COMMENT COLUMN IF EXISTS storage_index 'Names a file: 16 bytes',
  COMMENT COLUMN IF EXISTS storage_index_text 'The storage index as people write it: base32, 26 characters',
  COMMENT COLUMN IF EXISTS ueb_hash 'Hash that all shares of the file are checked against',
  COMMENT COLUMN IF EXISTS k 'How many shares give the file back',
  COMMENT COLUMN IF EXISTS n 'How many shares were made of the file',
  COMMENT COLUMN IF EXISTS size_bytes 'Size of the file, in bytes',
  COMMENT COLUMN IF EXISTS origin 'Who said so: owner, or derived from a share that a peer holds',
  COMMENT COLUMN IF EXISTS tag 'Given by the owner; policies can name it',
  COMMENT COLUMN IF EXISTS registered_at 'When it became known, UTC',
  COMMENT COLUMN IF EXISTS deleted 'Its owner has deleted the file',
  COMMENT COLUMN IF EXISTS version 'Of several rows with one key the one with the largest version counts',
  COMMENT COLUMN IF EXISTS gone '1: this row takes its key away';

ALTER TABLE meshward.files
  COMMENT COLUMN IF EXISTS partition 'Partition of share-events that the file belongs to',
  COMMENT COLUMN IF EXISTS storage_index 'Names a file: 16 bytes',
  COMMENT COLUMN IF EXISTS storage_index_text 'The storage index as people write it: base32, 26 characters',
  COMMENT COLUMN IF EXISTS ueb_hash 'Hash that all shares of the file are checked against',
  COMMENT COLUMN IF EXISTS k 'How many shares give the file back',
  COMMENT COLUMN IF EXISTS n 'How many shares were made of the file',
  COMMENT COLUMN IF EXISTS size_bytes 'Size of the file, in bytes',
  COMMENT COLUMN IF EXISTS origin 'Who said so: owner, or derived from a share that a peer holds',
  COMMENT COLUMN IF EXISTS tag 'Given by the owner; policies can name it',
  COMMENT COLUMN IF EXISTS registered_at 'When it became known, UTC',
  COMMENT COLUMN IF EXISTS deleted 'Its owner has deleted the file',
  COMMENT COLUMN IF EXISTS version 'Of several rows with one key the one with the largest version counts',
  COMMENT COLUMN IF EXISTS gone '1: this row takes its key away';

ALTER TABLE meshward.file_health_local
  COMMENT COLUMN IF EXISTS partition 'Partition of share-events that the file belongs to',
  COMMENT COLUMN IF EXISTS storage_index 'Names a file: 16 bytes',
  COMMENT COLUMN IF EXISTS storage_index_text 'The storage index as people write it: base32, 26 characters',
  COMMENT COLUMN IF EXISTS policy 'Name of the policy that the file is mended by',
  COMMENT COLUMN IF EXISTS grade 'lost < critical < at-risk < degraded < healthy',
  COMMENT COLUMN IF EXISTS previous_grade 'Of the row before this one; NULL: there was none',
  COMMENT COLUMN IF EXISTS grade_since 'When the file came to this grade, UTC',
  COMMENT COLUMN IF EXISTS size_bytes 'Size of the file, in bytes',
  COMMENT COLUMN IF EXISTS k 'How many shares give the file back',
  COMMENT COLUMN IF EXISTS n 'How many shares were made of the file',
  COMMENT COLUMN IF EXISTS available 'Distinct shares on peers that are up: could it be recovered now',
  COMMENT COLUMN IF EXISTS retained 'Distinct shares on peers that are not departed: what comes back when peers come back',
  COMMENT COLUMN IF EXISTS counted 'Available shares and those on peers in grace: what the repair trigger looks at',
  COMMENT COLUMN IF EXISTS margin 'Available shares above k; negative: it cannot be recovered now',
  COMMENT COLUMN IF EXISTS happiness 'Largest matching of distinct peers to distinct shares',
  COMMENT COLUMN IF EXISTS distinct_peers 'Peers that hold an available share',
  COMMENT COLUMN IF EXISTS tolerance_peers 'Fewest peers whose loss leaves fewer than k available shares: it survives the loss of any one fewer; 0: it cannot be recovered now',
  COMMENT COLUMN IF EXISTS tolerance_domains 'The same for each kind of failure domain: fewest domains whose loss leaves fewer than k available shares',
  COMMENT COLUMN IF EXISTS corrupt 'Shares that are there and damaged',
  COMMENT COLUMN IF EXISTS log10_loss 'log10 of the probability of loss by independent failures; NULL: not computed',
  COMMENT COLUMN IF EXISTS cause 'Why the shares that are missing are missing',
  COMMENT COLUMN IF EXISTS at 'When the health was found, UTC',
  COMMENT COLUMN IF EXISTS deleted 'Its owner has deleted the file',
  COMMENT COLUMN IF EXISTS version 'Of several rows with one key the one with the largest version counts',
  COMMENT COLUMN IF EXISTS gone '1: this row takes its key away';

ALTER TABLE meshward.file_health
  COMMENT COLUMN IF EXISTS partition 'Partition of share-events that the file belongs to',
  COMMENT COLUMN IF EXISTS storage_index 'Names a file: 16 bytes',
  COMMENT COLUMN IF EXISTS storage_index_text 'The storage index as people write it: base32, 26 characters',
  COMMENT COLUMN IF EXISTS policy 'Name of the policy that the file is mended by',
  COMMENT COLUMN IF EXISTS grade 'lost < critical < at-risk < degraded < healthy',
  COMMENT COLUMN IF EXISTS previous_grade 'Of the row before this one; NULL: there was none',
  COMMENT COLUMN IF EXISTS grade_since 'When the file came to this grade, UTC',
  COMMENT COLUMN IF EXISTS size_bytes 'Size of the file, in bytes',
  COMMENT COLUMN IF EXISTS k 'How many shares give the file back',
  COMMENT COLUMN IF EXISTS n 'How many shares were made of the file',
  COMMENT COLUMN IF EXISTS available 'Distinct shares on peers that are up: could it be recovered now',
  COMMENT COLUMN IF EXISTS retained 'Distinct shares on peers that are not departed: what comes back when peers come back',
  COMMENT COLUMN IF EXISTS counted 'Available shares and those on peers in grace: what the repair trigger looks at',
  COMMENT COLUMN IF EXISTS margin 'Available shares above k; negative: it cannot be recovered now',
  COMMENT COLUMN IF EXISTS happiness 'Largest matching of distinct peers to distinct shares',
  COMMENT COLUMN IF EXISTS distinct_peers 'Peers that hold an available share',
  COMMENT COLUMN IF EXISTS tolerance_peers 'Fewest peers whose loss leaves fewer than k available shares: it survives the loss of any one fewer; 0: it cannot be recovered now',
  COMMENT COLUMN IF EXISTS tolerance_domains 'The same for each kind of failure domain: fewest domains whose loss leaves fewer than k available shares',
  COMMENT COLUMN IF EXISTS corrupt 'Shares that are there and damaged',
  COMMENT COLUMN IF EXISTS log10_loss 'log10 of the probability of loss by independent failures; NULL: not computed',
  COMMENT COLUMN IF EXISTS cause 'Why the shares that are missing are missing',
  COMMENT COLUMN IF EXISTS at 'When the health was found, UTC',
  COMMENT COLUMN IF EXISTS deleted 'Its owner has deleted the file',
  COMMENT COLUMN IF EXISTS version 'Of several rows with one key the one with the largest version counts',
  COMMENT COLUMN IF EXISTS gone '1: this row takes its key away';

ALTER TABLE meshward.files_at_risk_local
  COMMENT COLUMN IF EXISTS partition 'Partition of share-events that the file belongs to',
  COMMENT COLUMN IF EXISTS storage_index 'Names a file: 16 bytes',
  COMMENT COLUMN IF EXISTS storage_index_text 'The storage index as people write it: base32, 26 characters',
  COMMENT COLUMN IF EXISTS policy 'Name of the policy that the file is mended by',
  COMMENT COLUMN IF EXISTS grade 'lost < critical < at-risk < degraded < healthy',
  COMMENT COLUMN IF EXISTS margin 'Available shares above k; negative: it cannot be recovered now',
  COMMENT COLUMN IF EXISTS log10_loss 'log10 of the probability of loss by independent failures; NULL: not computed',
  COMMENT COLUMN IF EXISTS version 'Of several rows with one key the one with the largest version counts',
  COMMENT COLUMN IF EXISTS gone '1: it is not at risk any more';

ALTER TABLE meshward.files_at_risk
  COMMENT COLUMN IF EXISTS partition 'Partition of share-events that the file belongs to',
  COMMENT COLUMN IF EXISTS storage_index 'Names a file: 16 bytes',
  COMMENT COLUMN IF EXISTS storage_index_text 'The storage index as people write it: base32, 26 characters',
  COMMENT COLUMN IF EXISTS policy 'Name of the policy that the file is mended by',
  COMMENT COLUMN IF EXISTS grade 'lost < critical < at-risk < degraded < healthy',
  COMMENT COLUMN IF EXISTS margin 'Available shares above k; negative: it cannot be recovered now',
  COMMENT COLUMN IF EXISTS log10_loss 'log10 of the probability of loss by independent failures; NULL: not computed',
  COMMENT COLUMN IF EXISTS version 'Of several rows with one key the one with the largest version counts',
  COMMENT COLUMN IF EXISTS gone '1: it is not at risk any more';

ALTER TABLE meshward.grade_changes_local
  COMMENT COLUMN IF EXISTS at 'When, UTC',
  COMMENT COLUMN IF EXISTS storage_index 'Names a file: 16 bytes',
  COMMENT COLUMN IF EXISTS storage_index_text 'The storage index as people write it: base32, 26 characters',
  COMMENT COLUMN IF EXISTS policy 'Name of the policy that the file is mended by',
  COMMENT COLUMN IF EXISTS from_grade 'NULL: the file was not known before',
  COMMENT COLUMN IF EXISTS to_grade 'lost < critical < at-risk < degraded < healthy',
  COMMENT COLUMN IF EXISTS available 'Distinct shares on peers that are up: could it be recovered now',
  COMMENT COLUMN IF EXISTS retained 'Distinct shares on peers that are not departed: what comes back when peers come back',
  COMMENT COLUMN IF EXISTS margin 'Available shares above k; negative: it cannot be recovered now',
  COMMENT COLUMN IF EXISTS size_bytes 'Size of the file, in bytes',
  COMMENT COLUMN IF EXISTS cause 'Why the shares that are missing are missing';

ALTER TABLE meshward.grade_changes
  COMMENT COLUMN IF EXISTS at 'When, UTC',
  COMMENT COLUMN IF EXISTS storage_index 'Names a file: 16 bytes',
  COMMENT COLUMN IF EXISTS storage_index_text 'The storage index as people write it: base32, 26 characters',
  COMMENT COLUMN IF EXISTS policy 'Name of the policy that the file is mended by',
  COMMENT COLUMN IF EXISTS from_grade 'NULL: the file was not known before',
  COMMENT COLUMN IF EXISTS to_grade 'lost < critical < at-risk < degraded < healthy',
  COMMENT COLUMN IF EXISTS available 'Distinct shares on peers that are up: could it be recovered now',
  COMMENT COLUMN IF EXISTS retained 'Distinct shares on peers that are not departed: what comes back when peers come back',
  COMMENT COLUMN IF EXISTS margin 'Available shares above k; negative: it cannot be recovered now',
  COMMENT COLUMN IF EXISTS size_bytes 'Size of the file, in bytes',
  COMMENT COLUMN IF EXISTS cause 'Why the shares that are missing are missing';

ALTER TABLE meshward.partition_owners_local
  COMMENT COLUMN IF EXISTS partition 'Partition of share-events',
  COMMENT COLUMN IF EXISTS generation 'Count of owners of the partition: a fence',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that owns it under this generation',
  COMMENT COLUMN IF EXISTS since 'When it took it over, UTC';

ALTER TABLE meshward.partition_owners
  COMMENT COLUMN IF EXISTS partition 'Partition of share-events',
  COMMENT COLUMN IF EXISTS generation 'Count of owners of the partition: a fence',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that owns it under this generation',
  COMMENT COLUMN IF EXISTS since 'When it took it over, UTC';

ALTER TABLE meshward.peers_local
  COMMENT COLUMN IF EXISTS peer_id 'Names a peer: SHA-256 of its public key',
  COMMENT COLUMN IF EXISTS peer_id_text 'The peer id as people write it: base64url, 43 characters',
  COMMENT COLUMN IF EXISTS name 'As the peer was enrolled',
  COMMENT COLUMN IF EXISTS state 'up, suspect (in grace), down, departed, draining or maintenance',
  COMMENT COLUMN IF EXISTS state_since 'When it came to this state, UTC',
  COMMENT COLUMN IF EXISTS domains 'Failure domains by kind, such as zone or rack',
  COMMENT COLUMN IF EXISTS capacity_bytes 'Room for shares in all, in bytes; 0: it has not said',
  COMMENT COLUMN IF EXISTS used_bytes 'Bytes that its shares take',
  COMMENT COLUMN IF EXISTS shares 'How many shares it says to hold',
  COMMENT COLUMN IF EXISTS agent_version 'Release of its agent',
  COMMENT COLUMN IF EXISTS host 'Where it serves shares',
  COMMENT COLUMN IF EXISTS port 'Where it serves shares',
  COMMENT COLUMN IF EXISTS last_heard_at 'Its last heartbeat, UTC',
  COMMENT COLUMN IF EXISTS incarnation 'Count of the starts of the agent',
  COMMENT COLUMN IF EXISTS flap_score 'How often it went away lately, fading with time',
  COMMENT COLUMN IF EXISTS grace_ms 'Silence after which it counts as down, in milliseconds',
  COMMENT COLUMN IF EXISTS version 'Of several rows with one key the one with the largest version counts';

ALTER TABLE meshward.peers
  COMMENT COLUMN IF EXISTS peer_id 'Names a peer: SHA-256 of its public key',
  COMMENT COLUMN IF EXISTS peer_id_text 'The peer id as people write it: base64url, 43 characters',
  COMMENT COLUMN IF EXISTS name 'As the peer was enrolled',
  COMMENT COLUMN IF EXISTS state 'up, suspect (in grace), down, departed, draining or maintenance',
  COMMENT COLUMN IF EXISTS state_since 'When it came to this state, UTC',
  COMMENT COLUMN IF EXISTS domains 'Failure domains by kind, such as zone or rack',
  COMMENT COLUMN IF EXISTS capacity_bytes 'Room for shares in all, in bytes; 0: it has not said',
  COMMENT COLUMN IF EXISTS used_bytes 'Bytes that its shares take',
  COMMENT COLUMN IF EXISTS shares 'How many shares it says to hold',
  COMMENT COLUMN IF EXISTS agent_version 'Release of its agent',
  COMMENT COLUMN IF EXISTS host 'Where it serves shares',
  COMMENT COLUMN IF EXISTS port 'Where it serves shares',
  COMMENT COLUMN IF EXISTS last_heard_at 'Its last heartbeat, UTC',
  COMMENT COLUMN IF EXISTS incarnation 'Count of the starts of the agent',
  COMMENT COLUMN IF EXISTS flap_score 'How often it went away lately, fading with time',
  COMMENT COLUMN IF EXISTS grace_ms 'Silence after which it counts as down, in milliseconds',
  COMMENT COLUMN IF EXISTS version 'Of several rows with one key the one with the largest version counts';

ALTER TABLE meshward.agent_versions_local
  COMMENT COLUMN IF EXISTS peer_id 'Names a peer: SHA-256 of its public key',
  COMMENT COLUMN IF EXISTS peer_id_text 'The peer id as people write it: base64url, 43 characters',
  COMMENT COLUMN IF EXISTS agent_version 'Release of its agent',
  COMMENT COLUMN IF EXISTS first_at 'When it was first seen with this release, UTC',
  COMMENT COLUMN IF EXISTS last_at 'When it was last seen with this release, UTC';

ALTER TABLE meshward.agent_versions
  COMMENT COLUMN IF EXISTS peer_id 'Names a peer: SHA-256 of its public key',
  COMMENT COLUMN IF EXISTS peer_id_text 'The peer id as people write it: base64url, 43 characters',
  COMMENT COLUMN IF EXISTS agent_version 'Release of its agent',
  COMMENT COLUMN IF EXISTS first_at 'When it was first seen with this release, UTC',
  COMMENT COLUMN IF EXISTS last_at 'When it was last seen with this release, UTC';

ALTER TABLE meshward.peer_lives_local
  COMMENT COLUMN IF EXISTS peer_id 'Names a peer: SHA-256 of its public key',
  COMMENT COLUMN IF EXISTS peer_id_text 'The peer id as people write it: base64url, 43 characters',
  COMMENT COLUMN IF EXISTS life 'JSON of the analyzer: what it must remember of the peer',
  COMMENT COLUMN IF EXISTS version 'Of several rows with one key the one with the largest version counts';

ALTER TABLE meshward.peer_lives
  COMMENT COLUMN IF EXISTS peer_id 'Names a peer: SHA-256 of its public key',
  COMMENT COLUMN IF EXISTS peer_id_text 'The peer id as people write it: base64url, 43 characters',
  COMMENT COLUMN IF EXISTS life 'JSON of the analyzer: what it must remember of the peer',
  COMMENT COLUMN IF EXISTS version 'Of several rows with one key the one with the largest version counts';

ALTER TABLE meshward.liveness_marks_local
  COMMENT COLUMN IF EXISTS partition 'Partition of peer-events',
  COMMENT COLUMN IF EXISTS next_offset 'First offset that is not in the lives',
  COMMENT COLUMN IF EXISTS watermark_ms 'Newest tick of the log there, milliseconds since the epoch',
  COMMENT COLUMN IF EXISTS elapsed_ms 'Time of the log that has passed, in milliseconds',
  COMMENT COLUMN IF EXISTS version 'Of several rows with one key the one with the largest version counts';

ALTER TABLE meshward.liveness_marks
  COMMENT COLUMN IF EXISTS partition 'Partition of peer-events',
  COMMENT COLUMN IF EXISTS next_offset 'First offset that is not in the lives',
  COMMENT COLUMN IF EXISTS watermark_ms 'Newest tick of the log there, milliseconds since the epoch',
  COMMENT COLUMN IF EXISTS elapsed_ms 'Time of the log that has passed, in milliseconds',
  COMMENT COLUMN IF EXISTS version 'Of several rows with one key the one with the largest version counts';

ALTER TABLE meshward.peer_states_local
  COMMENT COLUMN IF EXISTS at 'When, UTC',
  COMMENT COLUMN IF EXISTS peer_id 'Names a peer: SHA-256 of its public key',
  COMMENT COLUMN IF EXISTS peer_id_text 'The peer id as people write it: base64url, 43 characters',
  COMMENT COLUMN IF EXISTS from_state 'The state before; NULL: the peer was not known',
  COMMENT COLUMN IF EXISTS to_state 'up, suspect (in grace), down, departed, draining or maintenance',
  COMMENT COLUMN IF EXISTS reason 'Why it changed',
  COMMENT COLUMN IF EXISTS shares 'How many shares it said to hold';

ALTER TABLE meshward.peer_states
  COMMENT COLUMN IF EXISTS at 'When, UTC',
  COMMENT COLUMN IF EXISTS peer_id 'Names a peer: SHA-256 of its public key',
  COMMENT COLUMN IF EXISTS peer_id_text 'The peer id as people write it: base64url, 43 characters',
  COMMENT COLUMN IF EXISTS from_state 'The state before; NULL: the peer was not known',
  COMMENT COLUMN IF EXISTS to_state 'up, suspect (in grace), down, departed, draining or maintenance',
  COMMENT COLUMN IF EXISTS reason 'Why it changed',
  COMMENT COLUMN IF EXISTS shares 'How many shares it said to hold';

ALTER TABLE meshward.repairs_local
  COMMENT COLUMN IF EXISTS id 'Names the repair',
  COMMENT COLUMN IF EXISTS storage_index 'Names a file: 16 bytes',
  COMMENT COLUMN IF EXISTS storage_index_text 'The storage index as people write it: base32, 26 characters',
  COMMENT COLUMN IF EXISTS campaign 'The campaign that asked for it; empty: none',
  COMMENT COLUMN IF EXISTS started_at 'UTC',
  COMMENT COLUMN IF EXISTS ended_at 'UTC',
  COMMENT COLUMN IF EXISTS duration_ms 'How long it took, in milliseconds',
  COMMENT COLUMN IF EXISTS k 'How many shares give the file back',
  COMMENT COLUMN IF EXISTS n 'How many shares were made of the file',
  COMMENT COLUMN IF EXISTS size_bytes 'Size of the file, in bytes',
  COMMENT COLUMN IF EXISTS available_before 'Available shares when it began',
  COMMENT COLUMN IF EXISTS available_after 'Available shares when it ended',
  COMMENT COLUMN IF EXISTS wanted_shares 'Numbers of the shares that it set out to make',
  COMMENT COLUMN IF EXISTS written_shares 'Numbers of the shares that it made',
  COMMENT COLUMN IF EXISTS sources 'Peers that were read from',
  COMMENT COLUMN IF EXISTS targets 'Peers that took the written shares, in their order',
  COMMENT COLUMN IF EXISTS bytes_read 'Bytes read from peers',
  COMMENT COLUMN IF EXISTS bytes_written 'Bytes written to peers',
  COMMENT COLUMN IF EXISTS outcome 'repaired, partial, not-needed, failed or cancelled',
  COMMENT COLUMN IF EXISTS error_code 'Code of docs/errors.md; empty where there was no error',
  COMMENT COLUMN IF EXISTS error_message 'What went wrong, in words',
  COMMENT COLUMN IF EXISTS generation 'Count of owners of the partition: a fence',
  COMMENT COLUMN IF EXISTS cause 'Why the shares that are missing are missing',
  COMMENT COLUMN IF EXISTS trace_id 'Trace of OpenTelemetry; empty where there is none';

ALTER TABLE meshward.repairs
  COMMENT COLUMN IF EXISTS id 'Names the repair',
  COMMENT COLUMN IF EXISTS storage_index 'Names a file: 16 bytes',
  COMMENT COLUMN IF EXISTS storage_index_text 'The storage index as people write it: base32, 26 characters',
  COMMENT COLUMN IF EXISTS campaign 'The campaign that asked for it; empty: none',
  COMMENT COLUMN IF EXISTS started_at 'UTC',
  COMMENT COLUMN IF EXISTS ended_at 'UTC',
  COMMENT COLUMN IF EXISTS duration_ms 'How long it took, in milliseconds',
  COMMENT COLUMN IF EXISTS k 'How many shares give the file back',
  COMMENT COLUMN IF EXISTS n 'How many shares were made of the file',
  COMMENT COLUMN IF EXISTS size_bytes 'Size of the file, in bytes',
  COMMENT COLUMN IF EXISTS available_before 'Available shares when it began',
  COMMENT COLUMN IF EXISTS available_after 'Available shares when it ended',
  COMMENT COLUMN IF EXISTS wanted_shares 'Numbers of the shares that it set out to make',
  COMMENT COLUMN IF EXISTS written_shares 'Numbers of the shares that it made',
  COMMENT COLUMN IF EXISTS sources 'Peers that were read from',
  COMMENT COLUMN IF EXISTS targets 'Peers that took the written shares, in their order',
  COMMENT COLUMN IF EXISTS bytes_read 'Bytes read from peers',
  COMMENT COLUMN IF EXISTS bytes_written 'Bytes written to peers',
  COMMENT COLUMN IF EXISTS outcome 'repaired, partial, not-needed, failed or cancelled',
  COMMENT COLUMN IF EXISTS error_code 'Code of docs/errors.md; empty where there was no error',
  COMMENT COLUMN IF EXISTS error_message 'What went wrong, in words',
  COMMENT COLUMN IF EXISTS generation 'Count of owners of the partition: a fence',
  COMMENT COLUMN IF EXISTS cause 'Why the shares that are missing are missing',
  COMMENT COLUMN IF EXISTS trace_id 'Trace of OpenTelemetry; empty where there is none';

ALTER TABLE meshward.proofs_local
  COMMENT COLUMN IF EXISTS id 'Names the proof',
  COMMENT COLUMN IF EXISTS storage_index 'Names a file: 16 bytes',
  COMMENT COLUMN IF EXISTS storage_index_text 'The storage index as people write it: base32, 26 characters',
  COMMENT COLUMN IF EXISTS at 'When, UTC',
  COMMENT COLUMN IF EXISTS reason 'Who asked for it: scheduled or operator',
  COMMENT COLUMN IF EXISTS shares 'Numbers of the shares that it was recovered from',
  COMMENT COLUMN IF EXISTS sources 'Peers that were read from',
  COMMENT COLUMN IF EXISTS outcome 'proven, failed or cancelled',
  COMMENT COLUMN IF EXISTS duration_ms 'How long it took, in milliseconds',
  COMMENT COLUMN IF EXISTS bytes_read 'Bytes read from peers',
  COMMENT COLUMN IF EXISTS size_bytes 'Size of the file, in bytes',
  COMMENT COLUMN IF EXISTS error_code 'Code of docs/errors.md; empty where there was no error',
  COMMENT COLUMN IF EXISTS error_message 'What went wrong, in words',
  COMMENT COLUMN IF EXISTS trace_id 'Trace of OpenTelemetry; empty where there is none';

ALTER TABLE meshward.proofs
  COMMENT COLUMN IF EXISTS id 'Names the proof',
  COMMENT COLUMN IF EXISTS storage_index 'Names a file: 16 bytes',
  COMMENT COLUMN IF EXISTS storage_index_text 'The storage index as people write it: base32, 26 characters',
  COMMENT COLUMN IF EXISTS at 'When, UTC',
  COMMENT COLUMN IF EXISTS reason 'Who asked for it: scheduled or operator',
  COMMENT COLUMN IF EXISTS shares 'Numbers of the shares that it was recovered from',
  COMMENT COLUMN IF EXISTS sources 'Peers that were read from',
  COMMENT COLUMN IF EXISTS outcome 'proven, failed or cancelled',
  COMMENT COLUMN IF EXISTS duration_ms 'How long it took, in milliseconds',
  COMMENT COLUMN IF EXISTS bytes_read 'Bytes read from peers',
  COMMENT COLUMN IF EXISTS size_bytes 'Size of the file, in bytes',
  COMMENT COLUMN IF EXISTS error_code 'Code of docs/errors.md; empty where there was no error',
  COMMENT COLUMN IF EXISTS error_message 'What went wrong, in words',
  COMMENT COLUMN IF EXISTS trace_id 'Trace of OpenTelemetry; empty where there is none';

ALTER TABLE meshward.alerts_local
  COMMENT COLUMN IF EXISTS id 'Names one firing of the alert, from its start to its end',
  COMMENT COLUMN IF EXISTS at 'When, UTC',
  COMMENT COLUMN IF EXISTS kind 'Key of the alert, such as files-critical',
  COMMENT COLUMN IF EXISTS severity 'info, warning or page (a person is called); critical is what earlier releases wrote for page',
  COMMENT COLUMN IF EXISTS state 'firing or resolved',
  COMMENT COLUMN IF EXISTS summary 'What it says',
  COMMENT COLUMN IF EXISTS details 'JSON: its figures, and what to do',
  COMMENT COLUMN IF EXISTS files 'How many files are at stake';

ALTER TABLE meshward.alerts
  COMMENT COLUMN IF EXISTS id 'Names one firing of the alert, from its start to its end',
  COMMENT COLUMN IF EXISTS at 'When, UTC',
  COMMENT COLUMN IF EXISTS kind 'Key of the alert, such as files-critical',
  COMMENT COLUMN IF EXISTS severity 'info, warning or page (a person is called); critical is what earlier releases wrote for page',
  COMMENT COLUMN IF EXISTS state 'firing or resolved',
  COMMENT COLUMN IF EXISTS summary 'What it says',
  COMMENT COLUMN IF EXISTS details 'JSON: its figures, and what to do',
  COMMENT COLUMN IF EXISTS files 'How many files are at stake';

ALTER TABLE meshward.campaigns_local
  COMMENT COLUMN IF EXISTS id 'Names the campaign',
  COMMENT COLUMN IF EXISTS name 'Given by who planned it',
  COMMENT COLUMN IF EXISTS state 'planned, approved, running, paused, done, cancelled or failed',
  COMMENT COLUMN IF EXISTS created_at 'UTC',
  COMMENT COLUMN IF EXISTS updated_at 'UTC',
  COMMENT COLUMN IF EXISTS created_by 'Who planned it',
  COMMENT COLUMN IF EXISTS selection 'JSON: which files',
  COMMENT COLUMN IF EXISTS plan 'JSON: what it would do, and its cost',
  COMMENT COLUMN IF EXISTS progress 'JSON: how far it is',
  COMMENT COLUMN IF EXISTS version 'Of several rows with one key the one with the largest version counts';

ALTER TABLE meshward.campaigns
  COMMENT COLUMN IF EXISTS id 'Names the campaign',
  COMMENT COLUMN IF EXISTS name 'Given by who planned it',
  COMMENT COLUMN IF EXISTS state 'planned, approved, running, paused, done, cancelled or failed',
  COMMENT COLUMN IF EXISTS created_at 'UTC',
  COMMENT COLUMN IF EXISTS updated_at 'UTC',
  COMMENT COLUMN IF EXISTS created_by 'Who planned it',
  COMMENT COLUMN IF EXISTS selection 'JSON: which files',
  COMMENT COLUMN IF EXISTS plan 'JSON: what it would do, and its cost',
  COMMENT COLUMN IF EXISTS progress 'JSON: how far it is',
  COMMENT COLUMN IF EXISTS version 'Of several rows with one key the one with the largest version counts';

ALTER TABLE meshward.grade_history_local
  COMMENT COLUMN IF EXISTS at 'When, UTC',
  COMMENT COLUMN IF EXISTS policy 'Name of the policy that the file is mended by',
  COMMENT COLUMN IF EXISTS grade 'lost < critical < at-risk < degraded < healthy',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that wrote the row',
  COMMENT COLUMN IF EXISTS files 'Files, in this sweep of this analyzer',
  COMMENT COLUMN IF EXISTS bytes 'Bytes of these files';

ALTER TABLE meshward.grade_history
  COMMENT COLUMN IF EXISTS at 'When, UTC',
  COMMENT COLUMN IF EXISTS policy 'Name of the policy that the file is mended by',
  COMMENT COLUMN IF EXISTS grade 'lost < critical < at-risk < degraded < healthy',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that wrote the row',
  COMMENT COLUMN IF EXISTS files 'Files, in this sweep of this analyzer',
  COMMENT COLUMN IF EXISTS bytes 'Bytes of these files';

ALTER TABLE meshward.grade_history_minute_local
  COMMENT COLUMN IF EXISTS at 'Begin of the minute, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS sweeps 'Sweeps that are summed up here',
  COMMENT COLUMN IF EXISTS policy 'Name of the policy that the file is mended by',
  COMMENT COLUMN IF EXISTS grade 'lost < critical < at-risk < degraded < healthy',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that wrote the row',
  COMMENT COLUMN IF EXISTS files_min 'Files, in this sweep of this analyzer: smallest in the bucket',
  COMMENT COLUMN IF EXISTS files_max 'Files, in this sweep of this analyzer: largest in the bucket',
  COMMENT COLUMN IF EXISTS files_sum 'Files, in this sweep of this analyzer: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS files_last 'Files, in this sweep of this analyzer: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS bytes_min 'Bytes of these files: smallest in the bucket',
  COMMENT COLUMN IF EXISTS bytes_max 'Bytes of these files: largest in the bucket',
  COMMENT COLUMN IF EXISTS bytes_sum 'Bytes of these files: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS bytes_last 'Bytes of these files: newest in the bucket, with its moment before it';

ALTER TABLE meshward.grade_history_minute
  COMMENT COLUMN IF EXISTS at 'Begin of the minute, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS sweeps 'Sweeps that are summed up here',
  COMMENT COLUMN IF EXISTS policy 'Name of the policy that the file is mended by',
  COMMENT COLUMN IF EXISTS grade 'lost < critical < at-risk < degraded < healthy',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that wrote the row',
  COMMENT COLUMN IF EXISTS files_min 'Files, in this sweep of this analyzer: smallest in the bucket',
  COMMENT COLUMN IF EXISTS files_max 'Files, in this sweep of this analyzer: largest in the bucket',
  COMMENT COLUMN IF EXISTS files_sum 'Files, in this sweep of this analyzer: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS files_last 'Files, in this sweep of this analyzer: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS bytes_min 'Bytes of these files: smallest in the bucket',
  COMMENT COLUMN IF EXISTS bytes_max 'Bytes of these files: largest in the bucket',
  COMMENT COLUMN IF EXISTS bytes_sum 'Bytes of these files: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS bytes_last 'Bytes of these files: newest in the bucket, with its moment before it';

ALTER TABLE meshward.grade_history_hour_local
  COMMENT COLUMN IF EXISTS at 'Begin of the hour, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS sweeps 'Sweeps that are summed up here',
  COMMENT COLUMN IF EXISTS policy 'Name of the policy that the file is mended by',
  COMMENT COLUMN IF EXISTS grade 'lost < critical < at-risk < degraded < healthy',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that wrote the row',
  COMMENT COLUMN IF EXISTS files_min 'Files, in this sweep of this analyzer: smallest in the bucket',
  COMMENT COLUMN IF EXISTS files_max 'Files, in this sweep of this analyzer: largest in the bucket',
  COMMENT COLUMN IF EXISTS files_sum 'Files, in this sweep of this analyzer: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS files_last 'Files, in this sweep of this analyzer: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS bytes_min 'Bytes of these files: smallest in the bucket',
  COMMENT COLUMN IF EXISTS bytes_max 'Bytes of these files: largest in the bucket',
  COMMENT COLUMN IF EXISTS bytes_sum 'Bytes of these files: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS bytes_last 'Bytes of these files: newest in the bucket, with its moment before it';

ALTER TABLE meshward.grade_history_hour
  COMMENT COLUMN IF EXISTS at 'Begin of the hour, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS sweeps 'Sweeps that are summed up here',
  COMMENT COLUMN IF EXISTS policy 'Name of the policy that the file is mended by',
  COMMENT COLUMN IF EXISTS grade 'lost < critical < at-risk < degraded < healthy',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that wrote the row',
  COMMENT COLUMN IF EXISTS files_min 'Files, in this sweep of this analyzer: smallest in the bucket',
  COMMENT COLUMN IF EXISTS files_max 'Files, in this sweep of this analyzer: largest in the bucket',
  COMMENT COLUMN IF EXISTS files_sum 'Files, in this sweep of this analyzer: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS files_last 'Files, in this sweep of this analyzer: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS bytes_min 'Bytes of these files: smallest in the bucket',
  COMMENT COLUMN IF EXISTS bytes_max 'Bytes of these files: largest in the bucket',
  COMMENT COLUMN IF EXISTS bytes_sum 'Bytes of these files: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS bytes_last 'Bytes of these files: newest in the bucket, with its moment before it';

ALTER TABLE meshward.grade_history_day_local
  COMMENT COLUMN IF EXISTS at 'Begin of the day, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS sweeps 'Sweeps that are summed up here',
  COMMENT COLUMN IF EXISTS policy 'Name of the policy that the file is mended by',
  COMMENT COLUMN IF EXISTS grade 'lost < critical < at-risk < degraded < healthy',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that wrote the row',
  COMMENT COLUMN IF EXISTS files_min 'Files, in this sweep of this analyzer: smallest in the bucket',
  COMMENT COLUMN IF EXISTS files_max 'Files, in this sweep of this analyzer: largest in the bucket',
  COMMENT COLUMN IF EXISTS files_sum 'Files, in this sweep of this analyzer: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS files_last 'Files, in this sweep of this analyzer: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS bytes_min 'Bytes of these files: smallest in the bucket',
  COMMENT COLUMN IF EXISTS bytes_max 'Bytes of these files: largest in the bucket',
  COMMENT COLUMN IF EXISTS bytes_sum 'Bytes of these files: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS bytes_last 'Bytes of these files: newest in the bucket, with its moment before it';

ALTER TABLE meshward.grade_history_day
  COMMENT COLUMN IF EXISTS at 'Begin of the day, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS sweeps 'Sweeps that are summed up here',
  COMMENT COLUMN IF EXISTS policy 'Name of the policy that the file is mended by',
  COMMENT COLUMN IF EXISTS grade 'lost < critical < at-risk < degraded < healthy',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that wrote the row',
  COMMENT COLUMN IF EXISTS files_min 'Files, in this sweep of this analyzer: smallest in the bucket',
  COMMENT COLUMN IF EXISTS files_max 'Files, in this sweep of this analyzer: largest in the bucket',
  COMMENT COLUMN IF EXISTS files_sum 'Files, in this sweep of this analyzer: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS files_last 'Files, in this sweep of this analyzer: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS bytes_min 'Bytes of these files: smallest in the bucket',
  COMMENT COLUMN IF EXISTS bytes_max 'Bytes of these files: largest in the bucket',
  COMMENT COLUMN IF EXISTS bytes_sum 'Bytes of these files: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS bytes_last 'Bytes of these files: newest in the bucket, with its moment before it';

ALTER TABLE meshward.margin_history_local
  COMMENT COLUMN IF EXISTS at 'When, UTC',
  COMMENT COLUMN IF EXISTS policy 'Name of the policy that the file is mended by',
  COMMENT COLUMN IF EXISTS margin 'Available shares above k; negative: it cannot be recovered now',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that wrote the row',
  COMMENT COLUMN IF EXISTS files 'Files, in this sweep of this analyzer',
  COMMENT COLUMN IF EXISTS bytes 'Bytes of these files';

ALTER TABLE meshward.margin_history
  COMMENT COLUMN IF EXISTS at 'When, UTC',
  COMMENT COLUMN IF EXISTS policy 'Name of the policy that the file is mended by',
  COMMENT COLUMN IF EXISTS margin 'Available shares above k; negative: it cannot be recovered now',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that wrote the row',
  COMMENT COLUMN IF EXISTS files 'Files, in this sweep of this analyzer',
  COMMENT COLUMN IF EXISTS bytes 'Bytes of these files';

ALTER TABLE meshward.margin_history_minute_local
  COMMENT COLUMN IF EXISTS at 'Begin of the minute, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS sweeps 'Sweeps that are summed up here',
  COMMENT COLUMN IF EXISTS policy 'Name of the policy that the file is mended by',
  COMMENT COLUMN IF EXISTS margin 'Available shares above k; negative: it cannot be recovered now',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that wrote the row',
  COMMENT COLUMN IF EXISTS files_min 'Files, in this sweep of this analyzer: smallest in the bucket',
  COMMENT COLUMN IF EXISTS files_max 'Files, in this sweep of this analyzer: largest in the bucket',
  COMMENT COLUMN IF EXISTS files_sum 'Files, in this sweep of this analyzer: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS files_last 'Files, in this sweep of this analyzer: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS bytes_min 'Bytes of these files: smallest in the bucket',
  COMMENT COLUMN IF EXISTS bytes_max 'Bytes of these files: largest in the bucket',
  COMMENT COLUMN IF EXISTS bytes_sum 'Bytes of these files: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS bytes_last 'Bytes of these files: newest in the bucket, with its moment before it';

ALTER TABLE meshward.margin_history_minute
  COMMENT COLUMN IF EXISTS at 'Begin of the minute, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS sweeps 'Sweeps that are summed up here',
  COMMENT COLUMN IF EXISTS policy 'Name of the policy that the file is mended by',
  COMMENT COLUMN IF EXISTS margin 'Available shares above k; negative: it cannot be recovered now',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that wrote the row',
  COMMENT COLUMN IF EXISTS files_min 'Files, in this sweep of this analyzer: smallest in the bucket',
  COMMENT COLUMN IF EXISTS files_max 'Files, in this sweep of this analyzer: largest in the bucket',
  COMMENT COLUMN IF EXISTS files_sum 'Files, in this sweep of this analyzer: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS files_last 'Files, in this sweep of this analyzer: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS bytes_min 'Bytes of these files: smallest in the bucket',
  COMMENT COLUMN IF EXISTS bytes_max 'Bytes of these files: largest in the bucket',
  COMMENT COLUMN IF EXISTS bytes_sum 'Bytes of these files: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS bytes_last 'Bytes of these files: newest in the bucket, with its moment before it';

ALTER TABLE meshward.margin_history_hour_local
  COMMENT COLUMN IF EXISTS at 'Begin of the hour, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS sweeps 'Sweeps that are summed up here',
  COMMENT COLUMN IF EXISTS policy 'Name of the policy that the file is mended by',
  COMMENT COLUMN IF EXISTS margin 'Available shares above k; negative: it cannot be recovered now',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that wrote the row',
  COMMENT COLUMN IF EXISTS files_min 'Files, in this sweep of this analyzer: smallest in the bucket',
  COMMENT COLUMN IF EXISTS files_max 'Files, in this sweep of this analyzer: largest in the bucket',
  COMMENT COLUMN IF EXISTS files_sum 'Files, in this sweep of this analyzer: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS files_last 'Files, in this sweep of this analyzer: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS bytes_min 'Bytes of these files: smallest in the bucket',
  COMMENT COLUMN IF EXISTS bytes_max 'Bytes of these files: largest in the bucket',
  COMMENT COLUMN IF EXISTS bytes_sum 'Bytes of these files: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS bytes_last 'Bytes of these files: newest in the bucket, with its moment before it';

ALTER TABLE meshward.margin_history_hour
  COMMENT COLUMN IF EXISTS at 'Begin of the hour, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS sweeps 'Sweeps that are summed up here',
  COMMENT COLUMN IF EXISTS policy 'Name of the policy that the file is mended by',
  COMMENT COLUMN IF EXISTS margin 'Available shares above k; negative: it cannot be recovered now',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that wrote the row',
  COMMENT COLUMN IF EXISTS files_min 'Files, in this sweep of this analyzer: smallest in the bucket',
  COMMENT COLUMN IF EXISTS files_max 'Files, in this sweep of this analyzer: largest in the bucket',
  COMMENT COLUMN IF EXISTS files_sum 'Files, in this sweep of this analyzer: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS files_last 'Files, in this sweep of this analyzer: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS bytes_min 'Bytes of these files: smallest in the bucket',
  COMMENT COLUMN IF EXISTS bytes_max 'Bytes of these files: largest in the bucket',
  COMMENT COLUMN IF EXISTS bytes_sum 'Bytes of these files: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS bytes_last 'Bytes of these files: newest in the bucket, with its moment before it';

ALTER TABLE meshward.margin_history_day_local
  COMMENT COLUMN IF EXISTS at 'Begin of the day, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS sweeps 'Sweeps that are summed up here',
  COMMENT COLUMN IF EXISTS policy 'Name of the policy that the file is mended by',
  COMMENT COLUMN IF EXISTS margin 'Available shares above k; negative: it cannot be recovered now',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that wrote the row',
  COMMENT COLUMN IF EXISTS files_min 'Files, in this sweep of this analyzer: smallest in the bucket',
  COMMENT COLUMN IF EXISTS files_max 'Files, in this sweep of this analyzer: largest in the bucket',
  COMMENT COLUMN IF EXISTS files_sum 'Files, in this sweep of this analyzer: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS files_last 'Files, in this sweep of this analyzer: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS bytes_min 'Bytes of these files: smallest in the bucket',
  COMMENT COLUMN IF EXISTS bytes_max 'Bytes of these files: largest in the bucket',
  COMMENT COLUMN IF EXISTS bytes_sum 'Bytes of these files: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS bytes_last 'Bytes of these files: newest in the bucket, with its moment before it';

ALTER TABLE meshward.margin_history_day
  COMMENT COLUMN IF EXISTS at 'Begin of the day, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS sweeps 'Sweeps that are summed up here',
  COMMENT COLUMN IF EXISTS policy 'Name of the policy that the file is mended by',
  COMMENT COLUMN IF EXISTS margin 'Available shares above k; negative: it cannot be recovered now',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that wrote the row',
  COMMENT COLUMN IF EXISTS files_min 'Files, in this sweep of this analyzer: smallest in the bucket',
  COMMENT COLUMN IF EXISTS files_max 'Files, in this sweep of this analyzer: largest in the bucket',
  COMMENT COLUMN IF EXISTS files_sum 'Files, in this sweep of this analyzer: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS files_last 'Files, in this sweep of this analyzer: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS bytes_min 'Bytes of these files: smallest in the bucket',
  COMMENT COLUMN IF EXISTS bytes_max 'Bytes of these files: largest in the bucket',
  COMMENT COLUMN IF EXISTS bytes_sum 'Bytes of these files: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS bytes_last 'Bytes of these files: newest in the bucket, with its moment before it';

ALTER TABLE meshward.domain_exposure_local
  COMMENT COLUMN IF EXISTS at 'When, UTC',
  COMMENT COLUMN IF EXISTS kind 'Kind of failure domain; peer is a single peer',
  COMMENT COLUMN IF EXISTS domain 'Name of the failure domain, or id of the peer',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that wrote the row',
  COMMENT COLUMN IF EXISTS files_below_k 'Files that its loss would push below k',
  COMMENT COLUMN IF EXISTS files_below_repair 'Files that its loss would push below their repair threshold';

ALTER TABLE meshward.domain_exposure
  COMMENT COLUMN IF EXISTS at 'When, UTC',
  COMMENT COLUMN IF EXISTS kind 'Kind of failure domain; peer is a single peer',
  COMMENT COLUMN IF EXISTS domain 'Name of the failure domain, or id of the peer',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that wrote the row',
  COMMENT COLUMN IF EXISTS files_below_k 'Files that its loss would push below k',
  COMMENT COLUMN IF EXISTS files_below_repair 'Files that its loss would push below their repair threshold';

ALTER TABLE meshward.domain_exposure_minute_local
  COMMENT COLUMN IF EXISTS at 'Begin of the minute, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS sweeps 'Sweeps that are summed up here',
  COMMENT COLUMN IF EXISTS kind 'Kind of failure domain; peer is a single peer',
  COMMENT COLUMN IF EXISTS domain 'Name of the failure domain, or id of the peer',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that wrote the row',
  COMMENT COLUMN IF EXISTS files_below_k_min 'Files that its loss would push below k: smallest in the bucket',
  COMMENT COLUMN IF EXISTS files_below_k_max 'Files that its loss would push below k: largest in the bucket',
  COMMENT COLUMN IF EXISTS files_below_k_sum 'Files that its loss would push below k: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS files_below_k_last 'Files that its loss would push below k: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS files_below_repair_min 'Files that its loss would push below their repair threshold: smallest in the bucket',
  COMMENT COLUMN IF EXISTS files_below_repair_max 'Files that its loss would push below their repair threshold: largest in the bucket',
  COMMENT COLUMN IF EXISTS files_below_repair_sum 'Files that its loss would push below their repair threshold: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS files_below_repair_last 'Files that its loss would push below their repair threshold: newest in the bucket, with its moment before it';

ALTER TABLE meshward.domain_exposure_minute
  COMMENT COLUMN IF EXISTS at 'Begin of the minute, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS sweeps 'Sweeps that are summed up here',
  COMMENT COLUMN IF EXISTS kind 'Kind of failure domain; peer is a single peer',
  COMMENT COLUMN IF EXISTS domain 'Name of the failure domain, or id of the peer',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that wrote the row',
  COMMENT COLUMN IF EXISTS files_below_k_min 'Files that its loss would push below k: smallest in the bucket',
  COMMENT COLUMN IF EXISTS files_below_k_max 'Files that its loss would push below k: largest in the bucket',
  COMMENT COLUMN IF EXISTS files_below_k_sum 'Files that its loss would push below k: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS files_below_k_last 'Files that its loss would push below k: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS files_below_repair_min 'Files that its loss would push below their repair threshold: smallest in the bucket',
  COMMENT COLUMN IF EXISTS files_below_repair_max 'Files that its loss would push below their repair threshold: largest in the bucket',
  COMMENT COLUMN IF EXISTS files_below_repair_sum 'Files that its loss would push below their repair threshold: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS files_below_repair_last 'Files that its loss would push below their repair threshold: newest in the bucket, with its moment before it';

ALTER TABLE meshward.domain_exposure_hour_local
  COMMENT COLUMN IF EXISTS at 'Begin of the hour, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS sweeps 'Sweeps that are summed up here',
  COMMENT COLUMN IF EXISTS kind 'Kind of failure domain; peer is a single peer',
  COMMENT COLUMN IF EXISTS domain 'Name of the failure domain, or id of the peer',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that wrote the row',
  COMMENT COLUMN IF EXISTS files_below_k_min 'Files that its loss would push below k: smallest in the bucket',
  COMMENT COLUMN IF EXISTS files_below_k_max 'Files that its loss would push below k: largest in the bucket',
  COMMENT COLUMN IF EXISTS files_below_k_sum 'Files that its loss would push below k: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS files_below_k_last 'Files that its loss would push below k: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS files_below_repair_min 'Files that its loss would push below their repair threshold: smallest in the bucket',
  COMMENT COLUMN IF EXISTS files_below_repair_max 'Files that its loss would push below their repair threshold: largest in the bucket',
  COMMENT COLUMN IF EXISTS files_below_repair_sum 'Files that its loss would push below their repair threshold: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS files_below_repair_last 'Files that its loss would push below their repair threshold: newest in the bucket, with its moment before it';

ALTER TABLE meshward.domain_exposure_hour
  COMMENT COLUMN IF EXISTS at 'Begin of the hour, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS sweeps 'Sweeps that are summed up here',
  COMMENT COLUMN IF EXISTS kind 'Kind of failure domain; peer is a single peer',
  COMMENT COLUMN IF EXISTS domain 'Name of the failure domain, or id of the peer',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that wrote the row',
  COMMENT COLUMN IF EXISTS files_below_k_min 'Files that its loss would push below k: smallest in the bucket',
  COMMENT COLUMN IF EXISTS files_below_k_max 'Files that its loss would push below k: largest in the bucket',
  COMMENT COLUMN IF EXISTS files_below_k_sum 'Files that its loss would push below k: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS files_below_k_last 'Files that its loss would push below k: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS files_below_repair_min 'Files that its loss would push below their repair threshold: smallest in the bucket',
  COMMENT COLUMN IF EXISTS files_below_repair_max 'Files that its loss would push below their repair threshold: largest in the bucket',
  COMMENT COLUMN IF EXISTS files_below_repair_sum 'Files that its loss would push below their repair threshold: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS files_below_repair_last 'Files that its loss would push below their repair threshold: newest in the bucket, with its moment before it';

ALTER TABLE meshward.domain_exposure_day_local
  COMMENT COLUMN IF EXISTS at 'Begin of the day, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS sweeps 'Sweeps that are summed up here',
  COMMENT COLUMN IF EXISTS kind 'Kind of failure domain; peer is a single peer',
  COMMENT COLUMN IF EXISTS domain 'Name of the failure domain, or id of the peer',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that wrote the row',
  COMMENT COLUMN IF EXISTS files_below_k_min 'Files that its loss would push below k: smallest in the bucket',
  COMMENT COLUMN IF EXISTS files_below_k_max 'Files that its loss would push below k: largest in the bucket',
  COMMENT COLUMN IF EXISTS files_below_k_sum 'Files that its loss would push below k: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS files_below_k_last 'Files that its loss would push below k: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS files_below_repair_min 'Files that its loss would push below their repair threshold: smallest in the bucket',
  COMMENT COLUMN IF EXISTS files_below_repair_max 'Files that its loss would push below their repair threshold: largest in the bucket',
  COMMENT COLUMN IF EXISTS files_below_repair_sum 'Files that its loss would push below their repair threshold: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS files_below_repair_last 'Files that its loss would push below their repair threshold: newest in the bucket, with its moment before it';

ALTER TABLE meshward.domain_exposure_day
  COMMENT COLUMN IF EXISTS at 'Begin of the day, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS sweeps 'Sweeps that are summed up here',
  COMMENT COLUMN IF EXISTS kind 'Kind of failure domain; peer is a single peer',
  COMMENT COLUMN IF EXISTS domain 'Name of the failure domain, or id of the peer',
  COMMENT COLUMN IF EXISTS analyzer 'The analyzer that wrote the row',
  COMMENT COLUMN IF EXISTS files_below_k_min 'Files that its loss would push below k: smallest in the bucket',
  COMMENT COLUMN IF EXISTS files_below_k_max 'Files that its loss would push below k: largest in the bucket',
  COMMENT COLUMN IF EXISTS files_below_k_sum 'Files that its loss would push below k: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS files_below_k_last 'Files that its loss would push below k: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS files_below_repair_min 'Files that its loss would push below their repair threshold: smallest in the bucket',
  COMMENT COLUMN IF EXISTS files_below_repair_max 'Files that its loss would push below their repair threshold: largest in the bucket',
  COMMENT COLUMN IF EXISTS files_below_repair_sum 'Files that its loss would push below their repair threshold: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS files_below_repair_last 'Files that its loss would push below their repair threshold: newest in the bucket, with its moment before it';

ALTER TABLE meshward.peer_vitals_local
  COMMENT COLUMN IF EXISTS at 'When, UTC',
  COMMENT COLUMN IF EXISTS peer_id 'Names a peer: SHA-256 of its public key',
  COMMENT COLUMN IF EXISTS peer_id_text 'The peer id as people write it: base64url, 43 characters',
  COMMENT COLUMN IF EXISTS cpu_used_ratio 'Part of all processors in use, 0 to 1',
  COMMENT COLUMN IF EXISTS memory_used_bytes 'Memory of the host in use, in bytes',
  COMMENT COLUMN IF EXISTS disk_used_bytes 'Disk of the shares in use, in bytes',
  COMMENT COLUMN IF EXISTS disk_capacity_bytes 'Size of the disk of the shares, in bytes',
  COMMENT COLUMN IF EXISTS network_received_bytes 'Bytes received since the agent started',
  COMMENT COLUMN IF EXISTS network_sent_bytes 'Bytes sent since the agent started',
  COMMENT COLUMN IF EXISTS shares 'Shares that it holds',
  COMMENT COLUMN IF EXISTS share_bytes 'Bytes of these shares',
  COMMENT COLUMN IF EXISTS shares_verified 'Shares checked since the agent started',
  COMMENT COLUMN IF EXISTS spooled_batches 'Batches that wait for the collector',
  COMMENT COLUMN IF EXISTS spool_dropped_inventories 'Inventories given up since the spool was full',
  COMMENT COLUMN IF EXISTS process_memory_bytes 'Memory of the agent, in bytes';

ALTER TABLE meshward.peer_vitals
  COMMENT COLUMN IF EXISTS at 'When, UTC',
  COMMENT COLUMN IF EXISTS peer_id 'Names a peer: SHA-256 of its public key',
  COMMENT COLUMN IF EXISTS peer_id_text 'The peer id as people write it: base64url, 43 characters',
  COMMENT COLUMN IF EXISTS cpu_used_ratio 'Part of all processors in use, 0 to 1',
  COMMENT COLUMN IF EXISTS memory_used_bytes 'Memory of the host in use, in bytes',
  COMMENT COLUMN IF EXISTS disk_used_bytes 'Disk of the shares in use, in bytes',
  COMMENT COLUMN IF EXISTS disk_capacity_bytes 'Size of the disk of the shares, in bytes',
  COMMENT COLUMN IF EXISTS network_received_bytes 'Bytes received since the agent started',
  COMMENT COLUMN IF EXISTS network_sent_bytes 'Bytes sent since the agent started',
  COMMENT COLUMN IF EXISTS shares 'Shares that it holds',
  COMMENT COLUMN IF EXISTS share_bytes 'Bytes of these shares',
  COMMENT COLUMN IF EXISTS shares_verified 'Shares checked since the agent started',
  COMMENT COLUMN IF EXISTS spooled_batches 'Batches that wait for the collector',
  COMMENT COLUMN IF EXISTS spool_dropped_inventories 'Inventories given up since the spool was full',
  COMMENT COLUMN IF EXISTS process_memory_bytes 'Memory of the agent, in bytes';

ALTER TABLE meshward.peer_vitals_minute_local
  COMMENT COLUMN IF EXISTS at 'Begin of the minute, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS heartbeats 'Heartbeats that are summed up here',
  COMMENT COLUMN IF EXISTS peer_id 'Names a peer: SHA-256 of its public key',
  COMMENT COLUMN IF EXISTS peer_id_text 'The peer id as people write it: base64url, 43 characters',
  COMMENT COLUMN IF EXISTS cpu_used_ratio_min 'Part of all processors in use, 0 to 1: smallest in the bucket',
  COMMENT COLUMN IF EXISTS cpu_used_ratio_max 'Part of all processors in use, 0 to 1: largest in the bucket',
  COMMENT COLUMN IF EXISTS cpu_used_ratio_sum 'Part of all processors in use, 0 to 1: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS memory_used_bytes_min 'Memory of the host in use, in bytes: smallest in the bucket',
  COMMENT COLUMN IF EXISTS memory_used_bytes_max 'Memory of the host in use, in bytes: largest in the bucket',
  COMMENT COLUMN IF EXISTS memory_used_bytes_sum 'Memory of the host in use, in bytes: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS disk_used_bytes_max 'Disk of the shares in use, in bytes: largest in the bucket',
  COMMENT COLUMN IF EXISTS disk_used_bytes_last 'Disk of the shares in use, in bytes: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS disk_capacity_bytes_max 'Size of the disk of the shares, in bytes: largest in the bucket',
  COMMENT COLUMN IF EXISTS disk_capacity_bytes_last 'Size of the disk of the shares, in bytes: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS network_received_bytes_last 'Bytes received since the agent started: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS network_sent_bytes_last 'Bytes sent since the agent started: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS shares_min 'Shares that it holds: smallest in the bucket',
  COMMENT COLUMN IF EXISTS shares_max 'Shares that it holds: largest in the bucket',
  COMMENT COLUMN IF EXISTS shares_last 'Shares that it holds: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS share_bytes_last 'Bytes of these shares: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS shares_verified_last 'Shares checked since the agent started: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS spooled_batches_max 'Batches that wait for the collector: largest in the bucket',
  COMMENT COLUMN IF EXISTS spooled_batches_sum 'Batches that wait for the collector: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS spool_dropped_inventories_last 'Inventories given up since the spool was full: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS process_memory_bytes_max 'Memory of the agent, in bytes: largest in the bucket';

ALTER TABLE meshward.peer_vitals_minute
  COMMENT COLUMN IF EXISTS at 'Begin of the minute, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS heartbeats 'Heartbeats that are summed up here',
  COMMENT COLUMN IF EXISTS peer_id 'Names a peer: SHA-256 of its public key',
  COMMENT COLUMN IF EXISTS peer_id_text 'The peer id as people write it: base64url, 43 characters',
  COMMENT COLUMN IF EXISTS cpu_used_ratio_min 'Part of all processors in use, 0 to 1: smallest in the bucket',
  COMMENT COLUMN IF EXISTS cpu_used_ratio_max 'Part of all processors in use, 0 to 1: largest in the bucket',
  COMMENT COLUMN IF EXISTS cpu_used_ratio_sum 'Part of all processors in use, 0 to 1: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS memory_used_bytes_min 'Memory of the host in use, in bytes: smallest in the bucket',
  COMMENT COLUMN IF EXISTS memory_used_bytes_max 'Memory of the host in use, in bytes: largest in the bucket',
  COMMENT COLUMN IF EXISTS memory_used_bytes_sum 'Memory of the host in use, in bytes: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS disk_used_bytes_max 'Disk of the shares in use, in bytes: largest in the bucket',
  COMMENT COLUMN IF EXISTS disk_used_bytes_last 'Disk of the shares in use, in bytes: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS disk_capacity_bytes_max 'Size of the disk of the shares, in bytes: largest in the bucket',
  COMMENT COLUMN IF EXISTS disk_capacity_bytes_last 'Size of the disk of the shares, in bytes: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS network_received_bytes_last 'Bytes received since the agent started: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS network_sent_bytes_last 'Bytes sent since the agent started: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS shares_min 'Shares that it holds: smallest in the bucket',
  COMMENT COLUMN IF EXISTS shares_max 'Shares that it holds: largest in the bucket',
  COMMENT COLUMN IF EXISTS shares_last 'Shares that it holds: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS share_bytes_last 'Bytes of these shares: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS shares_verified_last 'Shares checked since the agent started: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS spooled_batches_max 'Batches that wait for the collector: largest in the bucket',
  COMMENT COLUMN IF EXISTS spooled_batches_sum 'Batches that wait for the collector: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS spool_dropped_inventories_last 'Inventories given up since the spool was full: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS process_memory_bytes_max 'Memory of the agent, in bytes: largest in the bucket';

ALTER TABLE meshward.peer_vitals_hour_local
  COMMENT COLUMN IF EXISTS at 'Begin of the hour, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS heartbeats 'Heartbeats that are summed up here',
  COMMENT COLUMN IF EXISTS peer_id 'Names a peer: SHA-256 of its public key',
  COMMENT COLUMN IF EXISTS peer_id_text 'The peer id as people write it: base64url, 43 characters',
  COMMENT COLUMN IF EXISTS cpu_used_ratio_min 'Part of all processors in use, 0 to 1: smallest in the bucket',
  COMMENT COLUMN IF EXISTS cpu_used_ratio_max 'Part of all processors in use, 0 to 1: largest in the bucket',
  COMMENT COLUMN IF EXISTS cpu_used_ratio_sum 'Part of all processors in use, 0 to 1: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS memory_used_bytes_min 'Memory of the host in use, in bytes: smallest in the bucket',
  COMMENT COLUMN IF EXISTS memory_used_bytes_max 'Memory of the host in use, in bytes: largest in the bucket',
  COMMENT COLUMN IF EXISTS memory_used_bytes_sum 'Memory of the host in use, in bytes: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS disk_used_bytes_max 'Disk of the shares in use, in bytes: largest in the bucket',
  COMMENT COLUMN IF EXISTS disk_used_bytes_last 'Disk of the shares in use, in bytes: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS disk_capacity_bytes_max 'Size of the disk of the shares, in bytes: largest in the bucket',
  COMMENT COLUMN IF EXISTS disk_capacity_bytes_last 'Size of the disk of the shares, in bytes: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS network_received_bytes_last 'Bytes received since the agent started: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS network_sent_bytes_last 'Bytes sent since the agent started: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS shares_min 'Shares that it holds: smallest in the bucket',
  COMMENT COLUMN IF EXISTS shares_max 'Shares that it holds: largest in the bucket',
  COMMENT COLUMN IF EXISTS shares_last 'Shares that it holds: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS share_bytes_last 'Bytes of these shares: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS shares_verified_last 'Shares checked since the agent started: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS spooled_batches_max 'Batches that wait for the collector: largest in the bucket',
  COMMENT COLUMN IF EXISTS spooled_batches_sum 'Batches that wait for the collector: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS spool_dropped_inventories_last 'Inventories given up since the spool was full: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS process_memory_bytes_max 'Memory of the agent, in bytes: largest in the bucket';

ALTER TABLE meshward.peer_vitals_hour
  COMMENT COLUMN IF EXISTS at 'Begin of the hour, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS heartbeats 'Heartbeats that are summed up here',
  COMMENT COLUMN IF EXISTS peer_id 'Names a peer: SHA-256 of its public key',
  COMMENT COLUMN IF EXISTS peer_id_text 'The peer id as people write it: base64url, 43 characters',
  COMMENT COLUMN IF EXISTS cpu_used_ratio_min 'Part of all processors in use, 0 to 1: smallest in the bucket',
  COMMENT COLUMN IF EXISTS cpu_used_ratio_max 'Part of all processors in use, 0 to 1: largest in the bucket',
  COMMENT COLUMN IF EXISTS cpu_used_ratio_sum 'Part of all processors in use, 0 to 1: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS memory_used_bytes_min 'Memory of the host in use, in bytes: smallest in the bucket',
  COMMENT COLUMN IF EXISTS memory_used_bytes_max 'Memory of the host in use, in bytes: largest in the bucket',
  COMMENT COLUMN IF EXISTS memory_used_bytes_sum 'Memory of the host in use, in bytes: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS disk_used_bytes_max 'Disk of the shares in use, in bytes: largest in the bucket',
  COMMENT COLUMN IF EXISTS disk_used_bytes_last 'Disk of the shares in use, in bytes: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS disk_capacity_bytes_max 'Size of the disk of the shares, in bytes: largest in the bucket',
  COMMENT COLUMN IF EXISTS disk_capacity_bytes_last 'Size of the disk of the shares, in bytes: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS network_received_bytes_last 'Bytes received since the agent started: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS network_sent_bytes_last 'Bytes sent since the agent started: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS shares_min 'Shares that it holds: smallest in the bucket',
  COMMENT COLUMN IF EXISTS shares_max 'Shares that it holds: largest in the bucket',
  COMMENT COLUMN IF EXISTS shares_last 'Shares that it holds: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS share_bytes_last 'Bytes of these shares: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS shares_verified_last 'Shares checked since the agent started: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS spooled_batches_max 'Batches that wait for the collector: largest in the bucket',
  COMMENT COLUMN IF EXISTS spooled_batches_sum 'Batches that wait for the collector: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS spool_dropped_inventories_last 'Inventories given up since the spool was full: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS process_memory_bytes_max 'Memory of the agent, in bytes: largest in the bucket';

ALTER TABLE meshward.peer_vitals_day_local
  COMMENT COLUMN IF EXISTS at 'Begin of the day, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS heartbeats 'Heartbeats that are summed up here',
  COMMENT COLUMN IF EXISTS peer_id 'Names a peer: SHA-256 of its public key',
  COMMENT COLUMN IF EXISTS peer_id_text 'The peer id as people write it: base64url, 43 characters',
  COMMENT COLUMN IF EXISTS cpu_used_ratio_min 'Part of all processors in use, 0 to 1: smallest in the bucket',
  COMMENT COLUMN IF EXISTS cpu_used_ratio_max 'Part of all processors in use, 0 to 1: largest in the bucket',
  COMMENT COLUMN IF EXISTS cpu_used_ratio_sum 'Part of all processors in use, 0 to 1: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS memory_used_bytes_min 'Memory of the host in use, in bytes: smallest in the bucket',
  COMMENT COLUMN IF EXISTS memory_used_bytes_max 'Memory of the host in use, in bytes: largest in the bucket',
  COMMENT COLUMN IF EXISTS memory_used_bytes_sum 'Memory of the host in use, in bytes: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS disk_used_bytes_max 'Disk of the shares in use, in bytes: largest in the bucket',
  COMMENT COLUMN IF EXISTS disk_used_bytes_last 'Disk of the shares in use, in bytes: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS disk_capacity_bytes_max 'Size of the disk of the shares, in bytes: largest in the bucket',
  COMMENT COLUMN IF EXISTS disk_capacity_bytes_last 'Size of the disk of the shares, in bytes: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS network_received_bytes_last 'Bytes received since the agent started: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS network_sent_bytes_last 'Bytes sent since the agent started: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS shares_min 'Shares that it holds: smallest in the bucket',
  COMMENT COLUMN IF EXISTS shares_max 'Shares that it holds: largest in the bucket',
  COMMENT COLUMN IF EXISTS shares_last 'Shares that it holds: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS share_bytes_last 'Bytes of these shares: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS shares_verified_last 'Shares checked since the agent started: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS spooled_batches_max 'Batches that wait for the collector: largest in the bucket',
  COMMENT COLUMN IF EXISTS spooled_batches_sum 'Batches that wait for the collector: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS spool_dropped_inventories_last 'Inventories given up since the spool was full: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS process_memory_bytes_max 'Memory of the agent, in bytes: largest in the bucket';

ALTER TABLE meshward.peer_vitals_day
  COMMENT COLUMN IF EXISTS at 'Begin of the day, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS heartbeats 'Heartbeats that are summed up here',
  COMMENT COLUMN IF EXISTS peer_id 'Names a peer: SHA-256 of its public key',
  COMMENT COLUMN IF EXISTS peer_id_text 'The peer id as people write it: base64url, 43 characters',
  COMMENT COLUMN IF EXISTS cpu_used_ratio_min 'Part of all processors in use, 0 to 1: smallest in the bucket',
  COMMENT COLUMN IF EXISTS cpu_used_ratio_max 'Part of all processors in use, 0 to 1: largest in the bucket',
  COMMENT COLUMN IF EXISTS cpu_used_ratio_sum 'Part of all processors in use, 0 to 1: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS memory_used_bytes_min 'Memory of the host in use, in bytes: smallest in the bucket',
  COMMENT COLUMN IF EXISTS memory_used_bytes_max 'Memory of the host in use, in bytes: largest in the bucket',
  COMMENT COLUMN IF EXISTS memory_used_bytes_sum 'Memory of the host in use, in bytes: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS disk_used_bytes_max 'Disk of the shares in use, in bytes: largest in the bucket',
  COMMENT COLUMN IF EXISTS disk_used_bytes_last 'Disk of the shares in use, in bytes: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS disk_capacity_bytes_max 'Size of the disk of the shares, in bytes: largest in the bucket',
  COMMENT COLUMN IF EXISTS disk_capacity_bytes_last 'Size of the disk of the shares, in bytes: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS network_received_bytes_last 'Bytes received since the agent started: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS network_sent_bytes_last 'Bytes sent since the agent started: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS shares_min 'Shares that it holds: smallest in the bucket',
  COMMENT COLUMN IF EXISTS shares_max 'Shares that it holds: largest in the bucket',
  COMMENT COLUMN IF EXISTS shares_last 'Shares that it holds: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS share_bytes_last 'Bytes of these shares: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS shares_verified_last 'Shares checked since the agent started: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS spooled_batches_max 'Batches that wait for the collector: largest in the bucket',
  COMMENT COLUMN IF EXISTS spooled_batches_sum 'Batches that wait for the collector: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS spool_dropped_inventories_last 'Inventories given up since the spool was full: newest in the bucket, with its moment before it',
  COMMENT COLUMN IF EXISTS process_memory_bytes_max 'Memory of the agent, in bytes: largest in the bucket';

ALTER TABLE meshward.service_figures_local
  COMMENT COLUMN IF EXISTS at 'When, UTC',
  COMMENT COLUMN IF EXISTS figure 'Name of a metric of the service, as docs/metrics.md lists it',
  COMMENT COLUMN IF EXISTS labels 'Its labels, as Prometheus writes them',
  COMMENT COLUMN IF EXISTS service 'collector, analyzer or repairer',
  COMMENT COLUMN IF EXISTS instance 'Which process of the service',
  COMMENT COLUMN IF EXISTS value 'Value of the metric';

ALTER TABLE meshward.service_figures
  COMMENT COLUMN IF EXISTS at 'When, UTC',
  COMMENT COLUMN IF EXISTS figure 'Name of a metric of the service, as docs/metrics.md lists it',
  COMMENT COLUMN IF EXISTS labels 'Its labels, as Prometheus writes them',
  COMMENT COLUMN IF EXISTS service 'collector, analyzer or repairer',
  COMMENT COLUMN IF EXISTS instance 'Which process of the service',
  COMMENT COLUMN IF EXISTS value 'Value of the metric';

ALTER TABLE meshward.service_figures_minute_local
  COMMENT COLUMN IF EXISTS at 'Begin of the minute, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS samples 'Samples that are summed up here',
  COMMENT COLUMN IF EXISTS figure 'Name of a metric of the service, as docs/metrics.md lists it',
  COMMENT COLUMN IF EXISTS labels 'Its labels, as Prometheus writes them',
  COMMENT COLUMN IF EXISTS service 'collector, analyzer or repairer',
  COMMENT COLUMN IF EXISTS instance 'Which process of the service',
  COMMENT COLUMN IF EXISTS value_min 'Value of the metric: smallest in the bucket',
  COMMENT COLUMN IF EXISTS value_max 'Value of the metric: largest in the bucket',
  COMMENT COLUMN IF EXISTS value_sum 'Value of the metric: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS value_last 'Value of the metric: newest in the bucket, with its moment before it';

ALTER TABLE meshward.service_figures_minute
  COMMENT COLUMN IF EXISTS at 'Begin of the minute, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS samples 'Samples that are summed up here',
  COMMENT COLUMN IF EXISTS figure 'Name of a metric of the service, as docs/metrics.md lists it',
  COMMENT COLUMN IF EXISTS labels 'Its labels, as Prometheus writes them',
  COMMENT COLUMN IF EXISTS service 'collector, analyzer or repairer',
  COMMENT COLUMN IF EXISTS instance 'Which process of the service',
  COMMENT COLUMN IF EXISTS value_min 'Value of the metric: smallest in the bucket',
  COMMENT COLUMN IF EXISTS value_max 'Value of the metric: largest in the bucket',
  COMMENT COLUMN IF EXISTS value_sum 'Value of the metric: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS value_last 'Value of the metric: newest in the bucket, with its moment before it';

ALTER TABLE meshward.service_figures_hour_local
  COMMENT COLUMN IF EXISTS at 'Begin of the hour, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS samples 'Samples that are summed up here',
  COMMENT COLUMN IF EXISTS figure 'Name of a metric of the service, as docs/metrics.md lists it',
  COMMENT COLUMN IF EXISTS labels 'Its labels, as Prometheus writes them',
  COMMENT COLUMN IF EXISTS service 'collector, analyzer or repairer',
  COMMENT COLUMN IF EXISTS instance 'Which process of the service',
  COMMENT COLUMN IF EXISTS value_min 'Value of the metric: smallest in the bucket',
  COMMENT COLUMN IF EXISTS value_max 'Value of the metric: largest in the bucket',
  COMMENT COLUMN IF EXISTS value_sum 'Value of the metric: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS value_last 'Value of the metric: newest in the bucket, with its moment before it';

ALTER TABLE meshward.service_figures_hour
  COMMENT COLUMN IF EXISTS at 'Begin of the hour, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS samples 'Samples that are summed up here',
  COMMENT COLUMN IF EXISTS figure 'Name of a metric of the service, as docs/metrics.md lists it',
  COMMENT COLUMN IF EXISTS labels 'Its labels, as Prometheus writes them',
  COMMENT COLUMN IF EXISTS service 'collector, analyzer or repairer',
  COMMENT COLUMN IF EXISTS instance 'Which process of the service',
  COMMENT COLUMN IF EXISTS value_min 'Value of the metric: smallest in the bucket',
  COMMENT COLUMN IF EXISTS value_max 'Value of the metric: largest in the bucket',
  COMMENT COLUMN IF EXISTS value_sum 'Value of the metric: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS value_last 'Value of the metric: newest in the bucket, with its moment before it';

ALTER TABLE meshward.service_figures_day_local
  COMMENT COLUMN IF EXISTS at 'Begin of the day, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS samples 'Samples that are summed up here',
  COMMENT COLUMN IF EXISTS figure 'Name of a metric of the service, as docs/metrics.md lists it',
  COMMENT COLUMN IF EXISTS labels 'Its labels, as Prometheus writes them',
  COMMENT COLUMN IF EXISTS service 'collector, analyzer or repairer',
  COMMENT COLUMN IF EXISTS instance 'Which process of the service',
  COMMENT COLUMN IF EXISTS value_min 'Value of the metric: smallest in the bucket',
  COMMENT COLUMN IF EXISTS value_max 'Value of the metric: largest in the bucket',
  COMMENT COLUMN IF EXISTS value_sum 'Value of the metric: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS value_last 'Value of the metric: newest in the bucket, with its moment before it';

ALTER TABLE meshward.service_figures_day
  COMMENT COLUMN IF EXISTS at 'Begin of the day, UTC',
  COMMENT COLUMN IF EXISTS last_at 'The newest moment of what is summed up here, UTC',
  COMMENT COLUMN IF EXISTS samples 'Samples that are summed up here',
  COMMENT COLUMN IF EXISTS figure 'Name of a metric of the service, as docs/metrics.md lists it',
  COMMENT COLUMN IF EXISTS labels 'Its labels, as Prometheus writes them',
  COMMENT COLUMN IF EXISTS service 'collector, analyzer or repairer',
  COMMENT COLUMN IF EXISTS instance 'Which process of the service',
  COMMENT COLUMN IF EXISTS value_min 'Value of the metric: smallest in the bucket',
  COMMENT COLUMN IF EXISTS value_max 'Value of the metric: largest in the bucket',
  COMMENT COLUMN IF EXISTS value_sum 'Value of the metric: sum over the bucket: divide by the number of rows for the mean',
  COMMENT COLUMN IF EXISTS value_last 'Value of the metric: newest in the bucket, with its moment before it';

CREATE TABLE IF NOT EXISTS meshward.campaign_files_local (
  campaign UUID,
  partition UInt16 CODEC(ZSTD),
  storage_index FixedString(16),
  outcome Enum8('restored' = 1, 'not-needed' = 2, 'verified' = 3, 'partial' = 4, 'corrupt' = 5, 'failed' = 6, 'irrecoverable' = 7, 'gone' = 8) CODEC(ZSTD),
  error_code LowCardinality(String),
  pass UInt16 CODEC(ZSTD),
  policy LowCardinality(String),
  margin_before Int16 CODEC(ZSTD),
  margin_after Int16 CODEC(ZSTD),
  shares_written UInt16 CODEC(ZSTD),
  bytes_read UInt64 CODEC(ZSTD),
  bytes_written UInt64 CODEC(ZSTD),
  duration_ms UInt64 CODEC(ZSTD),
  at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
  storage_index_text String ALIAS lower(trim(TRAILING '=' FROM base32Encode(storage_index)))
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (campaign, partition, storage_index)
TTL toDateTime(at) + INTERVAL 1095 DAY
SETTINGS non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.campaign_files AS meshward.campaign_files_local
ENGINE = Distributed('mesh', 'meshward', 'campaign_files_local', cityHash64(storage_index));

CREATE TABLE IF NOT EXISTS meshward.campaign_steps_local (
  campaign String,
  revision UInt64,
  at DateTime64(3, 'UTC'),
  name String,
  what LowCardinality(String),
  operator_id String,
  operator_name String,
  why String,
  plan_hash String
)
ENGINE = ReplacingMergeTree()
ORDER BY (campaign, revision)
SETTINGS non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.campaign_steps AS meshward.campaign_steps_local
ENGINE = Distributed('mesh', 'meshward', 'campaign_steps_local', cityHash64(campaign));

CREATE TABLE IF NOT EXISTS meshward.campaign_progress_local (
  campaign UUID,
  at DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
  partition UInt16 CODEC(ZSTD),
  files UInt64 CODEC(T64, ZSTD),
  restored UInt64 CODEC(T64, ZSTD),
  failed UInt64 CODEC(T64, ZSTD),
  shares_written UInt64 CODEC(T64, ZSTD),
  bytes_read UInt64 CODEC(T64, ZSTD),
  bytes_written UInt64 CODEC(T64, ZSTD),
  in_flight UInt32 CODEC(T64, ZSTD),
  waits_for LowCardinality(String),
  finished Bool,
  repairer LowCardinality(String)
)
ENGINE = MergeTree()
PARTITION BY toYYYYMM(at)
ORDER BY (campaign, at, partition)
TTL toDateTime(at) + INTERVAL 1095 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000;

CREATE TABLE IF NOT EXISTS meshward.campaign_progress AS meshward.campaign_progress_local
ENGINE = Distributed('mesh', 'meshward', 'campaign_progress_local', cityHash64(campaign));

ALTER TABLE meshward.campaign_files_local
  COMMENT COLUMN IF EXISTS campaign 'Names the campaign',
  COMMENT COLUMN IF EXISTS partition 'Partition of share-events that the file belongs to',
  COMMENT COLUMN IF EXISTS storage_index 'Names a file: 16 bytes',
  COMMENT COLUMN IF EXISTS storage_index_text 'The storage index as people write it: base32, 26 characters',
  COMMENT COLUMN IF EXISTS outcome 'What came of the file: restored, not-needed, verified, partial, corrupt, failed, irrecoverable or gone',
  COMMENT COLUMN IF EXISTS error_code 'Code of docs/errors.md; empty where there was no error',
  COMMENT COLUMN IF EXISTS pass 'How many times it was tried',
  COMMENT COLUMN IF EXISTS policy 'Name of the policy that the file is mended by',
  COMMENT COLUMN IF EXISTS margin_before 'Available shares above k before the campaign',
  COMMENT COLUMN IF EXISTS margin_after 'Available shares above k when the campaign was done with it',
  COMMENT COLUMN IF EXISTS shares_written 'Shares written, in all tries',
  COMMENT COLUMN IF EXISTS bytes_read 'Bytes read from peers, in all tries',
  COMMENT COLUMN IF EXISTS bytes_written 'Bytes written to peers, in all tries',
  COMMENT COLUMN IF EXISTS duration_ms 'How long it took, in milliseconds, in all tries',
  COMMENT COLUMN IF EXISTS at 'When the campaign was done with it, UTC';

ALTER TABLE meshward.campaign_files
  COMMENT COLUMN IF EXISTS campaign 'Names the campaign',
  COMMENT COLUMN IF EXISTS partition 'Partition of share-events that the file belongs to',
  COMMENT COLUMN IF EXISTS storage_index 'Names a file: 16 bytes',
  COMMENT COLUMN IF EXISTS storage_index_text 'The storage index as people write it: base32, 26 characters',
  COMMENT COLUMN IF EXISTS outcome 'What came of the file: restored, not-needed, verified, partial, corrupt, failed, irrecoverable or gone',
  COMMENT COLUMN IF EXISTS error_code 'Code of docs/errors.md; empty where there was no error',
  COMMENT COLUMN IF EXISTS pass 'How many times it was tried',
  COMMENT COLUMN IF EXISTS policy 'Name of the policy that the file is mended by',
  COMMENT COLUMN IF EXISTS margin_before 'Available shares above k before the campaign',
  COMMENT COLUMN IF EXISTS margin_after 'Available shares above k when the campaign was done with it',
  COMMENT COLUMN IF EXISTS shares_written 'Shares written, in all tries',
  COMMENT COLUMN IF EXISTS bytes_read 'Bytes read from peers, in all tries',
  COMMENT COLUMN IF EXISTS bytes_written 'Bytes written to peers, in all tries',
  COMMENT COLUMN IF EXISTS duration_ms 'How long it took, in milliseconds, in all tries',
  COMMENT COLUMN IF EXISTS at 'When the campaign was done with it, UTC';

ALTER TABLE meshward.campaign_steps_local
  COMMENT COLUMN IF EXISTS campaign 'Names the campaign, or the calendar entry or limits by their name',
  COMMENT COLUMN IF EXISTS revision 'Count of its changes, from 1',
  COMMENT COLUMN IF EXISTS at 'When, UTC',
  COMMENT COLUMN IF EXISTS name 'Given by who planned it',
  COMMENT COLUMN IF EXISTS what 'plan, approve, start, pause, resume, cancel, finish or fail; add, change, remove, run, missed; limits, hold, release, end',
  COMMENT COLUMN IF EXISTS operator_id 'Key of the operator; empty where a service did it by itself',
  COMMENT COLUMN IF EXISTS operator_name 'Name of the operator',
  COMMENT COLUMN IF EXISTS why 'Why, in the words of who did it',
  COMMENT COLUMN IF EXISTS plan_hash 'SHA-256 of what was planned';

ALTER TABLE meshward.campaign_steps
  COMMENT COLUMN IF EXISTS campaign 'Names the campaign, or the calendar entry or limits by their name',
  COMMENT COLUMN IF EXISTS revision 'Count of its changes, from 1',
  COMMENT COLUMN IF EXISTS at 'When, UTC',
  COMMENT COLUMN IF EXISTS name 'Given by who planned it',
  COMMENT COLUMN IF EXISTS what 'plan, approve, start, pause, resume, cancel, finish or fail; add, change, remove, run, missed; limits, hold, release, end',
  COMMENT COLUMN IF EXISTS operator_id 'Key of the operator; empty where a service did it by itself',
  COMMENT COLUMN IF EXISTS operator_name 'Name of the operator',
  COMMENT COLUMN IF EXISTS why 'Why, in the words of who did it',
  COMMENT COLUMN IF EXISTS plan_hash 'SHA-256 of what was planned';

ALTER TABLE meshward.campaign_progress_local
  COMMENT COLUMN IF EXISTS campaign 'Names the campaign',
  COMMENT COLUMN IF EXISTS at 'When, UTC',
  COMMENT COLUMN IF EXISTS partition 'Partition of share-events',
  COMMENT COLUMN IF EXISTS files 'Files that it is done with, since it was started',
  COMMENT COLUMN IF EXISTS restored 'Of those, files that got the shares they were to get',
  COMMENT COLUMN IF EXISTS failed 'Of those, files that did not',
  COMMENT COLUMN IF EXISTS shares_written 'Shares written, since it was started',
  COMMENT COLUMN IF EXISTS bytes_read 'Bytes read from peers, since it was started',
  COMMENT COLUMN IF EXISTS bytes_written 'Bytes written to peers, since it was started',
  COMMENT COLUMN IF EXISTS in_flight 'Files that are being worked on',
  COMMENT COLUMN IF EXISTS waits_for 'Why nothing is being done; empty while something is',
  COMMENT COLUMN IF EXISTS finished 'Nothing is left to do in this partition',
  COMMENT COLUMN IF EXISTS repairer 'The repairer that owns the partition';

ALTER TABLE meshward.campaign_progress
  COMMENT COLUMN IF EXISTS campaign 'Names the campaign',
  COMMENT COLUMN IF EXISTS at 'When, UTC',
  COMMENT COLUMN IF EXISTS partition 'Partition of share-events',
  COMMENT COLUMN IF EXISTS files 'Files that it is done with, since it was started',
  COMMENT COLUMN IF EXISTS restored 'Of those, files that got the shares they were to get',
  COMMENT COLUMN IF EXISTS failed 'Of those, files that did not',
  COMMENT COLUMN IF EXISTS shares_written 'Shares written, since it was started',
  COMMENT COLUMN IF EXISTS bytes_read 'Bytes read from peers, since it was started',
  COMMENT COLUMN IF EXISTS bytes_written 'Bytes written to peers, since it was started',
  COMMENT COLUMN IF EXISTS in_flight 'Files that are being worked on',
  COMMENT COLUMN IF EXISTS waits_for 'Why nothing is being done; empty while something is',
  COMMENT COLUMN IF EXISTS finished 'Nothing is left to do in this partition',
  COMMENT COLUMN IF EXISTS repairer 'The repairer that owns the partition';

ALTER TABLE meshward.applied_local ADD COLUMN IF NOT EXISTS owner_heard_at DateTime64(3, 'UTC') DEFAULT 0;

ALTER TABLE meshward.applied ADD COLUMN IF NOT EXISTS owner_heard_at DateTime64(3, 'UTC') DEFAULT 0;

ALTER TABLE meshward.applied_local MODIFY TTL toDateTime(owner_heard_at) + INTERVAL 90 DAY DELETE WHERE toUnixTimestamp64Milli(owner_heard_at) > 0;

ALTER TABLE meshward.applied_local
  COMMENT COLUMN IF EXISTS owner_heard_at 'Of a collector that speaks for owners: when it was heard last, UTC; 1970 for a peer';

ALTER TABLE meshward.applied
  COMMENT COLUMN IF EXISTS owner_heard_at 'Of a collector that speaks for owners: when it was heard last, UTC; 1970 for a peer';
