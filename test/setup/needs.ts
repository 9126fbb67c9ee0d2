/**
 * What a test file starts beside itself, found by what it imports: `npm test -- --fast` runs the files that start nothing. Only modules
 * of tests are followed; what a service may start where it runs says nothing of a test of its parts.
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** Whoever imports one of these in a test starts processes with it. */
const starters = [
  /^node:child_process$/,
  /^playwright-core$/,
  /^#store\/(embedded\/server|test-store|testing\/shards)\.ts$/,
  /^#native\/check\.js$/,
  /^#cli\/supervisor\.ts$/,
  /^#test\/(kafka|tahoe-grid|charts)\//,
  /^#test\/setup\/(chromium|prometheus|shells)\.ts$/,
];

/** Asks git for names, and is done. */
const asksGit = '#test/setup/source-files.ts';
const helpers = /(^|\/)testing\/|^test\/|(^|\/)(test-|started-)[^/]*\.ts$/;

export function allTests(): readonly string[] {
  return globSync('**/*.test.ts', { cwd: root, exclude: ['**/node_modules/**', 'native/build/**'] }).sort();
}

/** The module by which the file, or a helper that it imports, starts processes; null where none does. */
export function starterOf(file: string, seen: Set<string> = new Set()): string | null {
  if (seen.has(file)) return null;
  seen.add(file);
  for (const name of importsOf(file)) {
    if (starters.some((starter) => starter.test(name))) return name;
    if (!name.startsWith('#') || name === asksGit || !helpers.test(name.slice(1))) continue;
    const found = starterOf(name.slice(1), seen);
    if (found !== null) return found;
  }
  return null;
}

/** Names of modules, those of ours from the root: `#room/file.ts`. */
function importsOf(file: string): string[] {
  const source = readFileSync(join(root, file), 'utf8');
  return [...source.matchAll(/^(?:import|export|\} from)\b[^'\n]*'([^']+)'/gm)].map(([, name = '']) =>
    name.startsWith('.') ? `#${relative(root, join(root, dirname(file), name))}` : name,
  );
}
