/** Brings the schema up to this program's version; several services may start at once. */
import { type Clock, sleep } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { Store } from '../client.ts';
import { text, uint32 } from '../row-binary/columns.ts';
import { renderDatabase, renderMigrationsTable, type SchemaContext, type Topology } from './engine.ts';
import { statementSettings } from './life-times.ts';
import { migrations as ownMigrations } from './list.ts';
import { SchemaLock } from './lock.ts';
import { checksumOf, type Migration } from './migration.ts';
import { describeTopology } from './topology.ts';

export interface MigrateOptions {
  readonly store: Store;
  readonly topology: Topology;
  readonly clock: Clock;
  /** Unique for each process, such as host and process id: names who holds the lock. */
  readonly holder: string;
  /** How long another service may hold the lock without moving on before it is taken over. @default 60 000 */
  readonly lockLeaseMs?: number;
  readonly signal?: AbortSignal;
  readonly log?: (message: string, details: Readonly<Record<string, unknown>>) => void;
  /** @default all that this program has */
  readonly migrations?: readonly Migration[];
}

export interface MigrateResult {
  readonly fromVersion: number;
  readonly toVersion: number;
  /** Names of the steps that this call applied; empty where another service did it or nothing was to do. */
  readonly applied: readonly string[];
}

interface AppliedMigration {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  readonly topology: string;
}

/** What the steps must be applied as. */
interface Wanted {
  readonly migrations: readonly Migration[];
  readonly topology: string;
}

/**
 * @throws MeshwardError `store-schema` where the database is newer than this program, a step differs from the one applied,
 * or the database was made for another topology.
 */
export async function migrate(options: MigrateOptions): Promise<MigrateResult> {
  const { store, topology, clock } = options;
  const migrations = options.migrations ?? ownMigrations;
  const context: SchemaContext = { database: store.database, topology };
  const wanted: Wanted = { migrations, topology: await describeTopology(store, topology) };
  const settings = statementSettings(topology);
  await store.command(renderDatabase(context), settings);
  await store.command(renderMigrationsTable(context), settings);

  const before = await readApplied(store, wanted);
  const fromVersion = before.at(-1)?.version ?? 0;
  const toVersion = migrations.at(-1)?.version ?? 0;
  if (before.length === migrations.length) return { fromVersion, toVersion, applied: [] };

  const lock = new SchemaLock(store, clock, options.holder, options.lockLeaseMs ?? 60_000);
  while (!(await lock.tryTake())) {
    await sleep(clock, 100, options.signal);
    if ((await readApplied(store, wanted)).length === migrations.length) return { fromVersion, toVersion, applied: [] };
  }
  try {
    const missing = migrations.slice((await readApplied(store, wanted)).length);
    for (const migration of missing) {
      options.signal?.throwIfAborted();
      for (const statement of migration.render(context)) {
        await lock.beat();
        await store.command(statement, settings);
      }
      await record(store, migration, wanted.topology, options);
      options.log?.('schema migrated', { version: migration.version, name: migration.name });
    }
    return { fromVersion, toVersion, applied: missing.map((migration) => migration.name) };
  } finally {
    await lock.release();
  }
}

/** What was applied, in order, checked against this program's steps. */
async function readApplied(store: Store, { migrations, topology }: Wanted): Promise<readonly AppliedMigration[]> {
  const applied = await store.select(
    { version: uint32, name: text, checksum: text, topology: text },
    `SELECT version, name, checksum, topology FROM ${store.qualified('schema_migrations')} FINAL ORDER BY version`,
  );
  for (const [index, row] of applied.entries()) {
    const own = migrations[index];
    if (row.topology !== topology) {
      throw schemaError(
        `the database was made for the topology "${row.topology}", and "${topology}" is configured`,
        'Set clickhouse.topology and clickhouse.cluster as they were; for another number of shards fill a new database (docs/clickhouse.md).',
      );
    }
    if (own === undefined) {
      throw schemaError(
        `the database is at version ${applied.at(-1)?.version} and this program knows ${migrations.length}`,
        'Run the version of this program that migrated it, or a later one; going back needs a database of its own.',
      );
    }
    if (own.version !== row.version || checksumOf(own) !== row.checksum) {
      throw schemaError(
        `step ${row.version} (${row.name}) was applied with another content than this program's (${own.version}, ${own.name})`,
        'Use a released version of this program; a step that was changed by hand must be put back, or use another database.',
      );
    }
  }
  return applied;
}

async function record(store: Store, migration: Migration, topology: string, options: MigrateOptions): Promise<void> {
  await store.command(
    `INSERT INTO ${store.qualified('schema_migrations')} SELECT {version:UInt32}, {name:String}, {checksum:String}, {topology:String}, ` +
      'fromUnixTimestamp64Milli({at:Int64}), {by:String}',
    {
      parameters: {
        version: migration.version,
        name: migration.name,
        checksum: checksumOf(migration),
        topology,
        at: Math.round(options.clock.nowMs()),
        by: options.holder,
      },
    },
  );
}

function schemaError(message: string, next: string): MeshwardError {
  return new MeshwardError('store-schema', message, { next });
}
