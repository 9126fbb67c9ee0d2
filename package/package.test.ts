/** What is published: compiled for this platform and the farthest from it, and installed from its tarball into an empty folder, without a compiler and without install scripts, it tells the story. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { softwareVersion } from '#cli/version.ts';
import { platformFolder } from '#mesh/platform.js';
import { buildPackage } from './build.ts';
import { checkAddon } from './check-addon.ts';
import { type Platform, platforms } from './platforms.ts';

const run = promisify(execFile);
const patienceMs = 600_000;
/** Of this machine, and the farthest from it by processor and C library. The other two, which share one of these with it each, cost two minutes more. */
const own = platforms.find(({ name }) => name === platformFolder()) as Platform;
const far = platforms.find(({ arch, libc }) => arch !== own.arch && libc !== own.libc) as Platform;
const compiled = [own, far];
/** Two compilations, beside other tests, where nothing is compiled yet. */
const compilingMs = 1_800_000;
/** Of the tarball, with the sources of the addon and two compiled. */
const maxPackedBytes = 3.5 * 1024 * 1024;

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

let folder: string;
let packed: Packed;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meshward-package-'));
  await buildPackage(join(folder, 'made'), compiled);
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: join(folder, 'made'),
    maxBuffer: 64 * 1024 * 1024,
  });
  [packed] = JSON.parse(stdout) as [Packed];
}, compilingMs);
afterAll(() => rm(folder, { recursive: true, force: true }));

test('it holds what runs, and neither tests nor fixtures nor anything that only tests need', () => {
  const paths = packed.files.map(({ path }) => path);
  console.log(`${paths.length} files, ${packed.size} bytes packed, ${packed.unpackedSize} unpacked`);
  const strange = paths.filter((path) =>
    /\.test\.|\/testing\/|fixtures|(^|\/)test\/|_test\.cc|_fuzz\.cc|\.ts$|^bench|renderer/.test(
      path.replace(/\.d\.ts$/, ''),
    ),
  );
  expect(strange).toEqual([]);
  const addons = compiled.map(({ name }) => `native/prebuilt/${name}/meshward.node`);
  expect(paths).toEqual(expect.arrayContaining(['cli/bin.js', 'cli/main.js', ...addons, 'LICENSE', 'CHANGELOG.md']));
  expect(packed.size).toBeLessThan(maxPackedBytes);
});

describe('the addon', () => {
  test('is checked as it is made: one of another processor and another C library is none', async () => {
    const pathOf = ({ name }: Platform): string => join(folder, 'made/native/prebuilt', name, 'meshward.node');
    await checkAddon(own, pathOf(own));
    await checkAddon(far, pathOf(far));
    const wrong = /it is for the processor .*; it wants libc\.so.*versions of another C library/;
    await expect(checkAddon(far, pathOf(own))).rejects.toThrow(wrong);
    await expect(checkAddon(own, pathOf(far))).rejects.toThrow(wrong);
  });

  test('of this machine loads, runs at every level of its processor, and throws as C++ does', async () => {
    const load = `const addon = require(process.argv[1]);
      for (const level of addon.isaLevelsSupported()) if (!addon.setIsaLevel(level)) throw new Error(level);
      try { addon.setIsaLevel(Symbol()); } catch (error) { console.log(error.message); }`;
    const addon = join(folder, 'made/native/prebuilt', platformFolder(), 'meshward.node');
    const { stdout } = await run(process.execPath, ['-e', load, addon]);
    expect(stdout.trim()).toBe('setIsaLevel wants a name');
    console.log(`loaded here: ${own.name}; read, and not loaded: ${far.name}`);
  });

  test('is said to be missing for a platform that the package does not bring, with what would help', async () => {
    const other = `data:text/javascript,Object.defineProperty(process,'arch',{value:'riscv64'})`;
    const load = `import('${join(folder, 'made/native/load.js')}').then(({ loadNative }) => loadNative())
      .catch((error) => console.log(error.message, error.next))`;
    const options = { env: { CXX: '/no/compiler' }, cwd: folder };
    const { stdout } = await run(process.execPath, ['--import', other, '-e', load], options);
    expect(stdout).toContain(
      `compiled for ${compiled
        .map(({ name }) => name)
        .sort()
        .join(', ')}`,
    );
    expect(stdout).toContain('this machine is linux-riscv64');
    expect(stdout).toContain('Install g++ 12 or later (Debian: apt-get install g++; Alpine: apk add g++)');
  });
});

test('installed into an empty folder, with no compiler and no install script, it tells the story to its end', {
  timeout: patienceMs,
}, async () => {
  const project = join(folder, 'project');
  await run('mkdir', [project]);
  await writeFile(join(project, 'package.json'), '{"private": true}\n');
  const install = ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
  await run('npm', [...install, join(folder, packed.filename)], { cwd: project, timeout: patienceMs });
  // Node and the shell, and nothing that compiles.
  const environment = {
    PATH: [dirname(process.execPath), '/bin-of-nothing'].join(delimiter),
    CXX: '/no/compiler',
    HOME: folder,
  };
  const meshward = (...words: readonly string[]) =>
    run(process.execPath, [join(project, 'node_modules/meshward/cli/bin.js'), ...words], {
      cwd: project,
      env: environment,
      timeout: patienceMs,
      maxBuffer: 64 * 1024 * 1024,
    });
  expect((await meshward('--version')).stdout.trim()).toBe(softwareVersion);
  const ports = ['api.port', 'collector.port', 'collector.opsPort', 'repairer.port'].flatMap((key) => [
    '--set',
    `${key}=0`,
  ]);
  const { stdout } = await meshward('--json', ...ports, 'demo', '--once', '--max-files', '10', '--patience', '5');
  const { promises } = JSON.parse(stdout) as { promises: { promise: string; kept: boolean }[] };
  expect(promises.filter(({ kept }) => !kept)).toEqual([]);
  expect(promises.length).toBeGreaterThan(0);
  // Nothing was compiled where it stands.
  expect(await readdir(join(project, 'node_modules/meshward/native'))).not.toContain('build');
});

test('in a root of its own, as an image lays it out, with Node and its libraries and nothing else, it starts and loads the addon', {
  timeout: patienceMs,
}, async () => {
  const root = join(folder, 'root');
  const modules = join(folder, 'project/node_modules');
  await run('mkdir', ['-p', join(root, 'nodejs/bin'), join(root, 'tmp')]);
  await run('cp', [process.execPath, join(root, 'nodejs/bin/node')]);
  const addon = join(modules, 'meshward/native/prebuilt', platformFolder(), 'meshward.node');
  const { stdout } = await run('ldd', [process.execPath, addon]);
  const libraries = new Set([...stdout.matchAll(/(\/\S+\.so\S*) \(/g)].map(([, path]) => path as string));
  for (const path of libraries) await run('cp', ['--parents', '-L', path, root]);
  await run('cp', ['-al', join(modules, 'meshward'), join(root, 'app')]);
  // As the image of services does it: without the library of the database.
  const { stdout: names } = await run('ls', [modules]);
  await run('mkdir', [join(root, 'app/node_modules')]);
  for (const name of names
    .trim()
    .split('\n')
    .filter((each) => !/chdb|^meshward$/.test(each)))
    await run('cp', ['-al', join(modules, name), join(root, 'app/node_modules', name)]);
  const inRoot = (...words: readonly string[]) =>
    run('unshare', ['--map-root-user', `--root=${root}`, '/nodejs/bin/node', ...words], {
      env: {},
      timeout: patienceMs,
    });
  expect((await inRoot('/app/cli/main.js', '--version')).stdout.trim()).toBe(softwareVersion);
  expect((await inRoot('/app/cli/main.js', 'keys', 'create', '/tmp/keys')).stdout).toContain('may command');
  const load = "import('/app/native/load.js').then(({ isaLevel }) => console.log(isaLevel()))";
  expect((await inRoot('-e', load)).stdout.trim()).toMatch(/^[a-z0-9]+$/);
});
