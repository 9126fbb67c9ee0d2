/** `meshward peer drain`: moves peers' shares elsewhere, shows how far that is, and says when they may be switched off. */
import type { Command } from 'commander';
import type { ApiClient } from '#analyzer/api/client.ts';
import type { PeerDrainAnswer } from '#analyzer/api/schemas.ts';
import { type Clock, sleep, systemClock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { interruptible } from '../interrupt.ts';
import {
  type ApiFlags,
  addApiOption,
  addCollectorOptions,
  type CollectorFlags,
  findApi,
  withCollector,
} from '../mesh-address.ts';
import { resolvePeers } from '../peer-reference.ts';

interface DrainFlags extends CollectorFlags, ApiFlags {
  readonly stop: boolean;
  readonly wait: boolean;
  readonly status: boolean;
}

interface DrainedPeer {
  readonly peerId: PeerId;
  readonly name: string;
}

const lookEveryMs = 2_000;

export function addPeerDrainCommand(peer: Command): void {
  const command = peer
    .command('drain')
    .argument('<peer...>', 'names or ids of peers')
    .description('move peers’ shares elsewhere; they serve what they have and take nothing new')
    .option('--wait', 'stay until they may be switched off, and show how far it is', false)
    .option('--status', 'only say how far it is, and whether they may be switched off', false)
    .option('--stop', 'end the draining', false);
  describeUse(addApiOption(addCollectorOptions(command)), {
    examples: [
      'meshward peer drain alder-07 --wait',
      'meshward peer drain alder-07 --status',
      'meshward peer drain alder-07 --stop',
    ],
    exits: {
      4: 'the collector or the analyzer is away',
      5: '--status: a peer may not be switched off yet',
      6: 'the key in this data directory is not an operator of the mesh',
      130: 'interrupted: the draining goes on',
    },
    notes: [
      'A peer may be switched off when everything that it holds of known files is elsewhere too. Switched off before, it takes with it what is nowhere else.',
      'Shares are copied from the peer itself, when no repair is waiting. A peer id that begins with - stands after --.',
    ],
  });
  command.action((peers: string[], flags: DrainFlags, command: Command) =>
    drain(runningContextOf(command), peers, flags),
  );
}

async function drain(context: Context, references: readonly string[], flags: DrainFlags): Promise<void> {
  if ([flags.stop, flags.wait, flags.status].filter(Boolean).length > 1) {
    throw new MeshwardError('bad-input', '--stop, --wait and --status exclude each other', {
      next: 'Give one of them.',
    });
  }
  const peers: DrainedPeer[] = [];
  await withCollector(context, flags, async (collector) => {
    for (const { peerId, name } of resolvePeers(references, await collector.directory())) {
      if (!flags.status) await collector.drainPeer(peerId, !flags.stop);
      peers.push({ peerId, name });
    }
  });
  if (!flags.wait && !flags.status) {
    const state = flags.stop ? 'draining no more' : 'draining';
    context.output.result({ state, peers }, () =>
      [
        ...peers.map(({ name, peerId }) => `${name} (${peerId}) is ${state}`),
        ...(flags.stop
          ? []
          : ['Not to be switched off yet: `meshward peer drain --status` with the same peers says when.']),
      ].join('\n'),
    );
    return;
  }
  const api = await findApi(context, flags);
  const answers = flags.wait
    ? await interruptible((signal) => waitUntilEmpty(peers, api, context.output.note, systemClock, signal))
    : await Promise.all(peers.map(({ peerId }) => api.drain(peerId)));
  context.output.result({ peers: answers }, () => describeDrains(peers, answers));
  if (!answers.every((answer) => answer.maySwitchOff)) process.exitCode = exitCodes.negative;
}

/** @throws the signal's reason; and what the API throws, but where it is only away for a moment. */
export async function waitUntilEmpty(
  peers: readonly DrainedPeer[],
  api: Pick<ApiClient, 'drain'>,
  note: (line: string) => void,
  clock: Clock,
  signal: AbortSignal,
): Promise<readonly PeerDrainAnswer[]> {
  let told = '';
  for (;;) {
    signal.throwIfAborted();
    try {
      const answers = await Promise.all(peers.map(({ peerId }) => api.drain(peerId)));
      if (answers.every((answer) => answer.maySwitchOff)) return answers;
      const line = describeDrains(peers, answers);
      if (line !== told) note(line);
      told = line;
    } catch (error) {
      if (!(error instanceof MeshwardError) || !error.retryable) throw error;
    }
    await sleep(clock, lookEveryMs, signal);
  }
}

export function describeDrains(peers: readonly DrainedPeer[], answers: readonly PeerDrainAnswer[]): string {
  return peers
    .map(({ name }, at) => {
      const answer = answers[at] as PeerDrainAnswer;
      const unknown =
        answer.sharesOfUnknownFiles === 0
          ? ''
          : `; ${answer.sharesOfUnknownFiles} shares of files that nobody has registered go with it`;
      return answer.maySwitchOff
        ? `${name} may be switched off: what it holds is elsewhere too${unknown}`
        : `${name} may NOT be switched off: ${answer.reason}${unknown}`;
    })
    .join('\n');
}
