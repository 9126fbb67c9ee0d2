/** Options that take one of a few words: listed in the help, completed by shells, and forgiving in what they say of a typo. */
import { Option } from 'commander';
import { MeshwardError } from '#mesh/errors.ts';
import { didYouMean } from '#mesh/nearest-word.ts';

/** The option may be given once. */
export function choiceOption(flags: string, description: string, choices: readonly string[]): Option {
  const option = new Option(flags, description).choices(choices);
  return option.argParser((text) => chosen(text, choices, option.long ?? flags));
}

/** The option may be given several times. */
export function choicesOption(flags: string, description: string, choices: readonly string[]): Option {
  const option = new Option(flags, description).choices(choices);
  return option
    .argParser((text, before: readonly string[] | undefined) => [
      ...(before ?? []),
      chosen(text, choices, option.long ?? flags),
    ])
    .default([]);
}

/** @throws MeshwardError `bad-input`. */
export function chosen<Choice extends string>(text: string, choices: readonly Choice[], what: string): Choice {
  const choice = choices.find((known) => known === text);
  if (choice !== undefined) return choice;
  throw new MeshwardError('bad-input', `${what} cannot be "${text.slice(0, 30)}"`, {
    next: `Choose one of ${choices.join(', ')}.${didYouMean(text, choices)}`,
  });
}
