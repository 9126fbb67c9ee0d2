import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { alertKinds } from '#analyzer/alerts/alert.ts';
import { usualCommandOf } from '#cli/nouns.ts';
import { createProgram } from '#cli/program.ts';
import { alertRules } from './rule-files.ts';
import { commandsIn, ownAlertNames, readRunbooks, sections } from './runbooks.ts';

const runbooks = readRunbooks();

/** What is wrong with a command line; empty where nothing is. */
function fault(words: string): string {
  const parts = words.match(/"[^"]*"|\S+/g) ?? [];
  let command: Command = createProgram();
  while (parts[0] !== undefined) {
    const next = command.commands.find(
      (child) => child.name() === parts[0] || child.aliases().includes(parts[0] ?? ''),
    );
    if (next === undefined) break;
    command = next;
    parts.shift();
  }
  if (command.parent === null) return 'no such command';
  command = usualCommandOf(command) ?? command;
  let given = 0;
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as string;
    if (!part.startsWith('--')) {
      given++;
      continue;
    }
    const option = command.options.find(({ long }) => long === part);
    if (option === undefined) return `no option ${part}`;
    if (option.required) i++;
  }
  const needed = command.registeredArguments.filter(({ required }) => required).length;
  const isGroup = command.commands.length > 0 && parts.length === 0 && !('_actionHandler' in command);
  if (given < needed || isGroup) return 'arguments are missing';
  const most = command.registeredArguments.some(({ variadic }) => variadic)
    ? Infinity
    : command.registeredArguments.length;
  return given > most ? 'too many arguments' : '';
}

describe('runbooks', () => {
  test('there is one for each alert, and none besides', () => {
    const wanted = new Set([...ownAlertNames(), ...alertRules().map(({ alert }) => alert)]);
    expect([...runbooks.keys()].sort()).toEqual([...wanted].sort());
  });

  test.each([...runbooks])('%s says what it means, how bad it is, what to do and when it is over', (name, text) => {
    expect(text.startsWith(`# ${name}\n`)).toBe(true);
    const found = [...text.matchAll(/^## (.*)$/gm)].map(([, title]) => title);
    expect(found).toEqual([...sections]);
    expect(text).not.toMatch(/\n\n\n|TODO/);
  });

  test.each([...runbooks])('%s names commands that there are', (_name, text) => {
    const faults = commandsIn(text).map((words) => [words, fault(words)]);
    expect(faults.filter(([, wrong]) => wrong !== '')).toEqual([]);
  });

  test('the first command of each alert is one that there is', () => {
    for (const { command } of Object.values(alertKinds))
      expect(fault(command.replace('meshward ', '')), command).toBe('');
    expect(fault('peers --stat down')).toBe('no option --stat');
    expect(fault('peer vanish')).toBe('too many arguments');
    expect(fault('peer depart')).toBe('arguments are missing');
  });
});
