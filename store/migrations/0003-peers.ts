/** Peers: what they are now, how their state changed, and the figures of their hosts. */
import { vitalsSeries } from '../series.ts';
import { renderTable } from './engine.ts';
import { peerIdText, peerStateType, timeCodec, timeType } from './fragments.ts';
import type { Migration } from './migration.ts';
import { renderSeries } from './series.ts';

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
    ...renderSeries(context, vitalsSeries),
  ],
};
