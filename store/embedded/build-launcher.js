/**
 * Compiles launcher.c with the machine's C compiler. Plain JavaScript, so that an install script can run it on any Node.
 * The file's name carries a hash of its source: a changed source is never served by an old binary, and two processes
 * that build at once end with the same file, because the finished one is renamed into place.
 */
import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { access, constants, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { platformFolder } from '../../mesh/platform.js';

const run = promisify(execFile);
const sourcePath = fileURLToPath(new URL('launcher.c', import.meta.url));
const prebuiltFolder = fileURLToPath(new URL('../../native/prebuilt/', import.meta.url));
const defaultFolder = fileURLToPath(new URL('../../native/build/', import.meta.url));

export async function buildLauncher(options = {}) {
  const folder = options.folder ?? defaultFolder;
  const compilers = options.compiler === undefined ? [['cc'], ['gcc'], ['clang']] : [[options.compiler].flat()];
  const hash = createHash('sha256')
    .update(await readFile(sourcePath))
    .digest('hex')
    .slice(0, 12);
  const name = `clickhouse-launcher-${hash}`;
  const prebuilt = join(prebuiltFolder, platformFolder(), name);
  if (options.folder === undefined && (await isExecutable(prebuilt))) return prebuilt;
  const path = join(folder, name);
  if (await isExecutable(path)) return path;
  await mkdir(folder, { recursive: true });
  const unfinished = `${path}.${randomUUID()}.unfinished`;
  const failures = [];
  try {
    for (const [compiler, ...words] of compilers) {
      try {
        await run(compiler, [...words, '-O2', '-o', unfinished, sourcePath, '-ldl', '-lpthread'], { timeout: 60_000 });
        await rename(unfinished, path);
        return path;
      } catch (error) {
        failures.push(`${compiler}: ${(error.stderr || error.message).trim().slice(0, 500)}`);
      }
    }
  } finally {
    await rm(unfinished, { force: true });
  }
  throw new Error(`no C compiler could build the ClickHouse launcher: ${failures.join('; ')}`);
}

async function isExecutable(path) {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
