/** The rights that users of the database need, and no more; docs/clickhouse.md shows them. Statements without TO. */
import type { Topology } from './migrations/engine.ts';

/** The user of Meshward's own services: it makes and migrates the schema, writes and reads. */
export function writerGrants(database: string, topology: Topology['kind'] = 'single'): readonly string[] {
  return [
    `GRANT CREATE DATABASE, CREATE TABLE, CREATE VIEW ON ${database}.*`,
    `GRANT SELECT, INSERT ON ${database}.*`,
    `GRANT ALTER TABLE ON ${database}.*`,
    // One of several services that start at once migrates: a table of this name is their lock.
    `GRANT DROP TABLE ON ${database}.schema_lock`,
    ...enginesOf(topology).map((engine) => `GRANT TABLE ENGINE ON ${engine}`),
    ...(topology === 'single' ? [] : ['GRANT READ, WRITE ON REMOTE', 'GRANT SELECT ON system.clusters']),
    ...(topology === 'cluster' ? ['GRANT SELECT ON system.macros', 'GRANT CLUSTER ON *.*'] : []),
  ];
}

function enginesOf(topology: Topology['kind']): readonly string[] {
  const local = ['MergeTree', 'ReplacingMergeTree', 'AggregatingMergeTree'];
  switch (topology) {
    case 'single':
      return ['Atomic', 'Memory', ...local];
    case 'sharded':
      return ['Atomic', 'Memory', ...local, 'Distributed'];
    case 'cluster':
      return ['Atomic', 'Memory', ...local.map((engine) => `Replicated${engine}`), 'Distributed'];
  }
}

/** A user for dashboards and people who look. */
export function readerGrants(database: string): readonly string[] {
  return [`GRANT SELECT ON ${database}.*`];
}

/** What keeps a dashboard from taking the server for itself; 2 lets Grafana set its own settings and nothing be written. */
export const readerSettings = { readonly: 2, max_execution_time: 30, max_memory_usage: 2_000_000_000 } as const;
