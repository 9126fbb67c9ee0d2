/**
 * Makes what is given to others, in `.meshward/`:
 *
 *   npm run package                 the tarball that is published to npm, with an addon for every platform
 *   npm run package -- --archive    an archive that needs nothing else, not even Node, for machines like this one
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { makeArchive } from './archive.ts';
import { buildPackage } from './build.ts';
import { platforms } from './platforms.ts';

const run = promisify(execFile);
const into = fileURLToPath(new URL('../.meshward', import.meta.url));

/** @returns the path of the tarball. */
async function makeTarball(): Promise<string> {
  const folder = join(into, 'package');
  await buildPackage(folder, platforms);
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--pack-destination', into], { cwd: folder });
  return join(into, stdout.trim().split('\n').at(-1) as string);
}

const words = process.argv.slice(2);
const unknown = words.find((word) => word !== '--archive');
if (unknown !== undefined) throw new Error(`${unknown} is not known here: there is --archive`);
const made = words.includes('--archive')
  ? await makeArchive({ into, compiledFor: platforms, level: 9 })
  : await makeTarball();
process.stdout.write(`${made}\n`);
