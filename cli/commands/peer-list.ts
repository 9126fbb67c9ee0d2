/** `meshward peer list`, or `meshward peers`: who is there and in what state. */
import type { Command } from 'commander';
import { type PeerState, peerStates } from '#mesh/peer-state.ts';
import { choiceOption } from '../choices.ts';
import { collect, describeUse } from '../command-help.ts';
import type { Context } from '../context.ts';
import { peersView } from '../describe-peers.ts';
import { isInDomains, parseDomains } from '../failure-domain.ts';
import { type ApiFlags, addApiOption, findApi } from '../mesh-address.ts';
import type { View } from '../terminal/view.ts';
import { showsView } from '../view-command.ts';

interface PeersFlags extends ApiFlags {
  readonly state?: PeerState;
  readonly domain: readonly string[];
}

/** @param usage as one types it. */
export function addPeersCommand(above: Command, name: string, usage: string): void {
  const command = above
    .command(name)
    .description('peers with their state, failure domains, shares, silence and version')
    .addOption(choiceOption('--state <state>', 'only peers in this state', peerStates))
    .option('--domain <kind=name>', 'only peers of this failure domain; may be given several times', collect, []);
  showsView(addApiOption(command), { list: true, state: true }, list);
  describeUse(command, {
    examples: [usage, `${usage} --state down --domain zone=alder`, `${usage} --watch 5`, `${usage} --csv > peers.csv`],
    exits: { 4: 'the analyzer is away' },
  });
}

async function list(context: Context, flags: PeersFlags): Promise<View> {
  const domains = parseDomains(flags.domain);
  const answer = await (await findApi(context, flags)).peers(flags.state);
  const peers = answer.peers.filter((peer) => isInDomains(peer.domains, domains));
  return peersView(peers, answer.freshness);
}
