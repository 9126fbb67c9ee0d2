/** Peers: what they are now, how their state changed, and the figures of their hosts. */
import { renderTable, renderView } from './engine.ts';
import { peerIdText, peerStateType, timeCodec, timeType } from './fragments.ts';
import type { Migration } from './migration.ts';

export const peers: Migration = {
  version: 3,
  name: 'peers',
  render: (context) => [
    ...renderTable(context, {
      name: 'peers',
      columns: `
        peer_id FixedString(32),
        name String,
        state ${peerStateType},
        state_since ${timeType},
        domains Map(LowCardinality(String), String),
        capacity_bytes UInt64,
        used_bytes UInt64,
        shares UInt64,
        agent_version LowCardinality(String),
        host String,
        port UInt16,
        last_heard_at ${timeType},
        incarnation UInt64,
        flap_score Float32,
        grace_ms UInt32,
        version UInt64,
        ${peerIdText}`,
      engine: 'ReplacingMergeTree',
      engineArguments: 'version',
      orderBy: 'peer_id',
      shardBy: 'cityHash64(peer_id)',
    }),
    ...renderTable(context, {
      name: 'peer_lives',
      columns: `
        peer_id FixedString(32),
        life String CODEC(ZSTD),
        version UInt64,
        ${peerIdText}`,
      engine: 'ReplacingMergeTree',
      engineArguments: 'version',
      orderBy: 'peer_id',
      shardBy: 'cityHash64(peer_id)',
    }),
    ...renderTable(context, {
      name: 'liveness_marks',
      columns: `
        partition UInt16,
        next_offset UInt64,
        watermark_ms UInt64,
        elapsed_ms UInt64,
        version UInt64`,
      engine: 'ReplacingMergeTree',
      engineArguments: 'version',
      orderBy: 'partition',
      shardBy: 'partition',
    }),
    ...renderTable(context, {
      name: 'peer_states',
      columns: `
        at ${timeType} ${timeCodec},
        peer_id FixedString(32),
        from_state Nullable(${peerStateType}),
        to_state ${peerStateType},
        reason String CODEC(ZSTD),
        shares UInt64,
        ${peerIdText}`,
      engine: 'MergeTree',
      partitionBy: 'toYYYYMM(at)',
      orderBy: '(at, peer_id)',
      ttl: 'toDateTime(at) + INTERVAL 730 DAY',
      settings: { ttl_only_drop_parts: 1 },
      shardBy: 'cityHash64(peer_id)',
    }),
    ...renderTable(context, {
      name: 'peer_vitals',
      columns: `
        at ${timeType} ${timeCodec},
        peer_id LowCardinality(FixedString(32)),
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
        ${peerIdText}`,
      engine: 'MergeTree',
      partitionBy: 'toMonday(at)',
      orderBy: '(peer_id, at)',
      ttl: 'toDateTime(at) + INTERVAL 7 DAY',
      shardBy: 'cityHash64(peer_id)',
    }),
    ...renderTable(context, {
      name: 'peer_vitals_hour',
      columns: `
        at DateTime('UTC') CODEC(Delta, ZSTD),
        peer_id LowCardinality(FixedString(32)),
        heartbeats SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD),
        cpu_used_ratio_sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD),
        cpu_used_ratio_max SimpleAggregateFunction(max, Float32) CODEC(ZSTD),
        memory_used_bytes_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
        disk_used_bytes_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
        disk_capacity_bytes_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
        shares_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
        spooled_batches_max SimpleAggregateFunction(max, UInt64) CODEC(T64, ZSTD),
        ${peerIdText}`,
      engine: 'AggregatingMergeTree',
      partitionBy: 'toYYYYMM(at)',
      orderBy: '(peer_id, at)',
      ttl: 'at + INTERVAL 400 DAY',
      shardBy: 'cityHash64(peer_id)',
    }),
    renderView(context, {
      name: 'peer_vitals_to_hour',
      source: 'peer_vitals',
      target: 'peer_vitals_hour',
      select: (source) =>
        'SELECT toStartOfHour(toDateTime(raw.at)) AS at, raw.peer_id AS peer_id, count() AS heartbeats,\n' +
        '  sum(toFloat64(raw.cpu_used_ratio)) AS cpu_used_ratio_sum, max(raw.cpu_used_ratio) AS cpu_used_ratio_max,\n' +
        '  max(raw.memory_used_bytes) AS memory_used_bytes_max, max(raw.disk_used_bytes) AS disk_used_bytes_max,\n' +
        '  max(raw.disk_capacity_bytes) AS disk_capacity_bytes_max, max(raw.shares) AS shares_max,\n' +
        '  max(raw.spooled_batches) AS spooled_batches_max\n' +
        `FROM ${source} AS raw GROUP BY at, peer_id`,
    }),
  ],
};
