/** What every command's `--help` ends with: how it is used, and what its exit code says. */
import type { Command } from 'commander';

export interface CommandHelp {
  /** Whole lines as one would type them. */
  readonly examples: readonly string[];
  /** Exit codes besides 0 and those that every command has. */
  readonly exits?: Readonly<Record<number, string>>;
  readonly notes?: readonly string[];
}

const everywhere: Readonly<Record<number, string>> = {
  0: 'done',
  1: 'a defect, or a machine out of order',
  2: 'the command line or the configuration is wrong',
};

export function describeUse(command: Command, help: CommandHelp): Command {
  const exits = Object.entries({ ...everywhere, ...help.exits }).map(
    ([code, meaning]) => `  ${code.padStart(3)}  ${meaning}`,
  );
  return command.addHelpText(
    'after',
    [
      ...(help.notes === undefined ? [] : ['', ...help.notes]),
      '',
      help.examples.length === 1 ? 'Example:' : 'Examples:',
      ...help.examples.map((example) => `  ${example}`),
      '',
      'Exit codes:',
      ...exits,
    ].join('\n'),
  );
}

/** For options that may be given several times. */
export function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}
