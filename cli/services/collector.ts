/** The collector as a process: the gateway on the log, and its first operators. */
import { createGateway } from '#collector/gateway/gateway.ts';
import { enrolOperator } from '#collector/gateway/tokens.ts';
import { privateKeyPem } from '#tahoe/identity/peer-key.ts';
import { openLog } from '../connections.ts';
import { startOpsServer } from '../ops-server.ts';
import { firstOperators, openCollectorKey } from '../service-keys.ts';
import { failure, type RunningService, type ServiceStart } from './run-service.ts';

export async function startCollector({ context, telemetry, logger, signal }: ServiceStart): Promise<RunningService> {
  const { config } = context;
  const { identity, otherPins } = await openCollectorKey(context);
  const operators = await firstOperators(context);
  const { log, topics } = await openLog(context, { role: 'collector', logger, signal });
  for (const { id, name } of operators) await enrolOperator(log, topics, id, name);
  const gateway = createGateway({
    log,
    topics,
    config: config.collector,
    campaigns: config.campaigns,
    tls: { key: privateKeyPem(identity), cert: identity.certificatePem },
    otherPins,
    logger,
  });
  const { host, port } = await gateway.listen();
  const ops = await startOpsServer(
    { telemetry, readiness: () => gateway.health(), alive: () => true, ending: signal },
    config.collector.opsHost,
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
