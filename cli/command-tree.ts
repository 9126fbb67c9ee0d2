/** The commands as a tree: who looks at all of them, or for one of them, walks it here. */
import type { Command } from 'commander';

export interface NamedCommand {
  /** As one types it, such as `meshward peer drain`. */
  readonly path: string;
  readonly command: Command;
}

/** The command itself and all below it. */
export function everyCommand(command: Command, above = ''): readonly NamedCommand[] {
  const path = above === '' ? command.name() : `${above} ${command.name()}`;
  return [{ path, command }, ...command.commands.flatMap((sub) => everyCommand(sub, path))];
}

/** The command that these words name, or as far as they name one. */
export function commandOf(program: Command, words: readonly string[]): NamedCommand {
  let found: NamedCommand = { path: program.name(), command: program };
  for (const word of words) {
    const next = found.command.commands.find((sub) => sub.name() === word || sub.aliases().includes(word));
    if (next !== undefined) found = { path: `${found.path} ${next.name()}`, command: next };
  }
  return found;
}
