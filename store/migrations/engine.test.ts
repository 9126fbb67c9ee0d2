import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { renderDatabase, renderEngine, renderTable, renderView, type Topology } from './engine.ts';
import { goldenSchemas, renderGolden } from './golden.ts';
import { migrations } from './list.ts';
import { checksumOf } from './migration.ts';

const single: Topology = { kind: 'single' };
const sharded: Topology = { kind: 'sharded', cluster: 'mesh' };
const cluster: Topology = { kind: 'cluster', cluster: 'mesh' };
const table = {
  name: 'files',
  columns: 'partition UInt16,\n  version UInt64',
  engine: 'ReplacingMergeTree',
  engineArguments: 'version',
  orderBy: 'partition',
  partitionBy: 'partition % 8',
  ttl: 'at + INTERVAL 1 DAY',
  settings: { ttl_only_drop_parts: 1 },
  shardBy: 'partition',
} as const;

describe('schema of one server', () => {
  test('engines stand as they are, with a window for inserts that are sent again', () => {
    expect(renderEngine(single, 'ReplacingMergeTree', 'version, gone')).toBe('ReplacingMergeTree(version, gone)');
    expect(renderTable({ database: 'm', topology: single }, table)).toEqual([
      'CREATE TABLE IF NOT EXISTS m.files (\n  partition UInt16,\n  version UInt64\n)\n' +
        'ENGINE = ReplacingMergeTree(version)\nPARTITION BY partition % 8\nORDER BY partition\nTTL at + INTERVAL 1 DAY\n' +
        'SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000',
    ]);
  });
});

describe('schema of a cluster', () => {
  test('each table is replicated on every server, and its plain name distributes over the shards', () => {
    expect(renderDatabase({ database: 'm', topology: cluster })).toBe(
      "CREATE DATABASE IF NOT EXISTS m ON CLUSTER 'mesh' ENGINE = Atomic",
    );
    expect(renderEngine(cluster, 'MergeTree')).toBe(
      "ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')",
    );
    expect(renderTable({ database: 'm', topology: cluster }, table)).toEqual([
      "CREATE TABLE IF NOT EXISTS m.files_local ON CLUSTER 'mesh' (\n  partition UInt16,\n  version UInt64\n)\n" +
        "ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', version)\n" +
        'PARTITION BY partition % 8\nORDER BY partition\nTTL at + INTERVAL 1 DAY\n' +
        'SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 2000, replicated_deduplication_window_seconds = 604800',
      "CREATE TABLE IF NOT EXISTS m.files ON CLUSTER 'mesh' AS m.files_local\nENGINE = Distributed('mesh', 'm', 'files_local', partition)",
    ]);
  });

  test('a view rolls up where a row is stored', () => {
    const view = renderView(
      { database: 'm', topology: cluster },
      { name: 'v', source: 'a', target: 'b', select: (source) => `SELECT 1 FROM ${source}` },
    );
    expect(view).toBe(
      "CREATE MATERIALIZED VIEW IF NOT EXISTS m.v ON CLUSTER 'mesh' TO m.b_local AS\nSELECT 1 FROM m.a_local",
    );
  });
});

describe('schema of shards without Keeper', () => {
  test('has plain tables on every server and Distributed ones over them, and no statement for a cluster', () => {
    const statements = renderTable({ database: 'm', topology: sharded }, table);
    expect(statements).toEqual([
      'CREATE TABLE IF NOT EXISTS m.files_local (\n  partition UInt16,\n  version UInt64\n)\n' +
        'ENGINE = ReplacingMergeTree(version)\nPARTITION BY partition % 8\nORDER BY partition\nTTL at + INTERVAL 1 DAY\n' +
        'SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 2000',
      "CREATE TABLE IF NOT EXISTS m.files AS m.files_local\nENGINE = Distributed('mesh', 'm', 'files_local', partition)",
    ]);
    for (const statement of migrations.flatMap((one) => one.render({ database: 'm', topology: sharded }))) {
      expect(statement).not.toMatch(/ON CLUSTER|Replicated/);
    }
  });
});

describe('the schema as committed text', () => {
  test.each(goldenSchemas.map((schema) => [schema.topology.kind, schema] as const))(
    '%s is what the code renders (node store/migrations/golden.ts)',
    (_kind, schema) => {
      expect(readFileSync(schema.path, 'utf8')).toBe(renderGolden(schema));
    },
  );
});

describe('the migrations', () => {
  test('are numbered without a gap and have names of their own', () => {
    expect(migrations.map((one) => one.version)).toEqual(migrations.map((_, index) => index + 1));
    expect(new Set(migrations.map((one) => one.name)).size).toBe(migrations.length);
  });

  test('may be run again, each statement of them, in every topology', () => {
    for (const topology of [single, sharded, cluster]) {
      for (const statement of migrations.flatMap((one) => one.render({ database: 'm', topology }))) {
        expect(statement).toMatch(
          /^(CREATE (TABLE|MATERIALIZED VIEW) IF NOT EXISTS|ALTER TABLE .* (IF (NOT )?EXISTS|MODIFY TTL ))/s,
        );
      }
    }
  });

  test('have the checksums of their release: a released step is never changed', () => {
    expect(migrations.map((one) => `${one.name} ${checksumOf(one).slice(0, 16)}`)).toMatchInlineSnapshot(`
      [
        "share-map 649a16d830ba3490",
        "health 62917708ac0d58da",
        "peers b967c7220afdbc2f",
        "audit c35570e5decbe94f",
        "figures 0c8f195d2cb361ae",
        "comments f832e18521d005f9",
        "campaigns d1baba0f59fff988",
        "owners-order eba3e885411a872a",
      ]
    `);
  });
});
