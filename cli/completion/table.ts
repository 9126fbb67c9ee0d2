/** What a shell may offer, read from the commands themselves: a table that the scripts of every shell are made from. */
import type { Argument, Command, Option } from 'commander';
import { usualCommandOf } from '../nouns.ts';

/** What stands for a value: one of these words, a path, or nothing that could be known here. */
export type Offer = readonly string[] | 'file' | 'folder' | 'nothing';

export interface OfferedOption {
  readonly long: string;
  readonly short: string | undefined;
  readonly description: string;
  /** Null where it takes no value. */
  readonly value: Offer | null;
}

export interface OfferedCommand {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly description: string;
}

export interface CommandRow {
  /** Names from below `meshward` on, one for each way of writing them; the first is the usual one. */
  readonly paths: readonly string[];
  readonly commands: readonly OfferedCommand[];
  /** Its own. */
  readonly options: readonly OfferedOption[];
  /** What its arguments are, as far as that can be known. */
  readonly words: Offer;
}

export interface CompletionTable {
  /** The command itself is the first. */
  readonly rows: readonly CommandRow[];
  /** Options that every command takes. */
  readonly globals: readonly OfferedOption[];
}

export function completionTable(program: Command): CompletionTable {
  const help: OfferedOption = { long: '--help', short: '-h', description: 'display help for command', value: null };
  return { rows: rowsOf(program, ['']), globals: [help, ...program.options.map(offeredOption)] };
}

function rowsOf(command: Command, paths: readonly string[]): CommandRow[] {
  const usual = usualCommandOf(command);
  const own = command.parent === null ? [] : [...command.options, ...(usual?.options ?? [])].map(offeredOption);
  const row: CommandRow = {
    paths,
    commands: command.commands.map((sub) => ({
      name: sub.name(),
      aliases: sub.aliases(),
      description: firstSentence(sub.description()),
    })),
    options: own,
    words: wordsOf(command.registeredArguments),
  };
  const below = command.commands.flatMap((sub) => {
    const names = [sub.name(), ...sub.aliases()];
    return rowsOf(
      sub,
      names.flatMap((name) => paths.map((path) => `${path} ${name}`.trim())),
    );
  });
  return [row, ...below];
}

function offeredOption(option: Option): OfferedOption {
  const takesValue = option.required || option.optional;
  return {
    long: option.long ?? '',
    short: option.short,
    description: firstSentence(option.description),
    // An optional value is not waited for.
    value: takesValue && !option.optional ? valueOf(option.flags, option.argChoices) : null,
  };
}

function valueOf(flags: string, choices: readonly string[] | undefined): Offer {
  if (choices !== undefined) return choices;
  return offerOf(/[<[]([a-z-]+)/.exec(flags)?.[1] ?? '');
}

function wordsOf(registered: readonly Argument[]): Offer {
  const offers = registered.map((argument) => argument.argChoices ?? offerOf(argument.name()));
  return offers.find((offer) => offer !== 'nothing') ?? 'nothing';
}

/** By the name of the value, as the help shows it. */
function offerOf(name: string): Offer {
  if (/^(file|path|original|out)$/.test(name)) return 'file';
  return /^(dir|folder)$/.test(name) ? 'folder' : 'nothing';
}

function firstSentence(text: string): string {
  return text.split(/[;:(]/)[0]?.trim() ?? '';
}
