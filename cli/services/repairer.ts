/** The repairer as a process: repairs on the log, and its own state for the page and for metrics. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { metrics, trace } from '@opentelemetry/api';
import { openHttpAccess } from '#access/http-access.ts';
import { instanceName } from '#analyzer/instance-name.ts';
import { systemClock } from '#mesh/clock.ts';
import { describeError } from '#mesh/errors.ts';
import { consumerGroups } from '#mesh/topics.ts';
import { BusyPeers } from '#peers/busy-peers.ts';
import { livenessRules, maxTickStepMs } from '#peers/liveness/rules.ts';
import { storedLiveness } from '#peers/liveness/stored-lives.ts';
import { openMeshAccess } from '#peers/mesh-access.ts';
import { followPeers } from '#peers/peer-states.ts';
import { createPeerView, peerFactsOf } from '#peers/peer-view.ts';
import { createRepairerApi, type RunningRepairer } from '#repairer/api.ts';
import { drainStoreOn } from '#repairer/drain/leaving-files.ts';
import { sampleStoreOn } from '#repairer/probes/samples.ts';
import type { RepairerState } from '#repairer/repairer-state.ts';
import { createRepairer } from '#repairer/service.ts';
import { livenessMarksOf, peerLivesOf } from '#store/queries/peers.ts';
import { createStorageClient } from '#tahoe/gbs/client.ts';
import { beginOpeningLog, beginOpeningStore, type OpeningStore, type OpenLog } from '../connections.ts';
import { addOpsRoutes, type Readiness } from '../ops-server.ts';
import { openLeaseSecret } from '../service-keys.ts';
import { startCampaigns } from './campaigns.ts';
import { failure, type RunningService, type ServiceStart } from './run-service.ts';

const peersEveryMs = 1000;

export async function startRepairer(start: ServiceStart): Promise<RunningService> {
  const { context, telemetry, logger, signal } = start;
  const { config } = context;
  const access = openHttpAccess({
    config: config.access,
    place: config.repairer,
    clock: systemClock,
    logger,
    meter: metrics.getMeter('meshward.access'),
  });
  const opening = await beginOpeningLog(context, { role: 'repairer', logger, signal });
  const database = await beginOpeningStore(context, logger, signal);
  const instance = instanceName(hostname(), config.repairer.port, process.pid);
  telemetry.keepFigures({ writer: database.writer, instance }, database.prepared);
  let repairs: Repairs | null = null;
  const app = await createRepairerApi({ running: () => repairs, instance, access });
  addOpsRoutes(app, {
    telemetry,
    alive: () => true,
    readiness: () => readinessNow(repairs, { log: opening.log.trouble, database: database.trouble() }),
    ending: signal,
  });
  const failed = failure();
  const started = beginRepairs(start, opening, database, failed.fail).then((begun) => {
    repairs = begun;
    return begun;
  });
  started.catch((error: unknown) => {
    if (!signal.aborted) failed.fail(error);
  });
  const heard = await app.listen({ host: config.repairer.host, port: config.repairer.port });
  const url = heard.replace(/^https?:/, `${access.scheme}:`);
  // While the log has no room or the database is away, its probes say so.
  await Promise.race([started, opening.log.away, database.away]);
  return {
    facts: { url, port: Number(new URL(url).port) },
    failed: failed.promise,
    async stop() {
      await app.close();
      access.close();
      await started.then(
        (begun) => begun.stop(),
        () => undefined,
      );
      await database.close();
      await opening.log.close();
    },
  };
}

function readinessNow(
  repairs: Repairs | null,
  troubles: { readonly log: unknown; readonly database: unknown },
): Readiness {
  const reasons = Object.entries(troubles)
    .filter(([, trouble]) => trouble !== null)
    .map(([what, trouble]) => `the ${what} cannot be opened: ${describeError(trouble)}`);
  if (reasons.length > 0) return { ready: false, reasons };
  if (repairs === null) return { ready: false, reasons: ['the peers are not read yet'] };
  return readinessOf(repairs.repairer.state());
}

interface Repairs extends RunningRepairer {
  stop(): Promise<void>;
}

async function beginRepairs(
  { context, logger }: ServiceStart,
  { log, topics }: OpenLog,
  { store, writer, prepared }: OpeningStore,
  fail: (error: unknown) => void,
): Promise<Repairs> {
  const { config } = context;
  await prepared;
  const storageClient = createStorageClient();
  const onUnusable = (reason: string): void => logger.warn({}, reason);
  const marks = await livenessMarksOf(store);
  const followed = await followPeers({
    log,
    topics: { enrolments: topics.enrolments.name, peerEvents: topics.peerEvents.name },
    rules: livenessRules(config),
    maxTickStepMs: maxTickStepMs(config),
    // The marks are read first: lives that are ahead of them are known to be, by the offset that each has heard.
    stored: storedLiveness(marks, await peerLivesOf(store)),
    clock: systemClock,
    onUnusable,
  });
  const busy = new BusyPeers({
    cpuUsedRatio: config.repairer.busyCpuRatio,
    diskWaitRatio: config.repairer.busyDiskRatio,
    networkBytesPerSecond: config.repairer.busyNetworkBytesPerSecond,
  });
  const peerView = createPeerView(
    {
      facts() {
        const facts = followed.facts();
        return peerFactsOf(facts, systemClock.nowMs(), busy.look(facts, systemClock.monotonicMs()));
      },
      ageMs: () => followed.ageMs(),
    },
    config.analyzer.staleAfterMs,
  );
  const mesh = await openMeshAccess({
    log,
    topics: {
      enrolments: topics.enrolments.name,
      shareEvents: topics.shareEvents.name,
      peerEvents: topics.peerEvents.name,
    },
    storageClient,
    peerView,
    clock: systemClock,
    rates: { bytesPerSecond: config.repairer.bytesPerSecond },
    onUnusable,
  });
  await mesh.directory.ready;
  const meter = metrics.getMeter('meshward.repairer');
  const campaigns = await startCampaigns({ log, topics, store, writer, config, mesh, meter, logger });
  const repairer = await createRepairer({
    list: { log, topic: topics.atRisk.name, group: consumerGroups(config.log.topicPrefix).repairers },
    config: config.repairer,
    policies: config.policies,
    mesh,
    store: { writer, drains: drainStoreOn(store), samples: sampleStoreOn(store) },
    runtime: {
      clock: systemClock,
      random: Math.random,
      randomBytes: (count) => new Uint8Array(randomBytes(count)),
      leaseSecret: await openLeaseSecret(context, 'repairer'),
    },
    telemetry: {
      meter,
      tracer: trace.getTracer('meshward.repairer'),
      logger,
    },
    tuning: { peersEveryMs },
    orders: campaigns.orders,
  });
  metrics
    .getMeter('meshward.repairer')
    .createObservableGauge('meshward_repairer_budget_bytes_per_second', {
      description: 'Most bytes a second that repairs here may read and write. 0 is unlimited.',
    })
    .addCallback((result) => result.observe(config.repairer.bytesPerSecond));
  repairer.ended.catch(fail);
  mesh.directory.ended.catch(fail);
  followed.ended.catch(fail);
  return {
    repairer,
    budget: mesh.budget,
    async stop() {
      await repairer.stop();
      await campaigns.stop();
      await mesh.close();
      await followed.close();
      await storageClient.close();
    },
  };
}

/** A repairer does its work when it knows what is at risk and how the peers are. */
export function readinessOf({
  ready,
  stopping,
  peers,
}: Pick<RepairerState, 'ready' | 'stopping' | 'peers'>): Readiness {
  const reasons = [
    ...(ready ? [] : ['the at-risk list is not read yet']),
    ...(stopping ? ['the repairer is stopping'] : []),
    ...(peers.isFresh ? [] : ['the states of peers are not known: bulk repair holds']),
  ];
  return { ready: reasons.length === 0, reasons };
}
