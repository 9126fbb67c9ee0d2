/** `meshward peers`: who is there and in what state. */
import type { Command } from 'commander';
import { MeshwardError } from '#mesh/errors.ts';
import { type PeerState, peerStates } from '#mesh/peer-state.ts';
import { collect, describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import { describePeers } from '../describe-peers.ts';
import { isInDomains, parseDomains } from '../failure-domain.ts';
import { type ApiFlags, addApiOption, findApi } from '../mesh-address.ts';

interface PeersFlags extends ApiFlags {
  readonly state?: string;
  readonly domain: readonly string[];
}

export function addPeersCommand(program: Command): void {
  const command = program
    .command('peers')
    .description('peers with their state, failure domains, shares, silence and version')
    .option('--state <state>', `only peers in this state: ${peerStates.join(', ')}`)
    .option('--domain <kind=name>', 'only peers of this failure domain; may be given several times', collect, []);
  describeUse(addApiOption(command), {
    examples: ['meshward peers', 'meshward peers --state down --domain zone=alder'],
    exits: { 4: 'the analyzer is away' },
  });
  command.action((flags: PeersFlags, command: Command) => list(runningContextOf(command), flags));
}

async function list(context: Context, flags: PeersFlags): Promise<void> {
  const state = flags.state === undefined ? undefined : parseState(flags.state);
  const domains = parseDomains(flags.domain);
  const answer = await (await findApi(context, flags)).peers(state);
  const peers = answer.peers.filter((peer) => isInDomains(peer.domains, domains));
  context.output.result({ peers, freshness: answer.freshness }, () => describePeers(peers, answer.freshness));
}

function parseState(text: string): PeerState {
  const state = peerStates.find((known) => known === text);
  if (state !== undefined) return state;
  throw new MeshwardError('bad-input', `"${text.slice(0, 30)}" is no state of a peer`, {
    next: `Choose one of ${peerStates.join(', ')}.`,
  });
}
