/** `meshward peer revoke | restore | maintenance | depart`: an operator's word about peers. */
import type { Command } from 'commander';
import type { DirectoryPeer } from '#collector/gateway/bodies.ts';
import type { CollectorClient } from '#collector/gateway/client.ts';
import { systemClock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { maxTextLength } from '#mesh/limits.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { type CommandHelp, describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import { addCollectorOptions, type CollectorFlags, withCollector } from '../mesh-address.ts';
import { resolvePeers } from '../peer-reference.ts';
import { parseDuration } from '../quantities.ts';

interface ReasonFlags extends CollectorFlags {
  readonly reason: string;
}

interface MaintenanceFlags extends ReasonFlags {
  readonly for?: string;
  readonly end: boolean;
}

type Standing = (collector: CollectorClient, peer: PeerId) => Promise<unknown>;

const exits: NonNullable<CommandHelp['exits']> = {
  3: 'no enrolled peer has one of the names: nothing is done',
  4: 'the collector is away: peers that are printed are done',
  6: 'the key in this data directory is not an operator of the mesh',
};

const idNote = 'A peer id that begins with - stands after --.';

export function addPeerStandingCommands(peer: Command): void {
  const add = (name: string, description: string, help: Pick<CommandHelp, 'examples' | 'notes'>): Command =>
    describeUse(
      addCollectorOptions(peer.command(name).argument('<peer...>', 'names or ids of peers').description(description)),
      { ...help, notes: [...(help.notes ?? []), idNote], exits },
    );
  const reasonOption = ['--reason <text>', 'why; kept with the peer', ''] as const;

  add('revoke', 'take a peer’s key out of the mesh: it may report and serve no more', {
    examples: ['meshward peer revoke alder-07 --reason "key stolen"'],
    notes: [
      'Its shares count no longer as available; files repair themselves elsewhere. `meshward peer restore` takes it back.',
    ],
  })
    .option(...reasonOption)
    .action((peers: string[], flags: ReasonFlags, command: Command) =>
      sayOf(runningContextOf(command), flags, peers, 'revoked', (collector, id) =>
        collector.revokePeer(id, checkReason(flags.reason)),
      ),
    );

  add('restore', 'take a revoked peer back', { examples: ['meshward peer restore alder-07'] }).action(
    (peers: string[], flags: CollectorFlags, command: Command) =>
      sayOf(runningContextOf(command), flags, peers, 'restored', (collector, id) => collector.restorePeer(id)),
  );

  add('maintenance', 'announce that a peer will be away for a while, so that nothing is repaired because of it', {
    examples: [
      'meshward peer maintenance alder-07 --for 2h --reason "new disk"',
      'meshward peer maintenance alder-07 --end',
    ],
  })
    .option('--for <duration>', 'length of the window, such as 2h')
    .option('--end', 'end the window now', false)
    .option(...reasonOption)
    .action((peers: string[], flags: MaintenanceFlags, command: Command) => {
      const untilMs = windowEnd(flags, systemClock.nowMs());
      const word = flags.end ? 'in maintenance no more' : `in maintenance until ${new Date(untilMs).toISOString()}`;
      return sayOf(runningContextOf(command), flags, peers, word, (collector, id) =>
        collector.maintainPeer(id, { untilMs, reason: checkReason(flags.reason) }),
      );
    });

  add('depart', 'declare that a peer will not come back: its shares are given up and files are repaired at once', {
    examples: ['meshward peer depart alder-07 --reason "disk died"'],
    notes: ['A peer that comes back after all is taken in again, and its shares count again.'],
  })
    .option(...reasonOption)
    .action((peers: string[], flags: ReasonFlags, command: Command) =>
      sayOf(runningContextOf(command), flags, peers, 'departed', (collector, id) =>
        collector.departPeer(id, checkReason(flags.reason)),
      ),
    );
}

async function sayOf(
  context: Context,
  flags: CollectorFlags,
  references: readonly string[],
  word: string,
  say: Standing,
): Promise<void> {
  const done: { peerId: string; name: string }[] = [];
  try {
    await withCollector(context, flags, async (collector) => {
      const peers: readonly (DirectoryPeer & { readonly peerId: PeerId })[] = resolvePeers(
        references,
        await collector.directory(),
      );
      for (const { peerId, name } of peers) {
        await say(collector, peerId);
        done.push({ peerId, name });
      }
    });
  } finally {
    if (done.length > 0) {
      context.output.result({ state: word, peers: done }, () =>
        done.map(({ name, peerId }) => `${name} (${peerId}) is ${word}`).join('\n'),
      );
    }
  }
}

/** Milliseconds since the epoch; 0 ends the window. */
export function windowEnd(flags: { readonly for?: string; readonly end: boolean }, nowMs: number): number {
  if (flags.end !== (flags.for === undefined)) {
    throw new MeshwardError(
      'bad-input',
      flags.end ? '--end and --for exclude each other' : 'nothing says how long the window is',
      {
        next: 'Give --for 2h to begin a window, or --end to end it.',
      },
    );
  }
  return flags.for === undefined ? 0 : nowMs + parseDuration(flags.for, '--for');
}

function checkReason(reason: string): string {
  if (reason.length <= maxTextLength && !/\p{Cc}/u.test(reason)) return reason;
  throw new MeshwardError('bad-input', 'this reason cannot be kept', {
    next: `Write at most ${maxTextLength} plain characters.`,
  });
}
