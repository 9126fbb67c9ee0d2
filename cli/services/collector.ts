/** The collector as a process: the gateway on the log, and its first operators. */
import { metrics } from '@opentelemetry/api';
import { apiSender } from '#access/api-sender.ts';
import { openHttpAccess } from '#access/http-access.ts';
import { askAnalyzers } from '#collector/gateway/analyzers.ts';
import { createGateway } from '#collector/gateway/gateway.ts';
import { enrolOperator } from '#collector/gateway/tokens.ts';
import { type Backoff, backoffMs } from '#mesh/backoff.ts';
import { sleep, systemClock } from '#mesh/clock.ts';
import { describeError, isRetryable } from '#mesh/errors.ts';
import { privateKeyPem } from '#tahoe/identity/peer-key.ts';
import { beginOpeningLog } from '../connections.ts';
import { type Readiness, startOpsServer } from '../ops-server.ts';
import { firstOperators, openCollectorKey } from '../service-keys.ts';
import { failure, type RunningService, type ServiceStart } from './run-service.ts';

export async function startCollector({ context, telemetry, logger, signal }: ServiceStart): Promise<RunningService> {
  const { config } = context;
  const { identity, otherPins } = await openCollectorKey(context);
  const operators = await firstOperators(context);
  const { log, topics } = await beginOpeningLog(context, { role: 'collector', logger, signal });
  const gateway = createGateway({
    log,
    topics,
    config: config.collector,
    campaigns: config.campaigns,
    askFiles: askAnalyzers({
      urls: config.collector.apiUrls,
      send: apiSender(config.access),
      clock: systemClock,
      random: Math.random,
      logger,
    }),
    tls: { key: privateKeyPem(identity), cert: identity.certificatePem },
    otherPins,
    logger,
  });
  const access = openHttpAccess({
    config: config.access,
    place: { host: config.collector.opsHost, tlsCertFile: '', tlsKeyFile: '' },
    clock: systemClock,
    logger,
    meter: metrics.getMeter('meshward.access'),
  });
  const failed = failure();
  const refused = Promise.withResolvers<void>();
  const started = (async () => {
    const address = await gateway.listen();
    const enrol = async (): Promise<void> => {
      for (const { id, name } of operators) await enrolOperator(log, topics, id, name);
    };
    await whileLogIsFull(enrol, signal, (error) => {
      logger.warn({ error: describeError(error) }, 'the log takes no operator yet; it is tried again');
      refused.resolve();
    });
    return address;
  })();
  started.catch((error: unknown) => {
    if (!signal.aborted) failed.fail(error);
  });
  const ops = await startOpsServer(
    {
      telemetry,
      readiness: () => readinessOf(gateway.health(), log.trouble),
      alive: () => true,
      ending: signal,
    },
    config.collector.opsHost,
    config.collector.opsPort,
    access,
  );
  // While the log has no room, the probes say so; agents try again by themselves.
  const address = await Promise.race([started, log.away, refused.promise]);
  const { host, port } = address ?? config.collector;
  return {
    facts: { host, port, pin: gateway.pin, opsPort: ops.port },
    failed: failed.promise,
    async stop() {
      await gateway.close();
      await ops.close();
      await log.close();
      await started.catch(() => undefined);
    },
  };
}

const retries: Backoff = { firstMs: 500, longestMs: 10_000 };

async function whileLogIsFull(
  run: () => Promise<void>,
  signal: AbortSignal,
  onRefused: (error: unknown) => void,
): Promise<void> {
  for (let failures = 0; ; failures++) {
    try {
      await run();
      return;
    } catch (error) {
      if (!isRetryable(error)) throw error;
      onRefused(error);
      await sleep(systemClock, backoffMs(retries, failures), signal);
    }
  }
}

function readinessOf({ ready, reasons }: Readiness, trouble: unknown): Readiness {
  if (trouble === null) return { ready, reasons };
  return { ready: false, reasons: [`the log cannot be opened: ${describeError(trouble)}`, ...reasons] };
}
