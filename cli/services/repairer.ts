/** The repairer as a process: repairs on the log, and its own state for the page and for metrics. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { metrics, trace } from '@opentelemetry/api';
import { instanceName } from '#analyzer/instance-name.ts';
import { systemClock } from '#mesh/clock.ts';
import { consumerGroups } from '#mesh/topics.ts';
import { openMeshAccess } from '#peers/mesh-access.ts';
import { createPeerView } from '#peers/peer-view.ts';
import { createRepairerApi } from '#repairer/api.ts';
import { createRepairer } from '#repairer/service.ts';
import { createStorageClient } from '#tahoe/gbs/client.ts';
import { openLog, openStore } from '../connections.ts';
import { foldersOf } from '../context.ts';
import { addOpsRoutes } from '../ops-server.ts';
import { openSecret } from '../secret-file.ts';
import { fetchPeerFacts } from './mesh-access.ts';
import { failure, type RunningService, type ServiceStart } from './run-service.ts';

const peersRefreshMs = 1000;

export async function startRepairer({ context, telemetry, logger, signal }: ServiceStart): Promise<RunningService> {
  const { config, dataDir } = context;
  const { log, topics } = await openLog(context, { role: 'repairer', logger, signal });
  const { writer, close } = await openStore(context, logger, signal);
  telemetry.keepFigures({ writer, instance: instanceName(hostname(), config.repairer.port, process.pid) });
  const storageClient = createStorageClient();
  const peerView = createPeerView({
    fetchPeers: () => fetchPeerFacts(config.repairer.apiUrl),
    clock: systemClock,
    refreshMs: peersRefreshMs,
  });
  const mesh = await openMeshAccess({
    log,
    enrolmentsTopic: topics.enrolments.name,
    storageClient,
    peerView,
    clock: systemClock,
    bytesPerSecond: config.repairer.bytesPerSecond,
    onUnusable: (reason) => logger.warn({}, reason),
  });
  await mesh.directory.ready;
  const repairer = await createRepairer({
    log,
    atRiskTopic: topics.atRisk.name,
    group: consumerGroups(config.log.topicPrefix).repairers,
    config: config.repairer,
    policies: config.policies,
    mesh,
    writer,
    clock: systemClock,
    random: Math.random,
    randomBytes: (count) => new Uint8Array(randomBytes(count)),
    leaseSecret: await openSecret(foldersOf(dataDir, config).repairer, 'lease-secret'),
    meter: metrics.getMeter('meshward.repairer'),
    tracer: trace.getTracer('meshward.repairer'),
    logger,
    peersEveryMs: peersRefreshMs,
  });
  metrics
    .getMeter('meshward.repairer')
    .createObservableGauge('meshward_repairer_budget_bytes_per_second', {
      description: 'Most bytes a second that repairs here may read and write. 0 is unlimited.',
    })
    .addCallback((result) => result.observe(config.repairer.bytesPerSecond));
  const failed = failure();
  repairer.ended.catch(failed.fail);
  mesh.directory.ended.catch(failed.fail);

  const app = createRepairerApi(repairer);
  addOpsRoutes(app, {
    telemetry,
    alive: () => true,
    readiness: () => {
      const { ready } = repairer.state();
      return { ready, reasons: ready ? [] : ['the at-risk list or the peers are not read yet'] };
    },
  });
  const url = await app.listen({ host: config.repairer.host, port: config.repairer.port });
  return {
    facts: { url, port: Number(new URL(url).port) },
    failed: failed.promise,
    async stop() {
      await app.close();
      await repairer.stop();
      await mesh.close();
      await storageClient.close();
      await close();
      await log.close();
    },
  };
}
