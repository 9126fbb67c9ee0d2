/** Installs the real Tahoe-LAFS that tests talk to into `.tools/` (not committed). Run by itself: `node test/tahoe-grid/install.ts`. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
export const tahoeVersion = '1.20.0';
const toolsFolder = join(dirname(fileURLToPath(import.meta.url)), '../../.tools');

/** @returns the path of a Python that can import Tahoe-LAFS; installs it first where it is missing (half a minute). */
export async function installTahoe(): Promise<string> {
  const folder = join(toolsFolder, `tahoe-lafs-${tahoeVersion}`);
  const python = join(folder, 'bin/python');
  if (await isThere(python)) return python;
  // Made beside and renamed, so that two at once cannot see half of it. Scripts in bin/ would name the old path: only python is used.
  const beside = `${folder}.${randomBytes(4).toString('hex')}`;
  await mkdir(toolsFolder, { recursive: true });
  await run('python3', ['-m', 'venv', beside]);
  await run(join(beside, 'bin/python'), ['-m', 'pip', 'install', '--quiet', `tahoe-lafs==${tahoeVersion}`], {
    timeout: 600_000,
  });
  try {
    await rename(beside, folder);
  } catch (error) {
    await rm(beside, { recursive: true, force: true });
    if (!(await isThere(python))) throw error;
  }
  return python;
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(await installTahoe());
