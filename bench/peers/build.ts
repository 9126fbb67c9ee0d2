/** Builds what the codec bench measures against, from package registries, into .tools/bench-peers; what cannot be built is left out. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
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
    [['isal'], 'ISA-L', buildIsal],
    [['rssimd'], 'reed-solomon-simd', buildRust],
    [['klauspost', 'leopard'], 'klauspost/reedsolomon', buildGo],
    [['zfec'], 'zfec', buildZfec],
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

/** From the sources that a crate holds, by their own makefile: nasm is then all they need beside a compiler. */
function buildIsal(): string {
  const rust = join(sourceFolder, 'rust');
  run('cargo', ['fetch', '--quiet', '--locked'], rust);
  const metadata = JSON.parse(
    run('cargo', ['metadata', '--format-version', '1', '--all-features', '--locked', '--offline'], rust),
  ) as { packages: readonly { name: string; manifest_path: string }[] };
  const crate = metadata.packages.find(({ name }) => name === 'isal-sys');
  if (crate === undefined) throw new Error('its crate is not among the dependencies');
  const folder = join(outFolder, 'isa-l');
  cpSync(join(dirname(crate.manifest_path), 'isa-l'), folder, { recursive: true });
  const assembler = process.arch === 'x64' ? [`AS=${findNasm()}`] : [];
  const make = ['-s', '-f', 'Makefile.unx', 'lib', 'units=erasure_code', 'CFLAGS_gcc=-fPIC', 'DEBUG=', ...assembler];
  run('make', make, folder);
  const library = join(outFolder, 'libisal-peer.so');
  const includes = [`-I${sourceFolder}`, `-I${join(folder, 'include')}`];
  const inputs = [join(sourceFolder, 'isal.cc'), join(folder, 'bin/isa-l.a')];
  run('g++', ['-std=c++20', '-O2', '-fPIC', '-shared', ...includes, ...inputs, '-o', library], outFolder);
  return library;
}

/** The machine's own nasm, or where that has none and apt the one of its packages, unpacked beside the peers: that needs no root. */
function findNasm(): string {
  if (isThere('nasm')) return 'nasm';
  const folder = join(outFolder, 'nasm');
  const unpacked = join(folder, 'usr/bin/nasm');
  if (!existsSync(unpacked) && isThere('apt-get')) {
    mkdirSync(folder, { recursive: true });
    spawnSync('apt-get', ['download', '--quiet', 'nasm'], { cwd: folder });
    const file = readdirSync(folder).find((name) => /^nasm_.*\.deb$/.test(name));
    if (file !== undefined) spawnSync('dpkg', ['-x', file, '.'], { cwd: folder });
  }
  if (!existsSync(unpacked)) throw new Missing('nasm');
  return unpacked;
}

function isThere(command: string): boolean {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).error === undefined;
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

/** What to install, by command. */
const packagesOf: Readonly<Record<string, string>> = {
  cargo: 'Rust (rustup.rs, or the packages cargo and rustc)',
  go: 'Go 1.24 or later (go.dev, or the package golang)',
  nasm: 'the package nasm',
  make: 'the package make',
  gcc: 'the package gcc',
  'g++': 'the package g++',
  python3: 'the packages python3 and python3-pip',
};

class Missing extends Error {
  constructor(command: string) {
    super(`${command} is missing: install ${packagesOf[command] ?? command}`);
  }
}

/** @returns what the command wrote. @throws an error of one line. */
function run(command: string, args: readonly string[], cwd: string): string {
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error !== undefined) throw new Missing(command);
  if (status === 0) return stdout;
  const lines = stderr.split('\n').map((line) => line.trim());
  const reason = lines.find((line) => /error|fatal|No module/i.test(line)) ?? lines.findLast((line) => line !== '');
  throw new Error(`${command} ${args[0]} failed: ${reason ?? `status ${status}`}`);
}
