/**
 * Unpacks a release of `fixtures/releases/` into `.tools/` (not committed) and compiles its addon there. It finds the packages of
 * today's sources above itself. Run by itself: `node test/upgrade/release.ts`; half a minute the first time.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));

/** The one before this. */
export const lastRelease = '0.1.0';

export function releaseFile(version: string): string {
  return fileURLToPath(new URL(`../fixtures/releases/meshward-${version}.tgz`, import.meta.url));
}

/** @returns the folder of its sources; `cli/main.ts` in it is its command. */
export async function installRelease(version = lastRelease): Promise<string> {
  const folder = join(root, '.tools', `meshward-${version}`);
  if (await isThere(folder)) return folder;
  // Made beside and renamed, so that two at once cannot see half of it.
  const beside = `${folder}.${randomBytes(4).toString('hex')}`;
  await mkdir(beside, { recursive: true });
  try {
    await run('tar', ['-xzf', releaseFile(version), '-C', beside]);
    await run(process.execPath, ['native/build.js'], { cwd: beside, timeout: 600_000 });
    await rename(beside, folder);
  } catch (error) {
    await rm(beside, { recursive: true, force: true });
    if (!(await isThere(folder))) throw error;
  }
  return folder;
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

if (import.meta.main) console.log(await installRelease());
