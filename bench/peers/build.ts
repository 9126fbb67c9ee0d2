/** Builds what the codec bench measures against, from package registries, into .tools/bench-peers; what cannot be built is left out. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const sourceFolder = fileURLToPath(new URL('.', import.meta.url));
const nativeFolder = fileURLToPath(new URL('../../native/', import.meta.url));
const outFolder = fileURLToPath(new URL('../../.tools/bench-peers/', import.meta.url));
const zfecVersion = '1.6.0.0';

export interface Peers {
  /** The program that measures (driver.cc), with the libraries of the peers that could be built as its arguments. */
  readonly driver: string;
  readonly driverArguments: readonly string[];
  /** PYTHONPATH with zfec in it; null where it could not be had. */
  readonly pythonPath: string | null;
}

/** @param note told of each peer that is left out, and why. */
export function buildPeers(note: (line: string) => void): Peers {
  mkdirSync(outFolder, { recursive: true });
  const builders: [names: string[], what: string, build: () => string][] = [
    [['isal', 'rssimd'], 'ISA-L and reed-solomon-simd (cargo, nasm, autotools)', buildRust],
    [['klauspost', 'leopard'], 'klauspost/reedsolomon (go)', buildGo],
    [['zfec'], 'zfec (pip, gcc)', buildZfec],
  ];
  const driverArguments: string[] = [];
  for (const [names, what, build] of builders) {
    try {
      const library = build();
      driverArguments.push(...names.map((name) => `${name}=${library}`));
    } catch (error) {
      note(`left out: ${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { driver: buildDriver(), driverArguments, pythonPath: installZfec(note) };
}

function buildRust(): string {
  run('cargo', ['build', '--release', '--quiet', '--target-dir', join(outFolder, 'rust')], join(sourceFolder, 'rust'));
  return join(outFolder, 'rust/release/libmeshward_bench_peers.so');
}

function buildGo(): string {
  const library = join(outFolder, 'libgo-peers.so');
  run('go', ['build', '-buildmode=c-shared', '-o', library, '.'], join(sourceFolder, 'go'));
  return library;
}

function buildZfec(): string {
  const folder = join(outFolder, `zfec-${zfecVersion}`);
  if (!existsSync(folder)) {
    const args = [
      '-m',
      'pip',
      'download',
      '--quiet',
      '--no-deps',
      '--no-binary',
      ':all:',
      '-d',
      outFolder,
      `zfec==${zfecVersion}`,
    ];
    run('python3', args, outFolder);
    run('tar', ['xzf', `zfec-${zfecVersion}.tar.gz`], outFolder);
  }
  // As its own setup.py compiles it; -O3 would make it slower.
  const object = join(outFolder, 'fec.o');
  const library = join(outFolder, 'libzfec-peer.so');
  run(
    'gcc',
    ['-O2', '-march=x86-64-v2', '-fPIC', '-std=gnu99', '-c', join(folder, 'zfec/fec.c'), '-o', object],
    outFolder,
  );
  const includes = [`-I${sourceFolder}`, `-I${join(folder, 'zfec')}`];
  run(
    'g++',
    ['-std=c++20', '-O3', '-fPIC', '-shared', ...includes, join(sourceFolder, 'zfec.cc'), object, '-o', library],
    outFolder,
  );
  return library;
}

export function installZfec(note: (line: string) => void): string | null {
  const folder = join(outFolder, 'python');
  if (existsSync(join(folder, 'zfec'))) return folder;
  try {
    run('python3', ['-m', 'pip', 'install', '--quiet', '--target', folder, `zfec==${zfecVersion}`], outFolder);
    return folder;
  } catch (error) {
    note(`left out: zfec with hashlib (pip): ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}

/** Linked with the very objects that the addon was linked from. */
function buildDriver(): string {
  run('node', [join(nativeFolder, 'build.js')], outFolder);
  const objectFolder = join(nativeFolder, 'build/objects');
  const core = readdirSync(objectFolder).filter(
    (file) => /^(codec|hash|isa)--.*\.o$/.test(file) && !/--binding/.test(file),
  );
  const driver = join(outFolder, 'driver');
  const objects = core.map((file) => join(objectFolder, file));
  const includes = [`-I${nativeFolder}`, `-I${sourceFolder}`];
  run(
    'g++',
    ['-std=c++20', '-O2', ...includes, join(sourceFolder, 'driver.cc'), ...objects, '-o', driver, '-ldl', '-pthread'],
    outFolder,
  );
  return driver;
}

function run(command: string, args: readonly string[], cwd: string): void {
  const { status, error, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command}: ${error?.message ?? stderr.trim().split('\n').slice(-3).join(' ')}`);
}
