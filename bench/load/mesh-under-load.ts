/** The services of one machine, with peers that post from a process of their own. */
import type { ApiClient } from '#analyzer/api/client.ts';
import { type Context, foldersOf } from '#cli/context.ts';
import { createCollectorClient } from '#collector/gateway/client.ts';
import { parsePeerId } from '#mesh/peer-id.ts';
import type { Store } from '#store/client.ts';
import { uint64 } from '#store/row-binary/columns.ts';
import { openKeyFolder } from '#tahoe/identity/key-folder.ts';
import { randomSwissnum } from '#tahoe/identity/nurl.ts';
import { privateKeyPem } from '#tahoe/identity/peer-key.ts';
import { type Child, startChild } from './child.ts';
import { newIdentities, type TextIdentity } from './identities.ts';
import { benchContext, oneRow, startMeasuredServices } from './measured-services.ts';
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
  const context = benchContext(dataDir, layout, settings);
  const services = await startMeasuredServices(context, note);
  const { run, store } = services;
  const load = startChild(new URL('./mesh-load-process.ts', import.meta.url));
  const stop = async (): Promise<void> => {
    await load.end();
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
    api: services.api,
    pids: { ...services.pids, load: load.pid },
    appliedEvents: async () => appliedEventsIn(await services.metrics()),
    storedPlacements: () => countOf(store, `SELECT count() FROM ${store.qualified('placements')}`),
    filesKnown: () =>
      countOf(store, `SELECT uniqExact(storage_index) FROM ${store.qualified('file_health')} WHERE available + 1 >= n`),
    stop,
  };
}

/** Share events that the analyzer has applied since its start. */
export function appliedEventsIn(metrics: string): number {
  return Number(/^meshward_analyzer_events_total(?:\{[^}]*\})? (\d+)/m.exec(metrics)?.[1] ?? 0);
}

async function countOf(store: Store, sql: string): Promise<number> {
  return (await oneRow(store, { count: uint64 }, sql))?.count ?? 0;
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
