/**
 * Compiles what is native for every platform that packages hold it for, whatever machine this is: with the C++ compiler, the C libraries
 * and their headers that one release of Zig brings, from PyPI, into `.tools/` (not committed). Objects are kept in `native/build/PLATFORM/`.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { buildAddon, type Compiler } from '../native/build.js';
import { buildLauncher } from '../store/embedded/build-launcher.js';
import { checkAddon } from './check-addon.ts';
import { oldestGlibc, type Platform, platforms } from './platforms.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
const zigVersion = '0.13.0';
/** Of the wheels for the machines that compile: x64, then arm64, both Linux. */
const zigDigests = [
  '3ce0c9f16547e5d61b32e0d226926e9a2552ef4b91fccf7ab5ea1a623a77824b',
  '5714a4d46f9246ba6180a0930e23df2bc8bc26e62b5fe0dc798b4afca1903308',
];
export interface Compiled {
  readonly platform: string;
  readonly addon: string;
  /** Of the embedded database, whose library there is for glibc alone. */
  readonly launcher: string | null;
}

/**
 * One after the other: a minute and a half each the first time, then what changed.
 * @throws where one is not what its platform wants ({@link checkAddon}).
 */
export async function compileFor(wanted: readonly Platform[]): Promise<readonly Compiled[]> {
  const zig = await installZig();
  const compiled: Compiled[] = [];
  for (const platform of wanted) {
    const one = await compileOne(platform, zig);
    await checkAddon(platform, one.addon);
    compiled.push(one);
  }
  return compiled;
}

async function compileOne({ name, arch, libc }: Platform, zig: string): Promise<Compiled> {
  const folder = join(root, 'native/build', name);
  const target = `${arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-${libc === 'musl' ? 'musl' : `gnu.${oldestGlibc}`}`;
  const compiler: Compiler = {
    command: zig,
    // Zig takes -mavx512f to be of registers of 256 bits alone, unless it is told otherwise.
    arguments: ['c++', '-target', target, ...(arch === 'x64' ? ['-mevex512'] : [])],
    version: `zig ${zigVersion}, clang 18`,
  };
  await buildAddon({ platform: 'linux', arch, folder, compiler, linkFlags: ['-s'] });
  return {
    platform: name,
    addon: join(folder, 'meshward.node'),
    launcher: libc === 'musl' ? null : await buildLauncher({ folder, compiler: [zig, 'cc', '-target', target, '-s'] }),
  };
}

/** @returns the path of the program; installs it first where it is missing (ten seconds, 80 MB; Python 3 and its registry are needed). */
export async function installZig(): Promise<string> {
  const folder = join(root, '.tools', `zig-${zigVersion}`);
  const program = join(folder, 'ziglang/zig');
  if (await isThere(program)) return program;
  // Made beside and renamed, so that two at once cannot see half of it.
  const beside = `${folder}.${randomBytes(4).toString('hex')}`;
  await mkdir(beside, { recursive: true });
  try {
    const wanted = join(beside, 'requirements.txt');
    await writeFile(wanted, `ziglang==${zigVersion} ${zigDigests.map((each) => `--hash=sha256:${each}`).join(' ')}\n`);
    const words = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--only-binary', ':all:', '--target', beside];
    await run('python3', [...words, '--require-hashes', '--requirement', wanted], { timeout: 600_000 });
    await rename(beside, folder);
  } catch (error) {
    await rm(beside, { recursive: true, force: true });
    if (!(await isThere(program))) throw error;
  }
  return program;
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

if (import.meta.main)
  for (const { platform, addon } of await compileFor(platforms)) process.stdout.write(`${platform} ${addon}\n`);
