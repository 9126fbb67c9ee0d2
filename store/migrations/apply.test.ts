import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import type { Store } from '../client.ts';
import { defaultRetention, lifeTimes } from '../retention.ts';
import { text } from '../row-binary/columns.ts';
import { snakeCase } from '../row-binary/table.ts';
import { allSeries } from '../series.ts';
import { allTables } from '../tables.ts';
import { startTestStore, type TestStore } from '../test-store.ts';
import { type MigrateOptions, type MigrateResult, migrate } from './apply.ts';
import { goldenSchemas } from './golden.ts';
import { applyRetention } from './life-times.ts';
import { migrations } from './list.ts';
import type { Migration } from './migration.ts';

let testStore: TestStore;

beforeAll(async () => {
  testStore = await startTestStore();
});
afterAll(async () => {
  await testStore.close();
});

const names = migrations.map((one) => one.name);

function run(store: Store, options: Partial<MigrateOptions> = {}): Promise<MigrateResult> {
  return migrate({ store, topology: { kind: 'single' }, clock: systemClock, holder: 'test', ...options });
}

describe('migrate', () => {
  test('makes the schema from nothing, and does nothing the second time', async () => {
    const store = testStore.connect('fresh');
    expect(await run(store)).toEqual({ fromVersion: 0, toVersion: migrations.length, applied: names });
    expect(await run(store)).toEqual({ fromVersion: migrations.length, toVersion: migrations.length, applied: [] });
  });

  test('gives every table the columns and types that the program writes and reads', async () => {
    const store = await testStore.openDatabase('described');
    for (const table of allTables) {
      const described = await store.select(
        { name: text, type: text },
        'SELECT name, type FROM system.columns WHERE database = {database:String} AND table = {table:String} ORDER BY position',
        { parameters: { database: store.database, table: table.name } },
      );
      const found = new Map(described.map((column) => [column.name, column.type]));
      for (const [name, column] of Object.entries(table.columns)) {
        expect(`${table.name}.${snakeCase(name)} ${found.get(snakeCase(name))}`).toBe(
          `${table.name}.${snakeCase(name)} ${column.type}`,
        );
      }
    }
  });

  test('is done by one of two services that start at once; the other waits for it', async () => {
    const applied: string[] = [];
    const both = [testStore.connect('shared'), testStore.connect('shared')];
    const results = await Promise.all(
      both.map((store, index) =>
        run(store, {
          holder: `service-${index}`,
          log: (_message, details) => applied.push(`${index} ${String(details['name'])}`),
        }),
      ),
    );
    expect(results.flatMap((result) => result.applied).sort()).toEqual([...names].sort());
    expect(new Set(applied.map((line) => line.split(' ')[0])).size).toBe(1);
    expect(await run(both[0] as Store)).toMatchObject({ applied: [] });
  });

  test('goes on where a start was cut short, and takes over the lock of a service that died', async () => {
    const store = testStore.connect('interrupted');
    const dying: Migration = {
      ...(migrations[1] as Migration),
      render: (context) => [...(migrations[1] as Migration).render(context).slice(0, 3), 'SELECT throwIf(1)'],
    };
    await expect(run(store, { migrations: [migrations[0] as Migration, dying] })).rejects.toMatchObject({
      code: 'store-refused',
    });
    await store.command(`CREATE TABLE ${store.qualified('schema_lock')} (holder String, beat UInt64) ENGINE = Memory`);
    expect(await run(store, { lockLeaseMs: 50 })).toMatchObject({ fromVersion: 1, applied: names.slice(1) });
  });

  test('refuses a step whose content differs from the one applied', async () => {
    const store = await testStore.openDatabase('changed');
    const changed = migrations.map((one) => (one.version === 2 ? { ...one, render: () => ['SELECT 1'] } : one));
    await expect(run(store, { migrations: changed })).rejects.toMatchObject({
      code: 'store-schema',
      message: expect.stringContaining('step 2 (health)'),
    });
  });

  test('refuses a database that a newer program has migrated, and says what to do', async () => {
    const store = await testStore.openDatabase('newer');
    await expect(run(store, { migrations: migrations.slice(0, 2) })).rejects.toMatchObject({
      code: 'store-schema',
      message: expect.stringContaining(`at version ${migrations.length} and this program knows 2`),
      next: expect.stringContaining('later'),
    });
  });

  test('refuses a database that was made for another topology', async () => {
    const store = await testStore.openDatabase('elsewhere');
    await store.command(
      `INSERT INTO ${store.qualified('schema_migrations')} SELECT version, name, checksum, 'sharded mesh, shards 3', now64(3), 'x' FROM ${store.qualified('schema_migrations')}`,
    );
    await expect(run(store)).rejects.toMatchObject({
      code: 'store-schema',
      message: expect.stringContaining('"sharded mesh, shards 3"'),
    });
  });

  test.each(goldenSchemas.map((schema) => [schema.topology.kind, schema] as const))(
    'has statements for %s that the server parses, each into what it is',
    async (kind, { statements }) => {
      const store = testStore.connect('default');
      for (const statement of statements) {
        const tree = await explainTree(statement);
        expect(tree).toMatch(/^(Create|Alter)Query /);
        const [parsed] = await store.select({ formatted: text }, 'SELECT formatQuery({statement:String})', {
          parameters: { statement },
        });
        expect(parsed?.formatted.includes('ON CLUSTER mesh')).toBe(kind === 'cluster');
        if (/ENGINE = (Replicated)?\w*MergeTree/.test(statement)) {
          expect(tree.includes('Function Replicated')).toBe(kind === 'cluster');
        }
      }
    },
  );

  test('makes tables that live as long as is configured, and changes only those that differ', async () => {
    const store = await testStore.openDatabase('kept');
    const topology = { kind: 'single' } as const;
    expect(await applyRetention(store, topology, defaultRetention)).toEqual([]);
    const longer = { ...defaultRetention, minuteDays: 30, auditDays: 30 };
    const changed = allSeries.map((series) => `${series.name}_minute`);
    expect(await applyRetention(store, topology, longer)).toEqual([
      ...changed,
      'repairs',
      'proofs',
      'campaign_files',
      'campaign_progress',
    ]);
    expect(await applyRetention(store, topology, longer)).toEqual([]);
    const [table] = await store.select(
      { ttl: text },
      "SELECT engine_full FROM system.tables WHERE database = 'kept' AND name = 'margin_history_minute'",
    );
    expect(table?.ttl).toContain('TTL at + toIntervalDay(30)');
  });

  test('every column says what it holds', async () => {
    const store = await testStore.openDatabase('told');
    const silent = await store.select(
      { name: text },
      "SELECT concat(table, '.', name) AS name FROM system.columns WHERE database = 'told' AND comment = '' " +
        "AND table != 'schema_migrations' AND table NOT LIKE '%_to_%'",
    );
    expect(silent.map(({ name }) => name)).toEqual([]);
  });

  test('every table with an end for all its rows has it from the retention', async () => {
    const store = await testStore.openDatabase('ends');
    const found = await store.select(
      { name: text },
      "SELECT name FROM system.tables WHERE database = 'ends' AND engine_full LIKE '%TTL%' AND engine_full NOT LIKE '%TTL % WHERE %'",
    );
    const names = allSeries.map((series) => series.name);
    expect(found.map(({ name }) => name).sort()).toEqual(
      lifeTimes(defaultRetention, names)
        .map(({ table }) => table)
        .sort(),
    );
  });
});

/** Asked without FORMAT, which would be taken for a part of the explained statement. */
async function explainTree(statement: string): Promise<string> {
  const { url, username, password } = testStore.server;
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const headers = { authorization, connection: 'close', 'X-ClickHouse-Format': 'TSVRaw' };
  const response = await fetch(url, { method: 'POST', headers, body: `EXPLAIN AST ${statement}` });
  return await response.text();
}
