/** The runbooks, and the commands that stand in them. */
import { readdirSync, readFileSync } from 'node:fs';
import { alertKinds, testKind, watchdogKind } from '#analyzer/alerts/alert.ts';

const folder = new URL('../../dashboards/runbooks/', import.meta.url);

export const sections = [
  'What it means',
  'How bad it is',
  'Where to look',
  'What to do',
  'How to know that it is over',
  'When that did not help',
] as const;

/** By the name of their alert. */
export function readRunbooks(): ReadonlyMap<string, string> {
  const names = readdirSync(folder).filter((name) => name.endsWith('.md'));
  return new Map(names.map((name) => [name.replace(/\.md$/, ''), readFileSync(new URL(name, folder), 'utf8')]));
}

/** Whole commands in a text, without the name of the program. */
export function commandsIn(text: string): readonly string[] {
  return [...text.matchAll(/`meshward ([^`]+)`/g)].map(([, words = '']) => words);
}

/** Of those that Meshward tells itself. */
export function ownAlertNames(): readonly string[] {
  return [...Object.values(alertKinds), watchdogKind, testKind].map(({ name }) => name);
}
