/** Renders table definitions for one server or for a cluster: the same columns, keys and life times, other engines. */

export type Topology =
  /** One server, embedded or yours. */
  | { readonly kind: 'single' }
  /**
   * A cluster of the servers' `remote_servers`, with Keeper and the macros `{shard}` and `{replica}`: each table is a
   * replicated `NAME_local` on every server, and NAME distributes over the shards.
   */
  | { readonly kind: 'cluster'; readonly cluster: string };

export interface SchemaContext {
  readonly database: string;
  readonly topology: Topology;
}

export interface TableDefinition {
  readonly name: string;
  /** Columns and indexes, one a line. */
  readonly columns: string;
  readonly engine: 'MergeTree' | 'ReplacingMergeTree' | 'AggregatingMergeTree';
  readonly engineArguments?: string;
  readonly orderBy: string;
  readonly partitionBy?: string;
  readonly ttl?: string;
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Expression that chooses the shard. Versions of one key must meet on one shard. */
  readonly shardBy: string;
}

export interface ViewDefinition {
  readonly name: string;
  readonly source: string;
  readonly target: string;
  /** SELECT and GROUP BY around the given source. */
  readonly select: (source: string) => string;
}

/** How many of the newest inserts a table remembers, so that one that is sent again changes nothing. */
const deduplicationWindow = 2000;

/** The engine clause alone. */
export function renderEngine(topology: Topology, engine: TableDefinition['engine'], engineArguments = ''): string {
  if (topology.kind === 'single') return `${engine}(${engineArguments})`;
  const own = engineArguments === '' ? [] : [engineArguments];
  return `Replicated${engine}(${["'/clickhouse/tables/{uuid}/{shard}'", "'{replica}'", ...own].join(', ')})`;
}

export function renderDatabase({ database, topology }: SchemaContext): string {
  return `CREATE DATABASE IF NOT EXISTS ${database}${onCluster(topology)} ENGINE = Atomic`;
}

/** Statements that may run again without harm. */
export function renderTable(context: SchemaContext, table: TableDefinition): string[] {
  const { database, topology } = context;
  const local = localName(topology, table.name);
  const settings = { ...table.settings, ...deduplication(topology) };
  const lines = [
    `CREATE TABLE IF NOT EXISTS ${database}.${local}${onCluster(topology)} (\n${indent(table.columns)}\n)`,
    `ENGINE = ${renderEngine(topology, table.engine, table.engineArguments)}`,
    ...(table.partitionBy === undefined ? [] : [`PARTITION BY ${table.partitionBy}`]),
    `ORDER BY ${table.orderBy}`,
    ...(table.ttl === undefined ? [] : [`TTL ${table.ttl}`]),
    `SETTINGS ${Object.entries(settings)
      .map(([name, value]) => `${name} = ${value}`)
      .join(', ')}`,
  ];
  const statements = [lines.join('\n')];
  if (topology.kind === 'cluster') {
    statements.push(
      `CREATE TABLE IF NOT EXISTS ${database}.${table.name}${onCluster(topology)} AS ${database}.${local}\n` +
        `ENGINE = Distributed('${topology.cluster}', '${database}', '${local}', ${table.shardBy})`,
    );
  }
  return statements;
}

/** Views stand beside the local tables: a row is rolled up where it is stored. */
export function renderView(context: SchemaContext, view: ViewDefinition): string {
  const { database, topology } = context;
  const source = `${database}.${localName(topology, view.source)}`;
  const target = `${database}.${localName(topology, view.target)}`;
  const select = view.select(source);
  return `CREATE MATERIALIZED VIEW IF NOT EXISTS ${database}.${view.name}${onCluster(topology)} TO ${target} AS\n${select}`;
}

function localName(topology: Topology, name: string): string {
  return topology.kind === 'cluster' ? `${name}_local` : name;
}

function onCluster(topology: Topology): string {
  return topology.kind === 'cluster' ? ` ON CLUSTER '${topology.cluster}'` : '';
}

function deduplication(topology: Topology): Record<string, number> {
  return topology.kind === 'cluster'
    ? { replicated_deduplication_window: deduplicationWindow, replicated_deduplication_window_seconds: 604_800 }
    : { non_replicated_deduplication_window: deduplicationWindow };
}

function indent(text: string): string {
  return text
    .trim()
    .split('\n')
    .map((line) => `  ${line.trim()}`)
    .join('\n');
}
