/** The rights that docs/clickhouse.md names are enough, each of them is needed, and a reader can only read. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import { connectStore, type Store } from './client.ts';
import type { EmbeddedUser } from './embedded/configuration.ts';
import { type EmbeddedClickHouse, startEmbeddedClickHouse } from './embedded/server.ts';
import { readerGrants, readerSettings, writerGrants } from './grants.ts';
import { prepareSchema } from './migrations/prepare.ts';
import * as queries from './queries.ts';
import { defaultRetention } from './retention.ts';
import * as tables from './tables.ts';
import { baseMs, file, health, indexOf } from './test-rows.ts';
import { startShards } from './testing/shards.ts';
import { createStoreWriter } from './writer.ts';

let directory: string;
let server: EmbeddedClickHouse | null;
let opened: Store[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'meshward-grants-'));
  server = null;
  opened = [];
});
afterEach(async () => {
  await Promise.all(opened.map((store) => store.close()));
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

const writer = (grants: readonly string[]): EmbeddedUser => ({ name: 'writer', password: 'w', grants });
const reader: EmbeddedUser = {
  name: 'reader',
  password: 'r',
  grants: readerGrants('meshward'),
  settings: readerSettings,
};

async function startWith(users: readonly EmbeddedUser[]): Promise<void> {
  server = await startEmbeddedClickHouse({ directory, users });
}

function connectAs({ name, password }: EmbeddedUser): Store {
  const store = connectStore({ urls: [server?.url ?? ''], username: name, password });
  opened.push(store);
  return store;
}

/** All that a service does with its database. */
async function serve(store: Store): Promise<void> {
  const retention = { ...defaultRetention, rawDays: 5 };
  const options = { topology: { kind: 'single' }, clock: systemClock, holder: 'test' } as const;
  await prepareSchema({ ...options, servers: [store] });
  await prepareSchema({ ...options, servers: [store], retention });
  const storeWriter = createStoreWriter({ store, clock: systemClock, random: Math.random });
  await storeWriter.enqueue(tables.files, [file('one')]);
  await storeWriter.enqueue(tables.fileHealth, [health('one', 'critical', 1)]);
  await storeWriter.enqueue(tables.marginHistory, [
    { at: baseMs, analyzer: 'a', policy: 'p', margin: 1, files: 1, bytes: 1 },
  ]);
  await storeWriter.close();
  expect(await queries.filesAtRisk(store)).toHaveLength(1);
}

describe('the user of the services', () => {
  test('can do all that they do with these rights', async () => {
    await startWith([writer(writerGrants('meshward'))]);
    await serve(connectAs(writer([])));
  });

  test.each(writerGrants('meshward'))('needs %s', async (needed) => {
    await startWith([writer(writerGrants('meshward').filter((grant) => grant !== needed))]);
    await expect(serve(connectAs(writer([])))).rejects.toMatchObject({
      code: 'store-refused',
      next: expect.stringContaining('docs/clickhouse.md'),
    });
  });

  test('can do it over shards with those for shards', async () => {
    const user: EmbeddedUser = { ...writer(writerGrants('meshward', 'sharded')), name: 'service' };
    const shards = await startShards(2, [user]);
    try {
      const servers = shards.urls.map((url) =>
        connectStore({ urls: [url], username: user.name, password: user.password }),
      );
      opened.push(...servers);
      const topology = { kind: 'sharded', cluster: 'mesh' } as const;
      await prepareSchema({ servers, topology, clock: systemClock, holder: 'test' });
      const storeWriter = createStoreWriter({ store: servers[0] as Store, clock: systemClock, random: Math.random });
      await storeWriter.enqueue(tables.files, [file('one'), file('two'), file('three')]);
      await storeWriter.close();
      const found = await queries.filesByIndex(servers[1] as Store, ['one', 'two', 'three'].map(indexOf));
      expect(found).toHaveLength(3);
    } finally {
      await shards.close();
    }
  });
});

describe('the user of dashboards', () => {
  test('reads every table, and can neither write, change, make nor drop anything, nor see other databases', async () => {
    await startWith([writer(['GRANT ALL ON *.*']), reader]);
    const store = connectAs(writer([]));
    await serve(store);
    await store.command('CREATE DATABASE other ENGINE = Atomic');
    await store.command('CREATE TABLE other.secret (n UInt8) ENGINE = MergeTree ORDER BY n');
    const looking = connectAs(reader);
    expect(await queries.filesAtRisk(looking)).toHaveLength(1);
    for (const { name } of tables.allTables) await looking.command(`SELECT count() FROM meshward.${name}`);
    for (const statement of [
      'INSERT INTO meshward.campaigns (id) VALUES (generateUUIDv4())',
      'ALTER TABLE meshward.files DELETE WHERE 1',
      'TRUNCATE TABLE meshward.files',
      'DROP TABLE meshward.files',
      'OPTIMIZE TABLE meshward.files',
      'CREATE TABLE meshward.mine (n UInt8) ENGINE = Memory',
      'CREATE DATABASE mine',
      'SELECT count() FROM other.secret',
      "SELECT * FROM remote('127.0.0.1:1', system.one)",
      "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'n UInt8')",
      "SELECT * FROM file('/etc/passwd', 'LineAsString', 'line String')",
      'SYSTEM SHUTDOWN',
      'SET readonly = 0',
    ]) {
      const refusal = await looking.command(statement).then(
        () => `${statement}: allowed`,
        (error: { code: string }) => error.code,
      );
      expect([statement, refusal]).toEqual([statement, 'store-refused']);
    }
  });
});

test('docs/clickhouse.md shows these rights and no others', () => {
  const document = readFileSync(fileURLToPath(new URL('../docs/clickhouse.md', import.meta.url)), 'utf8');
  const shown = [...document.matchAll(/^(GRANT .*) TO \w+;/gm)].map(([, grant]) => grant);
  const topologies = ['single', 'sharded', 'cluster'] as const;
  const grants = [...topologies.flatMap((kind) => writerGrants('meshward', kind)), ...readerGrants('meshward')];
  expect(new Set(shown)).toEqual(new Set(grants));
  for (const [name, value] of Object.entries(readerSettings)) expect(document).toContain(`${name} = ${value}`);
});
