/** The manual page: every command with its options, in mdoc(7), which both mandoc and groff read. */
import type { Argument, Command } from 'commander';
import { everyCommand, type NamedCommand } from './command-tree.ts';
import { exitMeanings } from './exit-codes.ts';
import { softwareVersion } from './version.ts';

const longestLine = 78;
/** Of the text, not of the day on which it is printed: the page is the same everywhere. */
const date = 'November 28, 2026';

export function manualPage(program: Command): string {
  const commands = everyCommand(program).filter(({ command }) => command !== program && command.commands.length === 0);
  const lines = [
    `.Dd ${date}`,
    '.Dt MESHWARD 1',
    '.Os',
    '.Sh NAME',
    '.Nm meshward',
    '.Nd watch a storage mesh and mend it',
    '.Sh SYNOPSIS',
    '.Nm meshward',
    '.Op Ar options',
    '.Ar command',
    '.Op Ar arguments',
    '.Sh DESCRIPTION',
    ...text(`${program.description()} Version ${softwareVersion}.`),
    '.Pp',
    ...text('Options that every command takes, before it or after it:'),
    ...optionLines(program),
    '.Sh COMMANDS',
    ...commands.flatMap(commandLines),
    '.Sh ENVIRONMENT',
    '.Bl -tag -width Ds',
    '.It Ev MESHWARD_CONFIG',
    ...text('The configuration file, where --config names none.'),
    '.It Ev MESHWARD_SECTION_KEY',
    ...text('Any key of the configuration: log.topicPrefix is MESHWARD_LOG_TOPIC_PREFIX.'),
    '.It Ev NO_COLOR , FORCE_COLOR',
    ...text('Whether there is colour, where --color does not say.'),
    '.El',
    '.Sh FILES',
    '.Bl -tag -width Ds',
    '.It Pa meshward.yaml',
    ...text('The configuration, in the folder where the command runs.'),
    '.It Pa .meshward',
    ...text('The data directory, where --data-dir names none.'),
    '.El',
    '.Sh EXIT STATUS',
    '.Bl -tag -width Ds',
    ...Object.entries(exitMeanings).flatMap(([code, meaning]) => [`.It ${code}`, ...text(meaning)]),
    '.El',
    '.Sh EXAMPLES',
    ...text('Is everything in order, and which files need repair?'),
    '.Pp',
    '.Dl meshward doctor',
    '.Dl meshward file at-risk --watch',
  ];
  return `${lines.join('\n')}\n`;
}

function commandLines({ path, command }: NamedCommand): string[] {
  const words = [path, ...command.registeredArguments.map(argumentWords)].join(' ');
  return [
    `.Ss ${escaped(path)}`,
    ...(command.registeredArguments.length === 0
      ? []
      : ['.Bd -literal -offset indent -compact', escaped(words), '.Ed', '.Pp']),
    ...text(`${capitalised(command.description())}.`),
    ...optionLines(command),
  ];
}

function argumentWords(argument: Argument): string {
  const word = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? word : `[${word}]`;
}

function optionLines(command: Command): string[] {
  const options = command.options.filter(({ hidden }) => !hidden);
  if (options.length === 0) return [];
  return [
    '.Bl -tag -width Ds',
    ...options.flatMap(({ flags, description, argChoices, defaultValue }) => {
      const choices = argChoices === undefined ? '' : ` (${argChoices.join(', ')})`;
      const usual = typeof defaultValue === 'string' && defaultValue !== '' ? ` The default is ${defaultValue}.` : '';
      return [`.It ${optionWords(flags)}`, ...text(`${capitalised(description)}${choices}.${usual}`)];
    }),
    '.El',
  ];
}

/** `-h, --help` and `--set <key=value>` in the macros for flags and arguments. */
function optionWords(flags: string): string {
  const [, names = flags, value] = /^(.*?)(?: ([<[].*))?$/.exec(flags) ?? [];
  const macros = names
    .split(', ')
    .map((name) => `Fl ${escaped(name.slice(1))}`)
    .join(' , ');
  if (value === undefined) return macros;
  const word = escaped(value.replace(/^[<[]|[>\]]$/g, '').replaceAll(/[<>]/g, ''));
  return value.startsWith('[') ? `${macros} Op Ar ${word}` : `${macros} Ar ${word}`;
}

/** A line for each sentence: so mdoc knows where one ends. Nothing in it is taken for a macro. */
function text(words: string): string[] {
  return words
    .replaceAll(/\s+/g, ' ')
    .trim()
    .split(/(?<=[.?!]) (?=[A-Z])/)
    .flatMap(shortLines)
    .map((line) => escaped(line));
}

function shortLines(sentence: string): string[] {
  const lines: string[] = [];
  for (const word of sentence.split(' ')) {
    const last = lines.at(-1);
    // Escapes make a line longer than what is read of it.
    if (last === undefined || escaped(`${last} ${word}`).length > longestLine) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

function escaped(words: string): string {
  return words
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('…', '...')
    .replaceAll('’', "'")
    .replace(/^([.'])/, '\\&$1');
}

function capitalised(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
