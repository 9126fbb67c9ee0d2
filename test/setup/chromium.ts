/** A browser for the tests of the page: the one of this machine, or Debian's where there is none. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const names = ['chromium', 'chromium-browser', 'google-chrome'];

export function findChromium(): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find((path) => existsSync(path)) ?? null;
}

/** @throws Error saying what to install where it cannot be done here. */
export function installChromium(): string {
  const found = findChromium();
  if (found !== null) return found;
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  for (const argv of [
    ['apt-get', 'update', '-q'],
    ['apt-get', 'install', '-y', '-q', '--no-install-recommends', 'chromium'],
  ]) {
    const [name, ...rest] = [...asRoot, ...argv];
    const { status } = spawnSync(name as string, rest, {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
    if (status !== 0)
      throw new Error(
        'The tests of the page need Chromium, which could not be installed: install it and see that it is on the PATH.',
      );
  }
  const installed = findChromium();
  if (installed === null) throw new Error('Chromium was installed but is not on the PATH.');
  return installed;
}
