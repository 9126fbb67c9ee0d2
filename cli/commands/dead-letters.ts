/** Commands about dead letters: what could not be taken, with the reason; listed, shown, and taken after all. */
import type { Command } from 'commander';
import { redactCaps } from '#mesh/redact.ts';
import { addNoun } from '../nouns.ts';
import { addDeadLetterListCommand } from './dead-letter-list.ts';
import { addDeadLetterReplayCommand } from './dead-letter-replay.ts';
import { addDeadLetterShowCommand } from './dead-letter-show.ts';

export function addDeadLetterCommands(program: Command): void {
  const letters = addNoun(program, {
    name: 'dead-letters',
    alias: 'dead-letter',
    description: 'what collectors and analyzers could not take: list it, look into it, have it taken after all',
  }).configureOutput({ outputError: (text, write) => write(redactCaps(text)) });
  addDeadLetterListCommand(letters);
  addDeadLetterShowCommand(letters);
  addDeadLetterReplayCommand(letters);
}
