/** Renders table definitions for one server, for shards or for a cluster: the same columns, keys and life times, other engines. */

export type Topology =
  /** One server, embedded or yours. */
  | { readonly kind: 'single' }
  /**
   * Several servers with one copy of each row: each table is a `NAME_local` on every server, and NAME distributes over the
   * shards of `remote_servers`. There is no Keeper, so statements go to each server by itself.
   */
  | { readonly kind: 'sharded'; readonly cluster: string }
  /**
   * A cluster of the servers' `remote_servers`, with Keeper and the macros `{shard}` and `{replica}`: the same, with a
   * replicated `NAME_local`. Statements go to one server and reach the others ON CLUSTER.
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

/** Rows of one file lie on one shard: its placements, manifest, health, repairs and proofs. */
export const shardByFile = 'cityHash64(storage_index)';

/** How many of the newest inserts a table remembers, so that one that is sent again changes nothing. */
const deduplicationWindow = 2000;

/** The engine clause alone. The path names the table and not its UUID, so that a replica that is added later joins the others. */
export function renderEngine(topology: Topology, engine: TableDefinition['engine'], engineArguments = ''): string {
  if (topology.kind !== 'cluster') return `${engine}(${engineArguments})`;
  const own = engineArguments === '' ? [] : [engineArguments];
  return `Replicated${engine}(${["'/clickhouse/tables/{shard}/{database}/{table}'", "'{replica}'", ...own].join(', ')})`;
}

export function renderDatabase({ database, topology }: SchemaContext): string {
  return `CREATE DATABASE IF NOT EXISTS ${database}${onCluster(topology)} ENGINE = Atomic`;
}

/**
 * Where applied steps are recorded. Shards without Keeper each record their own; in a cluster it is one table with a
 * replica on every server of every shard, so that whichever server is asked knows.
 */
export function renderMigrationsTable({ database, topology }: SchemaContext): string {
  const engine =
    topology.kind === 'cluster'
      ? "ReplicatedReplacingMergeTree('/clickhouse/tables/all/{database}/{table}', '{shard}-{replica}', applied_at)"
      : 'ReplacingMergeTree(applied_at)';
  return (
    `CREATE TABLE IF NOT EXISTS ${database}.schema_migrations${onCluster(topology)} (\n` +
    '  version UInt32, name String, checksum String, topology String,\n' +
    "  applied_at DateTime64(3, 'UTC'), applied_by String\n" +
    `)\nENGINE = ${engine}\nORDER BY version`
  );
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
  if (topology.kind !== 'single') {
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

/** How long rows of a table are kept: only metadata changes, and parts that are wholly too old are dropped. */
export function renderLifeTime({ database, topology }: SchemaContext, table: string, ttl: string): string {
  return `ALTER TABLE ${database}.${localName(topology, table)}${onCluster(topology)} MODIFY TTL ${ttl}`;
}

/** One more column, with a default for the rows that are there: only metadata changes. */
export function renderNewColumn(
  { database, topology }: SchemaContext,
  table: string,
  column: string,
  definition: string,
): string[] {
  const names = topology.kind === 'single' ? [table] : [localName(topology, table), table];
  return names.map(
    (name) => `ALTER TABLE ${database}.${name}${onCluster(topology)} ADD COLUMN IF NOT EXISTS ${column} ${definition}`,
  );
}

/** Another type for a column of choices that holds all that the old one had: only metadata changes. */
export function renderChoice(
  { database, topology }: SchemaContext,
  table: string,
  column: string,
  type: string,
): string[] {
  const alter = (name: string, codec: string): string =>
    `ALTER TABLE ${database}.${name}${onCluster(topology)} MODIFY COLUMN IF EXISTS ${column} ${type}${codec}`;
  if (topology.kind === 'single') return [alter(table, ' CODEC(ZSTD)')];
  return [alter(localName(topology, table), ' CODEC(ZSTD)'), alter(table, '')];
}

/** What columns hold, kept with the table: only metadata changes. */
export function renderComments(
  { database, topology }: SchemaContext,
  table: string,
  comments: readonly (readonly [column: string, comment: string])[],
): string[] {
  const parts = comments.map(
    ([column, comment]) => `COMMENT COLUMN IF EXISTS ${column} '${comment.replaceAll(/['\\]/g, '\\$&')}'`,
  );
  // People look at the table that distributes as well as at the one that holds the rows.
  const names = topology.kind === 'single' ? [table] : [localName(topology, table), table];
  return names.map((name) => `ALTER TABLE ${database}.${name}${onCluster(topology)}\n  ${parts.join(',\n  ')}`);
}

/** The name of the table that holds the rows: of a Distributed table, the one on each server. */
export function localName(topology: Topology, name: string): string {
  return topology.kind === 'single' ? name : `${name}_local`;
}

function onCluster(topology: Topology): string {
  return topology.kind === 'cluster' ? ` ON CLUSTER '${topology.cluster}'` : '';
}

/** Seven days for a replica that was away: by then a batch has long been given up or taken. */
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
