/**
 * Makes an archive that needs nothing but a machine like this one: the package, the packages that it needs, and Node.
 *
 *   meshward-VERSION-PLATFORM/
 *     bin/meshward     the command
 *     node/            Node, as npm's `node` brings it
 *     app/             what is published, with its packages in node_modules/
 */
import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { platformFolder } from '../mesh/platform.js';
import { buildPackage, type CompiledFor } from './build.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));

/** `readlink -f`, so that a link to it may stand on the PATH. */
const command = `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
exec "$here/../node/bin/node" "$here/../app/cli/main.js" "$@"
`;

export interface ArchiveOptions {
  /** Where the archive is put. */
  readonly into: string;
  readonly compiledFor: CompiledFor;
  /** Of gzip: 1 is fast, 9 is small. */
  readonly level: number;
}

interface Own {
  readonly version: string;
  readonly devDependencies: { readonly node: string };
}

/** @returns the path of the archive. */
export async function makeArchive({ into, compiledFor, level }: ArchiveOptions): Promise<string> {
  const { version, devDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Own;
  const name = `meshward-${version}-${platformFolder()}`;
  await mkdir(into, { recursive: true });
  const beside = await mkdtemp(join(into, 'archive-'));
  try {
    const folder = join(beside, name);
    await buildPackage(join(folder, 'app'), compiledFor);
    for (const path of await productionPackages()) {
      // node_modules/a/node_modules/b stands in the list by itself.
      const filter = (source: string): boolean => !source.slice(join(root, path).length).includes('/node_modules');
      await cp(join(root, path), join(folder, 'app', path), { recursive: true, filter });
    }
    await mkdir(join(folder, 'bin'));
    await unpackNode(beside, join(folder, 'node'), devDependencies.node);
    await writeFile(join(folder, 'bin/meshward'), command);
    await chmod(join(folder, 'bin/meshward'), 0o755);
    const archive = join(into, `${name}.tar.gz`);
    const words = ['--create', '--use-compress-program', `gzip -${level}`, '--owner=0', '--group=0', '--numeric-owner'];
    await run('tar', [...words, '--file', archive, '--directory', beside, name]);
    return archive;
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}

/** Paths below node_modules of what runs, as the lock has them, and as far as they are for this machine. */
async function productionPackages(): Promise<readonly string[]> {
  const { packages } = JSON.parse(await readFile(join(root, 'node_modules/.package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, { readonly dev?: boolean; readonly devOptional?: boolean }>>;
  };
  return Object.entries(packages)
    .filter(([, { dev, devOptional }]) => dev !== true && devOptional !== true)
    .map(([path]) => path);
}

/** From the package that npm's `node` installs its program from: that one leaves the licence behind. */
async function unpackNode(beside: string, target: string, version: string): Promise<void> {
  const name = `node-${process.platform}-${process.arch}`;
  const words = ['pack', '--silent', '--ignore-scripts', '--pack-destination', beside, `${name}@${version}`];
  const { stdout } = await run('npm', words);
  await mkdir(target, { recursive: true });
  const wanted = ['package/bin/node', 'package/LICENSE'];
  await run('tar', ['-xzf', join(beside, stdout.trim()), '-C', target, '--strip-components=1', ...wanted]);
}
