/** The collector as a process: the gateway on the log, and its first operator. */
import { createGateway } from '#collector/gateway/gateway.ts';
import { enrolOperator } from '#collector/gateway/tokens.ts';
import { openKeyFolder } from '#tahoe/identity/key-folder.ts';
import { privateKeyPem } from '#tahoe/identity/peer-key.ts';
import { openLog } from '../connections.ts';
import { foldersOf } from '../context.ts';
import { startOpsServer } from '../ops-server.ts';
import { failure, type RunningService, type ServiceStart } from './run-service.ts';

export async function startCollector({ context, telemetry, logger, signal }: ServiceStart): Promise<RunningService> {
  const { config, dataDir } = context;
  const folders = foldersOf(dataDir, config);
  const identity = await openKeyFolder(folders.collectorKey, { commonName: 'meshward-collector' });
  const operator = await openKeyFolder(folders.operatorKey, { commonName: 'meshward-operator' });
  const { log, topics } = await openLog(context, { role: 'collector', logger, signal });
  // Who can write to the log's folder decides who operates this mesh: the key beside it is the first operator.
  await enrolOperator(log, topics, operator.peerId, 'first operator');
  const gateway = createGateway({
    log,
    topics,
    config: config.collector,
    campaigns: config.campaigns,
    tls: { key: privateKeyPem(identity), cert: identity.certificatePem },
    logger,
  });
  const { host, port } = await gateway.listen();
  const ops = await startOpsServer(
    { telemetry, readiness: () => gateway.health(), alive: () => true },
    '127.0.0.1',
    config.collector.opsPort,
  );
  return {
    facts: { host, port, pin: gateway.pin, opsPort: ops.port },
    failed: failure().promise,
    async stop() {
      await gateway.close();
      await ops.close();
      await log.close();
    },
  };
}
