/** `meshward peer inventory`: asks agents to list their whole folders now. */
import type { Command } from 'commander';
import { settingsPollMs } from '#collector/agent/settings.ts';
import type { DirectoryPeer } from '#collector/gateway/bodies.ts';
import { sleep, systemClock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { type PeerId, parsePeerId } from '#mesh/peer-id.ts';
import { describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import { addCollectorOptions, type CollectorFlags, withCollector } from '../mesh-address.ts';
import { resolvePeers } from '../peer-reference.ts';

interface InventoryFlags extends CollectorFlags {
  readonly all: boolean;
}

interface AskedPeer {
  readonly peerId: PeerId;
  readonly name: string;
}

export function addPeerInventoryCommand(peer: Command): void {
  const command = peer
    .command('inventory')
    .argument('[peer...]', 'names or ids of peers')
    .description('ask peers to list their whole folders now, where records left the log unread or figures are doubted')
    .option('--all', 'every enrolled peer that is not revoked', false);
  describeUse(addCollectorOptions(command), {
    examples: ['meshward peer inventory alder-07', 'meshward peer inventory --all'],
    exits: {
      3: 'no enrolled peer has one of the names: none is asked',
      4: 'the collector is away: peers that are printed were asked',
      6: 'the key in this data directory is not an operator of the mesh, or a named peer is revoked',
    },
    notes: [
      `Agents fetch their settings every ${pollInterval}, and learn of it then. One that is not running takes an inventory when it starts.`,
      'A peer id that begins with - stands after --.',
    ],
  });
  command.action((peers: string[], flags: InventoryFlags, command: Command) =>
    askForInventories(runningContextOf(command), peers, flags),
  );
}

const pollInterval = `${settingsPollMs / 1000} s`;

async function askForInventories(
  context: Context,
  references: readonly string[],
  flags: InventoryFlags,
): Promise<void> {
  if (flags.all === references.length > 0) {
    throw new MeshwardError('bad-input', flags.all ? '--all and names exclude each other' : 'no peer is named', {
      next: 'Name peers, or give --all to ask every one.',
    });
  }
  const asked: AskedPeer[] = [];
  try {
    await withCollector(context, flags, async (collector) => {
      const directory = await atItsPace(() => collector.directory());
      for (const { peerId, name } of flags.all ? everyPeer(directory) : namedPeers(references, directory)) {
        await atItsPace(() => collector.requestInventory(peerId));
        asked.push({ peerId, name });
      }
    });
  } finally {
    if (asked.length > 0 || flags.all) {
      context.output.result({ state: 'asked for an inventory', pollIntervalMs: settingsPollMs, peers: asked }, () =>
        [...describeAsked(asked, flags.all), `Agents fetch their settings every ${pollInterval}, and begin then.`].join(
          '\n',
        ),
      );
    }
  }
}

function everyPeer(directory: readonly DirectoryPeer[]): readonly AskedPeer[] {
  return directory.filter(({ revoked }) => !revoked).map(({ peerId, name }) => ({ peerId: parsePeerId(peerId), name }));
}

/** @throws MeshwardError `peer-revoked` where one of them would not be heard; then none is asked. */
function namedPeers(references: readonly string[], directory: readonly DirectoryPeer[]): readonly AskedPeer[] {
  const peers = resolvePeers(references, directory);
  const revoked = peers.find((peer) => peer.revoked);
  if (revoked === undefined) return peers;
  throw new MeshwardError('peer-revoked', `${revoked.name} is revoked: what it says is not taken`, {
    next: 'Take it back with `meshward peer restore` first, or leave it out.',
  });
}

/** With many peers the collector tells its operators to go slower; the pace spreads the inventories as well. */
async function atItsPace<T>(call: () => Promise<T>): Promise<T> {
  const { CollectorError } = await import('#collector/gateway/collector-error.ts');
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof CollectorError) || error.code !== 'peer-limit') throw error;
      await sleep(systemClock, error.retryAfterMs);
    }
  }
}

function describeAsked(asked: readonly AskedPeer[], isAll: boolean): readonly string[] {
  if (isAll) return [`${asked.length} ${asked.length === 1 ? 'peer was' : 'peers were'} asked for an inventory.`];
  return asked.map(({ name, peerId }) => `${name} (${peerId}) was asked for an inventory`);
}
