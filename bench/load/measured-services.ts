/** The services of one machine in their own processes, as `meshward up` starts them, for a bench to look at. */
import { readFile } from 'node:fs/promises';
import { type ApiClient, createApiClient } from '#analyzer/api/client.ts';
import { type Context, settingsArguments } from '#cli/context.ts';
import { startMeshServices } from '#cli/mesh-services.ts';
import { createOutput } from '#cli/output.ts';
import type { RunFile } from '#cli/run-file.ts';
import { systemClock } from '#mesh/clock.ts';
import { loadConfig } from '#mesh/config/load.ts';
import { connectStore, type Store } from '#store/client.ts';
import type { Columns, RowOf } from '#store/row-binary/columns.ts';
import type { MeshLayout } from './mesh-layout.ts';

export interface MeasuredServices {
  readonly run: RunFile;
  readonly store: Store;
  readonly api: ApiClient;
  /** By name, ClickHouse too. */
  readonly pids: Readonly<Record<string, number>>;
  /** Of the analyzer, as text. */
  metrics(): Promise<string>;
  stop(): Promise<void>;
}

/** The configuration of a mesh whose peers serve no shares: no file of it is ever in need of repair. */
export function benchContext(
  dataDir: string,
  layout: MeshLayout,
  settings: Readonly<Record<string, unknown>> = {},
): Context {
  const all = {
    'collector.port': 0,
    'collector.opsPort': 0,
    'api.port': 0,
    'repairer.port': 0,
    policies: [{ name: 'bench', repairBelow: layout.k + 1, repairUpTo: layout.n, criticalBelow: layout.k }],
    'telemetry.logLevel': 'error',
    ...settings,
  };
  const effective = loadConfig({ flags: { ...all, dataDir } });
  return {
    effective,
    config: effective.config,
    dataDir,
    output: createOutput({ json: true }),
    globalArguments: ['--data-dir', dataDir, ...settingsArguments(all)],
  };
}

export async function startMeasuredServices(context: Context, note: (line: string) => void): Promise<MeasuredServices> {
  const services = await startMeshServices({ context, clock: systemClock, note, otherPortsWhereTaken: true });
  const { run } = services;
  const { username = '', passwordFile = '' } = services.clickhouse;
  const store = connectStore({
    urls: [run.clickhouseUrl],
    username,
    password: (await readFile(passwordFile, 'utf8')).trim(),
    database: context.config.clickhouse.database,
    partitionCount: context.config.log.shareEventsPartitions,
  });
  return {
    run,
    store,
    api: createApiClient(run.apiUrl),
    pids: services.pids(),
    metrics: async () => (await fetch(new URL('/metrics', run.apiUrl))).text(),
    async stop() {
      await store.close();
      await services.stop();
    },
  };
}

/** The one row that a question has for an answer. */
export async function oneRow<C extends Columns>(store: Store, columns: C, sql: string): Promise<RowOf<C> | undefined> {
  const [row] = await store.select(columns, sql);
  return row;
}
