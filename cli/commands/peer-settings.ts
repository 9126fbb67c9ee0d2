/** `meshward peer settings`: what peers are told by the mesh, kept with their enrolment. */
import type { Command } from 'commander';
import type { SettingsAnswer, SettingsBody } from '#collector/gateway/bodies.ts';
import { describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import { addCollectorOptions, type CollectorFlags, withCollector } from '../mesh-address.ts';
import { formatBytes, formatDuration, table } from '../output.ts';
import { resolvePeers } from '../peer-reference.ts';
import { parseBytes, parseDuration } from '../quantities.ts';

interface SettingsFlags extends CollectorFlags {
  readonly heartbeat?: string;
  readonly inventoryEvery?: string;
  readonly verifyRate?: string;
  readonly serveRate?: string;
}

export function addPeerSettingsCommand(peer: Command): void {
  const command = peer
    .command('settings')
    .argument('<peer...>', 'names or ids of peers')
    .description('show or change what peers are told: heartbeat, inventories, rates')
    .option('--heartbeat <duration>', 'how often a peer says that it is there, such as 10s')
    .option('--inventory-every <duration>', 'how often it lists its whole folder, such as 6h')
    .option('--verify-rate <bytes>', 'how many bytes a second it checks, such as 4MiB; 0 never checks')
    .option('--serve-rate <bytes>', 'most bytes a second it serves, such as 50MB; 0 is unlimited');
  describeUse(addCollectorOptions(command), {
    examples: [
      'meshward peer settings alder-07',
      'meshward peer settings alder-07 alder-08 --verify-rate 1MiB --heartbeat 30s',
    ],
    exits: {
      3: 'no enrolled peer has one of the names',
      4: 'the collector is away',
      6: 'the key in this data directory is not an operator of the mesh',
    },
    notes: ['Peers fetch their settings by themselves, and a replaced machine takes them over.'],
  });
  command.action((peers: string[], flags: SettingsFlags, command: Command) =>
    settings(runningContextOf(command), peers, flags),
  );
}

async function settings(context: Context, references: readonly string[], flags: SettingsFlags): Promise<void> {
  const change = changeOf(flags);
  const isChange = Object.keys(change).length > 0;
  const shown = await withCollector(context, flags, async (collector) => {
    const answers: { peerId: string; name: string; settings: SettingsAnswer }[] = [];
    for (const { peerId, name, settings } of resolvePeers(references, await collector.directory())) {
      answers.push({ peerId, name, settings: isChange ? await collector.changeSettings(peerId, change) : settings });
    }
    return answers;
  });
  context.output.result({ changed: isChange, peers: shown }, () =>
    table(
      ['peer', 'heartbeat', 'inventory every', 'verifies', 'serves', 'version'],
      shown.map(({ name, settings }) => [
        name,
        formatDuration(settings.heartbeatMs),
        formatDuration(settings.inventoryIntervalS * 1000),
        settings.verifyBytesPerSecond === 0 ? 'never' : `${formatBytes(settings.verifyBytesPerSecond)}/s`,
        settings.serveBytesPerSecond === 0 ? 'unlimited' : `${formatBytes(settings.serveBytesPerSecond)}/s`,
        settings.version,
      ]),
    ),
  );
}

export function changeOf(flags: SettingsFlags): SettingsBody {
  return {
    ...(flags.heartbeat === undefined ? {} : { heartbeatMs: parseDuration(flags.heartbeat, '--heartbeat') }),
    ...(flags.inventoryEvery === undefined
      ? {}
      : {
          inventoryIntervalS: Math.max(1, Math.round(parseDuration(flags.inventoryEvery, '--inventory-every') / 1000)),
        }),
    ...(flags.verifyRate === undefined ? {} : { verifyBytesPerSecond: parseBytes(flags.verifyRate, '--verify-rate') }),
    ...(flags.serveRate === undefined ? {} : { serveBytesPerSecond: parseBytes(flags.serveRate, '--serve-rate') }),
  };
}
