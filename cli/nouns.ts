/** Nouns of the command line: commands about one thing hang below its noun, which may be written in the singular or the plural. */
import type { Command } from 'commander';
import { didYouMean } from '#mesh/nearest-word.ts';

export interface Noun {
  readonly name: string;
  /** The other number of it. */
  readonly alias?: string;
  readonly description: string;
}

export function addNoun(program: Command, { name, alias, description }: Noun): Command {
  const noun = program.command(name).description(description);
  return alias === undefined ? noun : noun.alias(alias);
}

const usualCommands = new WeakMap<Command, Command>();

/** The command that the noun alone stands for, if it does. */
export function usualCommandOf(noun: Command): Command | undefined {
  return usualCommands.get(noun);
}

/** What the noun alone does. A word after it that is no command is told as such, and not as an argument too many. */
export function addUsualCommand(noun: Command, name: string): Command {
  const usual = noun.command(name, { isDefault: true }).allowExcessArguments();
  usualCommands.set(noun, usual);
  return usual.hook('preAction', () => {
    const [word] = usual.args;
    if (word === undefined) return;
    const hint = didYouMean(
      word,
      noun.commands.map((command) => command.name()),
    );
    noun.error(`error: unknown command '${word}'${hint === '' ? '' : `\n(${hint.trim()})`}`, {
      code: 'commander.unknownCommand',
    });
  });
}
