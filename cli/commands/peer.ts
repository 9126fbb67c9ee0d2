/** Commands about peers: who is there, tokens to enrol, an operator's words about a peer, and the demonstration's switches. */
import type { Command } from 'commander';
import { addDemoPeerCommands } from './peer-demo.ts';
import { addPeerDrainCommand } from './peer-drain.ts';
import { addPeerInventoryCommand } from './peer-inventory.ts';
import { addPeersCommand } from './peer-list.ts';
import { addPeerSettingsCommand } from './peer-settings.ts';
import { addPeerStandingCommands } from './peer-standing.ts';
import { addTokenCommand } from './peer-token.ts';

export function addPeerCommands(program: Command): void {
  addPeersCommand(program, 'peers', 'meshward peers');
  addTokenCommand(program);
  const peer = program
    .command('peer')
    .description(
      'one peer or several: enrol, drain, maintain, revoke, ask for inventories; switch peers of the demonstration',
    );
  addPeersCommand(peer, 'list', 'meshward peer list');
  addTokenCommand(peer);
  addPeerStandingCommands(peer);
  addPeerDrainCommand(peer);
  addPeerSettingsCommand(peer);
  addPeerInventoryCommand(peer);
  addDemoPeerCommands(peer);
}
