/** What an analyzer is rebuilt from: placements, the last batches that they hold, and the manifests of the files. */
import { renderTable, shardByFile } from './engine.ts';
import {
  peerIdText,
  placementStateType,
  storageIndexText,
  timeCodec,
  timeType,
  tombstoneSettings,
} from './fragments.ts';
import type { Migration } from './migration.ts';

export const shareMap: Migration = {
  version: 1,
  name: 'share-map',
  render: (context) => [
    // The log's partition leads the key: an analyzer reads one range. Eight parts a table bound what one merge rewrites.
    ...renderTable(context, {
      name: 'placements',
      columns: `
        partition UInt16 CODEC(ZSTD),
        storage_index FixedString(16) CODEC(ZSTD),
        share_number UInt8 CODEC(ZSTD),
        peer_id LowCardinality(FixedString(32)) CODEC(ZSTD),
        state ${placementStateType} CODEC(ZSTD),
        generation UInt32 CODEC(ZSTD),
        incarnation UInt64 CODEC(ZSTD),
        sequence UInt64 CODEC(ZSTD),
        version UInt64 CODEC(Delta, ZSTD),
        lost UInt8 MATERIALIZED state = 'lost' CODEC(ZSTD),
        ${storageIndexText},
        ${peerIdText}`,
      engine: 'ReplacingMergeTree',
      engineArguments: 'version, lost',
      partitionBy: 'partition % 8',
      orderBy: '(partition, storage_index, share_number, peer_id)',
      settings: tombstoneSettings,
      shardBy: shardByFile,
    }),
    ...renderTable(context, {
      name: 'applied',
      columns: `
        partition UInt16,
        peer_id FixedString(32),
        incarnation UInt64,
        sequence UInt64,
        generation UInt32,
        open_generation UInt32,
        version UInt64,
        ${peerIdText}`,
      engine: 'ReplacingMergeTree',
      engineArguments: 'version',
      orderBy: '(partition, peer_id)',
      shardBy: 'partition',
    }),
    ...renderTable(context, {
      name: 'files',
      columns: `
        partition UInt16 CODEC(ZSTD),
        storage_index FixedString(16),
        ueb_hash FixedString(32),
        k UInt16 CODEC(ZSTD),
        n UInt16 CODEC(ZSTD),
        size_bytes UInt64 CODEC(ZSTD),
        origin Enum8('owner' = 1, 'derived' = 2) CODEC(ZSTD),
        tag LowCardinality(String),
        registered_at ${timeType} ${timeCodec},
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
  ],
};
