/** `meshward peer settings`: what peers are told by the mesh, kept with their enrolment. */
import type { Command } from 'commander';
import type { SettingsAnswer, SettingsBody } from '#collector/gateway/bodies.ts';
import { describeUse } from '../command-help.ts';
import type { Context } from '../context.ts';
import { addCollectorOptions, type CollectorFlags, withCollector } from '../mesh-address.ts';
import { resolvePeers } from '../peer-reference.ts';
import { parseBytes, parseDuration } from '../quantities.ts';
import { formatBytes } from '../terminal/amounts.ts';
import { durationColumn, listingView, type View } from '../terminal/view.ts';
import { showsView } from '../view-command.ts';

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
  showsView(addCollectorOptions(command), { list: true }, settings);
  describeUse(command, {
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
}

interface ShownSettings {
  readonly peerId: string;
  readonly name: string;
  readonly settings: SettingsAnswer;
}

async function settings(context: Context, flags: SettingsFlags, references: readonly string[]): Promise<View> {
  const change = changeOf(flags);
  const isChange = Object.keys(change).length > 0;
  const shown = await withCollector(context, flags, async (collector) => {
    const answers: ShownSettings[] = [];
    for (const { peerId, name, settings } of resolvePeers(references, await collector.directory())) {
      answers.push({ peerId, name, settings: isChange ? await collector.changeSettings(peerId, change) : settings });
    }
    return answers;
  });
  const rateOf = (bytesPerSecond: number, none: string): string =>
    bytesPerSecond === 0 ? none : `${formatBytes(bytesPerSecond)}/s`;
  return listingView<ShownSettings>({
    rows: shown,
    value: { changed: isChange, peers: shown },
    none: 'No peers.',
    columns: [
      { title: 'peer', value: ({ name }) => name },
      durationColumn('heartbeat', 'heartbeat_ms', (peer) => peer.settings.heartbeatMs),
      durationColumn('inventory every', 'inventory_interval_ms', (peer) => peer.settings.inventoryIntervalS * 1000),
      {
        title: 'verifies',
        name: 'verify_bytes_per_second',
        value: (peer) => peer.settings.verifyBytesPerSecond,
        text: (peer) => rateOf(peer.settings.verifyBytesPerSecond, 'never'),
      },
      {
        title: 'serves',
        name: 'serve_bytes_per_second',
        value: (peer) => peer.settings.serveBytesPerSecond,
        text: (peer) => rateOf(peer.settings.serveBytesPerSecond, 'unlimited'),
      },
      { title: 'version', value: (peer) => peer.settings.version, rank: 1 },
    ],
  });
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
