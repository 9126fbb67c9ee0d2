/** The services of one machine in their own processes, as `meshward up` starts them, with peers that post from another one. */
import { readFile } from 'node:fs/promises';
import { type ApiClient, createApiClient } from '#analyzer/api/client.ts';
import { type Context, foldersOf, settingsArguments } from '#cli/context.ts';
import { startMeshServices } from '#cli/mesh-services.ts';
import { createOutput } from '#cli/output.ts';
import { createCollectorClient } from '#collector/gateway/client.ts';
import { systemClock } from '#mesh/clock.ts';
import { loadConfig } from '#mesh/config/load.ts';
import { parsePeerId } from '#mesh/peer-id.ts';
import { connectStore, type Store } from '#store/client.ts';
import { uint64 } from '#store/row-binary/columns.ts';
import { openKeyFolder } from '#tahoe/identity/key-folder.ts';
import { randomSwissnum } from '#tahoe/identity/nurl.ts';
import { privateKeyPem } from '#tahoe/identity/peer-key.ts';
import { type Child, startChild } from './child.ts';
import { newIdentities, type TextIdentity } from './identities.ts';
import type { MeshLayout } from './mesh-layout.ts';
import type { MeshLoadStart } from './mesh-load-process.ts';

export interface MeshUnderLoad {
  readonly load: Child;
  readonly store: Store;
  readonly api: ApiClient;
  /** Of services and load, by name. */
  readonly pids: Readonly<Record<string, number>>;
  /** Share events that the analyzer has applied since its start. */
  appliedEvents(): Promise<number>;
  storedPlacements(): Promise<number>;
  /** Files of which the health in the store counts every share, but one that a watched file may have lost. */
  filesKnown(): Promise<number>;
  stop(): Promise<void>;
}

const heartbeatMs = 2000;

/** @param settings of the log, for one. */
export async function startMeshUnderLoad(
  dataDir: string,
  layout: MeshLayout,
  settings: Readonly<Record<string, unknown>>,
  note: (line: string) => void,
): Promise<MeshUnderLoad> {
  const context = contextOf(dataDir, {
    'collector.port': 0,
    'collector.opsPort': 0,
    'api.port': 0,
    'repairer.port': 0,
    // No file is in need of repair: its peers serve no shares, and repairs are not what is measured.
    policies: [{ name: 'bench', repairBelow: layout.k + 1, repairUpTo: layout.n, criticalBelow: layout.k }],
    'telemetry.logLevel': 'error',
    ...settings,
  });
  const services = await startMeshServices({ context, clock: systemClock, note, otherPortsWhereTaken: true });
  const load = startChild(new URL('./mesh-load-process.ts', import.meta.url));
  const { run } = services;
  const { username = '', passwordFile = '' } = services.clickhouse;
  const store = connectStore({
    urls: [run.clickhouseUrl],
    username,
    password: (await readFile(passwordFile, 'utf8')).trim(),
    database: context.config.clickhouse.database,
    partitionCount: context.config.log.shareEventsPartitions,
  });
  const stop = async (): Promise<void> => {
    await load.end();
    await store.close();
    await services.stop();
  };
  try {
    const identities = await newIdentities(layout.peers);
    await enrolAll(context, run, identities);
    const start: MeshLoadStart = {
      port: Number(new URL(run.collectorUrl).port),
      identities,
      layout,
      heartbeatMs,
    };
    await load.ask('start', start);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    load,
    store,
    api: createApiClient(run.apiUrl),
    pids: { ...services.pids(), load: load.pid },
    async appliedEvents() {
      const text = await (await fetch(new URL('/metrics', run.apiUrl))).text();
      return Number(/^meshward_analyzer_events_total(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1] ?? 0);
    },
    storedPlacements: () => countOf(store, `SELECT count() FROM ${store.qualified('placements')}`),
    filesKnown: () =>
      countOf(store, `SELECT uniqExact(storage_index) FROM ${store.qualified('file_health')} WHERE available + 1 >= n`),
    stop,
  };
}

async function countOf(store: Store, sql: string): Promise<number> {
  const [row] = await store.select({ count: uint64 }, sql);
  return row?.count ?? 0;
}

function contextOf(dataDir: string, settings: Readonly<Record<string, unknown>>): Context {
  const effective = loadConfig({ flags: { ...settings, dataDir } });
  return {
    effective,
    config: effective.config,
    dataDir,
    output: createOutput({ json: true }),
    globalArguments: ['--data-dir', dataDir, ...settingsArguments(settings)],
  };
}

async function enrolAll(
  { dataDir, config }: Context,
  { collectorUrl, collectorPin }: { readonly collectorUrl: string; readonly collectorPin: string },
  identities: readonly TextIdentity[],
): Promise<void> {
  const reached = { url: collectorUrl, pin: parsePeerId(collectorPin) };
  const key = await openKeyFolder(foldersOf(dataDir, config).operatorKey);
  const operator = createCollectorClient({ ...reached, key: privateKeyPem(key), cert: key.certificatePem });
  for (const { peerId, ...proof } of identities) {
    const { token } = await operator.createToken({});
    const peer = createCollectorClient({ ...reached, ...proof });
    const nurl = `pb://${peerId}@127.0.0.1:1/${randomSwissnum()}#v=1`;
    await peer.enrol({ token, name: peerId.slice(0, 8), domains: {}, nurl, capacityBytes: 0 });
    await peer.close();
  }
  await operator.close();
}
