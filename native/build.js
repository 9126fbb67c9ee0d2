// Compiles the C++ sources of this folder into build/meshward.node with the system's compiler: nothing is downloaded.
// Run by npm's postinstall and, where that was switched off, by load.ts on first use. Plain JavaScript for Node 20 and later.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withBuildLock } from './build-lock.js';

const nativeFolder = dirname(fileURLToPath(import.meta.url));
const buildFolder = join(nativeFolder, 'build');
const parallelJobs = 2;

// The end of a source file's name says which instructions it may use; every other file runs on any processor.
const instructionFlags = {
  x64: {
    ssse3: ['-mssse3'],
    avx2: ['-mavx2'],
    avx512: ['-mavx2', '-mavx512f', '-mavx512bw', '-mavx512vl', '-mavx512dq'],
    gfni: ['-mavx2', '-mavx512f', '-mavx512bw', '-mavx512vl', '-mavx512dq', '-mgfni'],
    shani: ['-mssse3', '-msse4.1', '-msha'],
  },
  arm64: { neon: [] },
};

const addonName = 'meshward.node';
export const addonPath = join(buildFolder, addonName);

/** What a failed build leaves to the reader: `message` says what failed, `next` what to do. */
export class BuildError extends Error {
  constructor(message, next) {
    super(message);
    this.name = 'BuildError';
    this.next = next;
  }
}

const thisMachine = {
  platform: process.platform,
  arch: process.arch,
  folder: buildFolder,
  compiler: null,
  linkFlags: [],
};

/**
 * Brings meshward.node in the machine's folder up to date; only one process builds there at a time. Returns how many files were compiled.
 * @param machine for which it is: this one, with the compiler that is found here, or another, with a compiler for it.
 */
export async function buildAddon(machine = thisMachine) {
  const objectsFolder = join(machine.folder, 'objects');
  mkdirSync(objectsFolder, { recursive: true });
  return withBuildLock(join(machine.folder, 'lock'), async () => {
    removeUnfinished(machine.folder, objectsFolder);
    const compiler = machine.compiler ?? findCompiler();
    const sources = findSources(nativeFolder, machine.arch);
    const objects = sources.map((path) => planAddonObject(path, compiler, machine.arch, objectsFolder));
    const stale = objects.filter((object) => !isFresh(object));
    await runAll(stale.map((object) => () => compile(object, compiler)));
    if (stale.length > 0 || !isLinked(objects, machine.folder)) link(objects, compiler, machine);
    return stale.length;
  });
}

// Whoever holds the lock is the only one that writes here: what has the name of something under way was left by a crash.
function removeUnfinished(...folders) {
  for (const folder of folders) {
    const left = readdirSync(folder).filter((name) => /\.(o|node)\.\d+$/.test(name));
    for (const name of left) rmSync(join(folder, name), { force: true });
  }
}

/** Every .cc file below the folder that this processor can use; tests and fuzz targets have programs of their own. */
export function findSources(folder, arch = process.arch) {
  const found = [];
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath ?? entry.path, entry.name);
    const local = relative(nativeFolder, path);
    if (!entry.isFile() || !entry.name.endsWith('.cc') || /^(build|node_modules)\//.test(local)) continue;
    if (/_(test|fuzz)\.cc$/.test(entry.name)) continue;
    if (instructionsOf(entry.name, arch) !== null) found.push(path);
  }
  return found.sort((a, b) => (a < b ? -1 : 1));
}

/** The extra flags of a source file by the end of its name; null where the file is for another processor. */
export function instructionsOf(fileName, arch = process.arch) {
  const suffix = /_([a-z0-9]+)\.cc$/.exec(fileName)?.[1] ?? '';
  for (const [ownArch, bySuffix] of Object.entries(instructionFlags)) {
    if (suffix in bySuffix) return ownArch === arch ? bySuffix[suffix] : null;
  }
  return [];
}

export function findCompiler() {
  const own = process.env.CXX?.trim() ?? '';
  const wanted = own === '' ? ['g++', 'c++', 'clang++'] : [own];
  for (const candidate of wanted) {
    const [command, ...args] = existsSync(candidate) ? [candidate] : wordsOf(candidate);
    const answer = spawnSync(command, [...args, '--version'], { encoding: 'utf8' });
    if (answer.status === 0) return { command, arguments: args, version: answer.stdout.split('\n')[0] };
  }
  throw new BuildError(
    `no C++ compiler found (tried ${wanted.join(', ')})`,
    'Install g++ 12 or later (Debian: apt-get install g++; Alpine: apk add g++), or point CXX at one, then run: node native/build.js',
  );
}

// CXX is a command as make takes it: "ccache g++", "g++ -m64"; what holds white space stands in quotes.
function wordsOf(command) {
  const words = command.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? [command];
  return words.map((word) => word.replaceAll(/["']/g, ''));
}

function commonFlags() {
  const require = createRequire(import.meta.url);
  const addonApi = dirname(require.resolve('node-addon-api'));
  const headers = require('node-api-headers').include_dir;
  const language = ['-std=c++20', '-O3', '-g1', '-Wall', '-Wextra', '-fPIC', '-fvisibility=hidden', '-pthread'];
  const strict = process.env.MESHWARD_WERROR ? ['-Werror'] : [];
  const node = [
    '-DNAPI_VERSION=9',
    '-DNODE_ADDON_API_CPP_EXCEPTIONS',
    '-DNODE_ADDON_API_CPP_EXCEPTIONS_ALL',
    // A thread that is ending takes no exception: to throw one there would end the process.
    '-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
    '-isystem',
    addonApi,
    '-isystem',
    headers,
  ];
  return [...language, ...strict, ...node, `-I${nativeFolder}`];
}

function planAddonObject(path, compiler, arch, objectsFolder) {
  const flags = [
    ...commonFlags(),
    ...instructionsOf(basename(path), arch),
    ...quietFlags(path, compiler),
    ...partFlags(path),
  ];
  return planObject(path, compiler, objectsFolder, flags);
}

/** The addon's object of each source; they must have been brought up to date. */
export function addonObjects(paths) {
  const compiler = findCompiler();
  return paths.map((path) => planAddonObject(path, compiler, process.arch, join(buildFolder, 'objects')).object);
}

/** Compiles what is stale. @returns the path of the object. */
export async function upToDate(path, compiler, folder, flags) {
  const object = planObject(path, compiler, folder, flags);
  if (!isFresh(object)) await compile(object, compiler);
  return object.object;
}

function isFresh(object) {
  return readKey(object) === object.currentKey();
}

function planObject(path, compiler, folder, flags) {
  const name = relative(nativeFolder, path).replaceAll('/', '--').replace(/\.cc$/, '');
  const object = join(folder, `${name}.o`);
  const dependencyFile = object.replace(/\.o$/, '.d');
  const currentKey = () => keyOf(path, flags, compiler, dependencyFile);
  return { path, object, flags, dependencyFile, keyFile: object.replace(/\.o$/, '.key'), currentKey };
}

// GCC's own AVX-512 header uses a variable before it is set, on purpose, and its -Wall says so at every call.
export function quietFlags(path, compiler) {
  const usesHeader = /_(avx512|gfni)\.cc$/.test(path);
  return usesHeader && !compiler.version.includes('clang') ? ['-Wno-maybe-uninitialized', '-Wno-uninitialized'] : [];
}

// addon.cc registers each part whose binding is there, so that parts can come and go by their folder alone.
function partFlags(path) {
  if (basename(path) !== 'addon.cc') return [];
  return readdirSync(nativeFolder)
    .filter((folder) => existsSync(join(nativeFolder, folder, 'binding.cc')))
    .map((folder) => `-DMESHWARD_WITH_${folder.replaceAll('-', '_').toUpperCase()}`);
}

/** A digest of everything that an object is made from: machine, compiler, flags, the source and our headers that it includes. */
function keyOf(path, flags, compiler, dependencyFile) {
  const hash = createHash('sha256').update(JSON.stringify([process.platform, process.arch, compiler, flags]));
  const listed = existsSync(dependencyFile) ? dependenciesOf(readFileSync(dependencyFile, 'utf8')) : [];
  for (const file of new Set([path, ...listed])) {
    hash.update(file).update(existsSync(file) ? readFileSync(file) : 'missing');
  }
  return hash.digest('hex');
}

/**
 * The files that a make rule written by the compiler depends on. As make has it, a space preceded by 2n + 1 backslashes is n of
 * them and a space of the name; after 2n it ends the name. `#` and `:` are escaped by one backslash, `$` by another.
 */
function dependenciesOf(rule) {
  const names = rule
    .slice(rule.indexOf(':') + 1)
    .replaceAll(/\\\r?\n/g, ' ')
    .replaceAll(/(\\*)(\s)/g, (_, slashes, space) => {
      return '\\'.repeat(Math.floor(slashes.length / 2)) + (slashes.length % 2 === 1 ? space : '\0');
    })
    .replaceAll(/\\([#:])/g, '$1')
    .replaceAll(/\$\$/g, () => '$');
  return names.split('\0').filter((name) => name !== '');
}

function readKey(object) {
  return existsSync(object.object) && existsSync(object.keyFile) ? readFileSync(object.keyFile, 'utf8') : null;
}

async function compile(object, compiler) {
  const temporary = `${object.object}.${process.pid}`;
  const local = relative(nativeFolder, object.path);
  const args = [
    ...object.flags,
    '-MMD',
    '-MF',
    object.dependencyFile,
    '-MT',
    'object',
    '-c',
    object.path,
    '-o',
    temporary,
  ];
  const { code, output } = await run(compiler.command, [...compiler.arguments, ...args]);
  if (code !== 0) {
    rmSync(temporary, { force: true });
    throw new BuildError(
      `${compiler.command} (${compiler.version}) could not compile native/${local}:\n${output.trim()}`,
      'The sources need C++20: use g++ 12 or clang 14 or later (set CXX to choose), then run: node native/build.js',
    );
  }
  if (output.trim() !== '') process.stderr.write(`${output.trim()}\n`);
  renameSync(temporary, object.object);
  writeFileSync(object.keyFile, object.currentKey());
}

function isLinked(objects, folder) {
  const list = join(folder, 'linked');
  return existsSync(join(folder, addonName)) && existsSync(list) && readFileSync(list, 'utf8') === linkKey(objects);
}

function linkKey(objects) {
  return objects.map((object) => `${object.object} ${readKey(object)}`).join('\n');
}

// Linked beside and renamed: processes that run the old addon keep it, and nobody ever sees half a file.
function link(objects, compiler, { platform, folder, linkFlags }) {
  const target = join(folder, addonName);
  const temporary = `${target}.${process.pid}`;
  const shared = platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared', '-Wl,--as-needed'];
  const inputs = objects.map((object) => object.object);
  const args = [...compiler.arguments, ...shared, ...linkFlags, '-pthread', ...inputs, '-o', temporary];
  const answer = spawnSync(compiler.command, args, { encoding: 'utf8' });
  if (answer.status !== 0) {
    rmSync(temporary, { force: true });
    throw new BuildError(
      `${compiler.command} could not link the addon:\n${answer.stderr.trim()}`,
      'Report this with the output above.',
    );
  }
  renameSync(temporary, target);
  writeFileSync(join(folder, 'linked'), linkKey(objects));
}

export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}

/** Runs the tasks a few at a time; after a failure starts no more, waits for those under way and throws the first error. */
export async function runAll(tasks) {
  const waiting = [...tasks];
  const failures = [];
  const worker = async () => {
    for (let task = waiting.shift(); task !== undefined && failures.length === 0; task = waiting.shift()) {
      await task().catch((error) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: parallelJobs }, worker));
  for (const error of failures) throw error;
}

/** Whether Node was started with this module, be it through a link to its folder. */
export function isStarted(moduleUrl) {
  const script = process.argv[1];
  return script !== undefined && existsSync(script) && realpathSync(script) === fileURLToPath(moduleUrl);
}

if (isStarted(import.meta.url)) {
  const startedMs = performance.now();
  try {
    const compiled = await buildAddon();
    if (compiled > 0)
      console.log(
        `native addon: ${compiled} files compiled in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`,
      );
  } catch (error) {
    console.error(`native addon: ${error.message}`);
    if (error.next !== undefined) console.error(`What to do: ${error.next}`);
    process.exitCode = 1;
  }
}
