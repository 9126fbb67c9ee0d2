/** Shells and mandoc for the tests of completion and of the manual page: those of this machine, or Debian's where there are none. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const programs = ['zsh', 'fish', 'mandoc'] as const;
export type ShellProgram = (typeof programs)[number];

function find(program: ShellProgram): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path)) ?? null;
}

/** @throws Error where it was not installed: `npm test` does so. */
export function shellProgram(program: ShellProgram): string {
  const found = find(program);
  if (found === null) throw new Error(`${program} is not on the PATH: run \`npm test\`, which installs it.`);
  return found;
}

/** @throws Error saying what to install where it cannot be done here. */
export function installShells(): void {
  const missing = programs.filter((program) => find(program) === null);
  if (missing.length === 0) return;
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n', '-E'];
  for (const argv of [
    ['apt-get', 'update', '-q'],
    ['apt-get', 'install', '-y', '-q', '--no-install-recommends', ...missing],
  ]) {
    const [name, ...rest] = [...asRoot, ...argv];
    const { status } = spawnSync(name as string, rest, {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
    if (status !== 0)
      throw new Error(
        `The tests of the command line need ${missing.join(', ')}, which could not be installed: install them and see that they are on the PATH.`,
      );
  }
}
