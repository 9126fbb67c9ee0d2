// Builds and runs the native test programs (*_test.cc) and fuzz targets (*_fuzz.cc) with other compilers, sanitizers, valgrind
// and, for ARM, an emulator:  node native/check.js [plain gcc clang address thread valgrind arm64 fuzz …]  (default: plain)
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  addonObjects,
  buildAddon,
  findSources,
  instructionsOf,
  isStarted,
  quietFlags,
  run,
  runAll,
  upToDate,
} from './build.js';

const nativeFolder = dirname(fileURLToPath(import.meta.url));
const warnings = ['-Wall', '-Wextra', '-Werror'];
const sanitized = ['-O1', '-fno-omit-frame-pointer', '-fno-sanitize-recover=all'];

/** Each way to check: how it compiles and what runs the programs. */
const ways = {
  // The objects that the addon is made from: what is tested is what runs.
  plain: { compiler: 'g++', flags: ['-O3'], isAddon: true },
  gcc: { compiler: 'g++', flags: ['-O3', ...warnings] },
  clang: { compiler: 'clang++', flags: ['-O3', ...warnings] },
  address: { compiler: 'g++', flags: [...sanitized, '-fsanitize=address,undefined'] },
  thread: { compiler: 'g++', flags: [...sanitized, '-fsanitize=thread'], arguments: ['quick'] },
  valgrind: {
    compiler: 'g++',
    flags: ['-O2'],
    runner: ['valgrind', '-q', '--leak-check=full', '--error-exitcode=9'],
    arguments: ['quick'],
  },
  arm64: {
    compiler: 'aarch64-linux-gnu-g++',
    flags: ['-O2', '-static', ...warnings],
    runner: ['qemu-aarch64'],
    arguments: ['quick'],
    arch: 'arm64',
  },
  fuzz: {
    compiler: 'clang++',
    flags: ['-O1', '-fsanitize=fuzzer,address,undefined', '-fno-sanitize-recover=all'],
    fuzzes: true,
  },
};

/** @returns a line for each program that ran; throws where one fails, a tool is missing or there is no program. */
export async function check(way, { fuzzSeconds = 20 } = {}) {
  const {
    compiler,
    flags,
    runner = [],
    arguments: programArguments = [],
    arch = process.arch,
    fuzzes = false,
    isAddon = false,
  } = ways[way];
  const programs = programSources(fuzzes);
  const folder = join(nativeFolder, 'build', 'check', way);
  mkdirSync(folder, { recursive: true });
  const common = ['-std=c++20', '-g1', '-pthread', `-I${nativeFolder}`, ...flags];

  const { status, stdout } = spawnSync(compiler, ['--version'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${compiler} is not there`);
  const version = `${compiler} ${stdout.split('\n')[0]}`;
  const compile = (path) => {
    const flags = [...common, ...instructionsOf(basename(path), arch), ...quietFlags(path, { version })];
    return upToDate(path, { command: compiler, arguments: [], version }, folder, flags);
  };
  const cores = findSources(nativeFolder, arch).filter((path) => !isNodeGlue(path));
  const objects = [];
  if (isAddon) {
    await buildAddon();
    objects.push(...addonObjects(cores));
  } else {
    await runAll(cores.map((path) => async () => objects.push(await compile(path))));
  }
  const replays = !fuzzes && programs.some((path) => path.endsWith('_fuzz.cc'));
  const replay = replays ? [await compile(join(nativeFolder, 'replay_fuzz.cc'))] : [];

  const lines = [];
  const checkProgram = async (path, at) => {
    const program = join(folder, basename(path, '.cc'));
    const isFuzz = path.endsWith('_fuzz.cc');
    const main = await compile(path);
    await succeed(compiler, [...common, main, ...(isFuzz ? replay : []), ...objects, '-o', program]);
    const args = isFuzz ? fuzzArguments(folder, path, corpusOf(path), fuzzes, fuzzSeconds) : programArguments;
    const [command, ...rest] = [...runner, program, ...args];
    const output = await succeed(command, rest);
    lines[at] = `${way}: ${fuzzes ? `${basename(program)}: ${/Done \d+ runs.*/.exec(output)?.[0]}` : output.trim()}`;
  };
  await runAll(programs.map((path, at) => () => checkProgram(path, at)));
  return lines;
}

/** A folder's one target has the folder's corpus; where there are several, each has a folder of its own name in it. */
function corpusOf(path) {
  const shared = join(dirname(path), 'fuzz-corpus');
  const own = join(shared, basename(path, '_fuzz.cc'));
  return existsSync(own) ? own : shared;
}

// New inputs that libFuzzer finds stay in the build folder; the corpus that is committed is only read.
function fuzzArguments(folder, path, corpus, fuzzes, seconds) {
  if (!fuzzes) return [corpus];
  const found = join(folder, `${basename(path, '.cc')}-found`);
  mkdirSync(found, { recursive: true });
  return [`-max_total_time=${seconds}`, `-artifact_prefix=${found}/`, found, corpus];
}

function programSources(fuzzOnly) {
  const ends = fuzzOnly ? /_fuzz\.cc$/ : /_(test|fuzz)\.cc$/;
  const found = readdirSync(nativeFolder, { withFileTypes: true, recursive: true })
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter((path) => ends.test(path) && basename(path) !== 'replay_fuzz.cc')
    .filter((path) => !/^(build|node_modules)\//.test(relative(nativeFolder, path)))
    .filter((path) => path.endsWith('_test.cc') || existsSync(join(dirname(path), 'fuzz-corpus')));
  if (found.length === 0)
    throw new Error(`no program (${fuzzOnly ? '' : '*_test.cc, '}*_fuzz.cc) below ${nativeFolder}`);
  return found.sort();
}

function isNodeGlue(path) {
  return basename(path) === 'addon.cc' || basename(path).startsWith('binding');
}

async function succeed(command, args) {
  const { code, output } = await run(command, args);
  if (code !== 0) throw new Error(`${basename(command)} ended with ${code}:\n${output.trim().slice(-4000)}`);
  return output;
}

if (isStarted(import.meta.url)) {
  const wanted = process.argv.slice(2);
  for (const way of wanted.length > 0 ? wanted : ['plain']) {
    if (!(way in ways)) {
      console.error(`"${way}" is no way to check; there are: ${Object.keys(ways).join(', ')}`);
      process.exit(2);
    }
    try {
      for (const line of await check(way)) console.log(line);
    } catch (error) {
      console.error(`${way}: ${error.message}`);
      process.exitCode = 1;
    }
  }
}
