/** The agent as a process beside one storage peer. */
import { join } from 'node:path';
import { metrics } from '@opentelemetry/api';
import { openHttpAccess } from '#access/http-access.ts';
import { createAgent } from '#collector/agent/agent.ts';
import { collectorPort } from '#collector/agent/collector-port.ts';
import { enrolAgent } from '#collector/agent/enrol.ts';
import { agentFolders } from '#collector/agent/folders.ts';
import { openKeptPins } from '#collector/agent/kept-pins.ts';
import { requireStorageFolder } from '#collector/agent/prepare-root.ts';
import { wasEnrolled } from '#collector/agent/state.ts';
import { createCollectorClient } from '#collector/gateway/client.ts';
import { systemClock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import { readSecretFile } from '#tahoe/identity/key-file.ts';
import { openKeyFolder } from '#tahoe/identity/key-folder.ts';
import { privateKeyPem } from '#tahoe/identity/peer-key.ts';
import { parseDomains } from '../failure-domain.ts';
import { keptPort } from '../kept-port.ts';
import { startOpsServer } from '../ops-server.ts';
import { parsePins } from '../pin.ts';
import { inOptions } from '../schema-words.ts';
import { softwareVersion } from '../version.ts';
import { failure, type RunningService, type ServiceStart } from './run-service.ts';

export interface AgentEnrolment {
  readonly token: string | null;
  /** Read where no token is given, and only while the agent is not enrolled. */
  readonly tokenFile: string | null;
  /** Such as `zone=alder`. */
  readonly domains: readonly string[];
}

export async function startAgent(
  { context, telemetry, logger, signal }: ServiceStart,
  enrolment: AgentEnrolment,
): Promise<RunningService> {
  const config = context.config.agent;
  const folders = agentFolders(config);
  // Before a key is made in it.
  if (folders.key.startsWith(folders.storage)) await requireStorageFolder(folders);
  const identity = await openKeyFolder(folders.key, { commonName: 'meshward-peer' });
  if (config.collectorPin === '') {
    throw new MeshwardError(
      'config-invalid',
      "agent.collectorPin is empty: the agent cannot know its collector's key",
      {
        next: 'Set it to the pin that `meshward token` prints together with a token.',
      },
    );
  }
  const client = createCollectorClient({
    url: config.collectorUrl,
    pin: await openKeptPins(
      folders.state,
      parsePins(config.collectorPin, 'the pin (--pin, agent.collectorPin)'),
      logger,
    ),
    key: privateKeyPem(identity),
    cert: identity.certificatePem,
  });
  const token = enrolment.token ?? (await tokenInFile(enrolment.tokenFile, folders.state, logger));
  if (token !== null) {
    const domains = parseDomains(enrolment.domains);
    const enrolled = await enrolAgent({
      config,
      identity,
      collector: client,
      token,
      domains,
      clock: systemClock,
      log: logger,
    }).catch((error: unknown) => {
      throw inOptions(error);
    });
    logger.info({ peer: identity.peerId, name: enrolled.name, domains: enrolled.domains }, 'enrolled');
  }
  const agent = createAgent({
    config,
    identity,
    collector: collectorPort(client),
    clock: systemClock,
    random: Math.random,
    log: logger,
    version: softwareVersion,
  });
  await agent.start();
  const ops = await startOpsServer(
    { telemetry, alive: () => true, readiness: () => ({ ready: true, reasons: [] }), ending: signal },
    config.opsHost,
    await keptPort(join(folders.state, 'ops-port'), config.opsPort),
    openHttpAccess({
      config: context.config.access,
      place: { host: config.opsHost, tlsCertFile: '', tlsKeyFile: '' },
      clock: systemClock,
      logger,
      meter: metrics.getMeter('meshward.access'),
    }),
  );
  return {
    facts: { peer: identity.peerId, opsPort: ops.port },
    failed: failure().promise,
    async stop() {
      await agent.stop();
      await client.close();
      await ops.close();
    },
  };
}

/** A file that stays mounted does no harm: a token is good once, and an agent that is enrolled needs none. */
async function tokenInFile(path: string | null, stateFolder: string, logger: Logger): Promise<string | null> {
  if (path === null || (await wasEnrolled(stateFolder, logger))) return null;
  return (await readSecretFile(path, '--token-file')).toString('utf8').trim();
}
