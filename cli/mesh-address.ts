/** Where the services are that a command talks to: flags first, then what runs on this machine, then the configuration. */

import type { Command } from 'commander';
import { apiSender } from '#access/api-sender.ts';
import { type ApiClient, createApiClient } from '#analyzer/api/client.ts';
import type { CollectorClient } from '#collector/gateway/client.ts';
import type { CollectorPins } from '#collector/gateway/collector-pins.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { type PeerId, parsePeerId } from '#mesh/peer-id.ts';
import { type Context, foldersOf } from './context.ts';
import { parsePin } from './pin.ts';
import { findRunFile, readRunFile } from './run-file.ts';
import { inOptions } from './schema-words.ts';

export interface ApiFlags {
  readonly api?: string;
}

export interface CollectorFlags {
  readonly collector?: string;
  readonly pin?: string;
}

export function addApiOption(command: Command): Command {
  return command.option(
    '--api <url>',
    'HTTP API of an analyzer; by default the one that runs with this data directory',
  );
}

export function addCollectorOptions(command: Command): Command {
  return command
    .option('--collector <url>', 'the collector; by default the one that runs with this data directory')
    .option('--pin <pin>', "the collector's pin; needed with --collector");
}

/** @throws MeshwardError `service-unavailable` where nothing says where the API is. */
export async function findApi(context: Context, flags: ApiFlags, timeoutMs?: number): Promise<ApiClient> {
  return createApiClient(await findApiUrl(context, flags), timeoutMs, apiSender(context.config.access));
}

async function findApiUrl(context: Context, flags: ApiFlags): Promise<string> {
  if (flags.api !== undefined) return checkUrl(flags.api, ['http:', 'https:'], '--api');
  const run = await findRunFile(foldersOf(context.dataDir, context.config).runFile);
  if (run !== null) return run.apiUrl;
  if (context.effective.origins.get('repairer.apiUrl') !== 'default') return context.config.repairer.apiUrl;
  return (await readRunFile(foldersOf(context.dataDir, context.config).runFile)).apiUrl;
}

export interface CollectorAddress {
  readonly url: string;
  readonly pin: PeerId | CollectorPins;
}

export async function findCollector(context: Context, flags: CollectorFlags): Promise<CollectorAddress> {
  const { config, effective, dataDir } = context;
  if (flags.collector !== undefined || flags.pin !== undefined) {
    const pin = flags.pin ?? config.agent.collectorPin;
    if (pin === '') {
      throw new MeshwardError('bad-input', '--collector needs --pin: the key by which the collector is known', {
        next: "Give the pin that the collector's `meshward up` or `meshward token` prints.",
      });
    }
    return {
      url: checkUrl(flags.collector ?? config.agent.collectorUrl, ['https:'], '--collector'),
      pin: parsePin(pin, flags.pin === undefined ? 'agent.collectorPin' : '--pin'),
    };
  }
  const run = await findRunFile(foldersOf(dataDir, config).runFile);
  if (run === null && effective.origins.get('agent.collectorPin') !== 'default' && config.agent.collectorPin !== '') {
    return { url: config.agent.collectorUrl, pin: parsePin(config.agent.collectorPin, 'agent.collectorPin') };
  }
  const { collectorUrl, collectorPin } = run ?? (await readRunFile(foldersOf(dataDir, config).runFile));
  return { url: collectorUrl, pin: parsePeerId(collectorPin) };
}

/** Runs with the collector as the operator of this data directory sees it. */
export async function withCollector<T>(
  context: Context,
  flags: CollectorFlags,
  run: (collector: CollectorClient, address: CollectorAddress) => Promise<T>,
): Promise<T> {
  const address = await findCollector(context, flags);
  // Loaded when needed: a command must start quickly, and most need only some of all this.
  const { createCollectorClient } = await import('#collector/gateway/client.ts');
  const { openOperatorKey } = await import('./service-keys.ts');
  const { privateKeyPem } = await import('#tahoe/identity/peer-key.ts');
  const operator = await openOperatorKey(context);
  const credentials = { key: privateKeyPem(operator), cert: operator.certificatePem };
  const collector = createCollectorClient({ ...address, ...credentials });
  try {
    return await run(collector, address);
  } catch (error) {
    throw inOptions(error);
  } finally {
    await collector.close();
  }
}

function checkUrl(text: string, protocols: readonly string[], flag: string): string {
  const url = URL.parse(text);
  if (url !== null && protocols.includes(url.protocol)) return text;
  throw new MeshwardError(
    'bad-input',
    `${flag} is not a URL of ${protocols.map((name) => name.replace(':', '')).join(' or ')}`,
    {
      next: `Give something like ${protocols[0]}//127.0.0.1:${flag === '--api' ? 7700 : 7701}.`,
    },
  );
}
