/**
 * Makes the folder that is published as an npm package and copied into images: what `meshward` needs to run and nothing else, its
 * TypeScript stripped of types (Node does not strip below node_modules), the addon compiled for this machine.
 *
 *   node package/build.ts [FOLDER] [--every-platform]      by default .meshward/package, with an addon for this machine alone
 */
import { chmod, copyFile, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { basename, dirname, join, normalize, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { platformFolder } from '../mesh/platform.js';
import { buildAddon } from '../native/build.js';
import { buildLauncher } from '../store/embedded/build-launcher.js';
import { type Compiled, compileFor } from './cross-compile.ts';
import { type Platform, platforms } from './platforms.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Modules that processes and workers begin with. */
const entries = [
  'cli/main.ts',
  'cli/bin.js',
  'cli/prepare.js',
  'demo/peer-host.ts',
  'log/embedded/store-worker.ts',
  'native/build.js',
];

/** What modules read from beside them, and what people read. */
const assets = [
  'dashboards/page/assets',
  'dashboards/prometheus/alerts.yaml',
  'dashboards/prometheus/recording.yaml',
  'dashboards/provisioning',
  'dashboards/runbooks',
  'mesh/generated',
  'store/embedded/launcher.c',
  'charts/meshward',
  'docs',
  'LICENSE',
  'README.md',
  'CHANGELOG.md',
];

/** Pictures stay with the sources. */
const leftOut = [/^docs\/images\//, /^charts\/meshward\/(ci|tests)\//, /\.test\.ts$/, /\/runbook-routes\.ts$/];

/** For whom it holds what is native, compiled: this machine, with its own compiler, or these platforms. */
export type CompiledFor = 'this-machine' | readonly Platform[];

export async function buildPackage(folder: string, compiledFor: CompiledFor): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  const modules = await closureOf(entries);
  for (const path of modules) await writeModule(path, folder);
  for (const path of [...assets, ...(await filesBeside(modules))]) await copyAsset(path, folder);
  await copyNative(folder, compiledFor === 'this-machine' ? [await compileHere()] : await compileFor(compiledFor));
  await writeFile(join(folder, 'package.json'), `${JSON.stringify(await manifest(modules), null, 2)}\n`);
}

/** Every module that these lead to: by import, by import(), and by URL beside a module. */
async function closureOf(first: readonly string[]): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  const waiting = [...first];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (found.has(path)) continue;
    found.add(path);
    const text = await readFile(join(root, path), 'utf8');
    const named = text.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*|new URL\()'([.#][^']*\.(?:ts|js))'/g);
    for (const { 0: whole, 1: name = '', index } of named) {
      if (whole.startsWith('from') && isTypeOnly(text, index)) continue;
      waiting.push(name.startsWith('#') ? name.slice(1) : normalize(join(dirname(path), name)));
    }
  }
  return found;
}

/** What modules read from beside them by its name. */
async function filesBeside(modules: ReadonlySet<string>): Promise<readonly string[]> {
  const found: string[] = [];
  for (const path of modules) {
    const text = await readFile(join(root, path), 'utf8');
    for (const [, name = ''] of text.matchAll(/new URL\('(\.[^']*\.(?:html|css|svg|json|txt))', import\.meta\.url\)/g))
      found.push(normalize(join(dirname(path), name)));
  }
  return found;
}

/** `import type … from` leaves nothing behind. @param at where its `from` stands. */
function isTypeOnly(text: string, at: number): boolean {
  const before = `\n${text.slice(0, at)}`;
  const begin = Math.max(before.lastIndexOf('\nimport '), before.lastIndexOf('\nexport '));
  return /^\n(import|export) type\b/.test(before.slice(begin));
}

async function writeModule(path: string, folder: string): Promise<void> {
  const text = await readFile(join(root, path), 'utf8');
  const target = join(folder, path.replace(/\.ts$/, '.js'));
  await mkdir(dirname(target), { recursive: true });
  const plain = path.endsWith('.ts') ? stripTypeScriptTypes(text) : text;
  await writeFile(target, plain.replaceAll(/'([.#][^'\n]*)\.ts'/g, "'$1.js'"));
  if (path === 'cli/bin.js') await chmod(target, 0o755);
}

async function copyAsset(path: string, folder: string): Promise<void> {
  await cp(join(root, path), join(folder, path), {
    recursive: true,
    filter: (source) => !leftOut.some((pattern) => pattern.test(source.slice(root.length))),
  });
}

async function compileHere(): Promise<Compiled> {
  await buildAddon();
  return {
    platform: platformFolder(),
    addon: join(root, 'native/build/meshward.node'),
    launcher: await buildLauncher(),
  };
}

/** C++ for machines without a compiled addon, and the compiled ones. */
async function copyNative(folder: string, compiled: readonly Compiled[]): Promise<void> {
  const sources = await readdir(join(root, 'native'), { recursive: true });
  for (const name of sources) {
    if (!/\.(cc|h)$/.test(name) || /_(test|fuzz)\.cc$/.test(name) || name.startsWith('build/')) continue;
    await copyInto(join(root, 'native', name), join(folder, 'native', name));
  }
  for (const { platform, addon, launcher } of compiled) {
    const prebuilt = join(folder, 'native/prebuilt', platform);
    await copyInto(addon, join(prebuilt, 'meshward.node'));
    if (launcher !== null) await copyInto(launcher, join(prebuilt, basename(launcher)));
  }
}

async function copyInto(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await copyFile(from, to);
}

interface Manifest {
  readonly [name: string]: unknown;
  readonly imports: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

async function manifest(modules: ReadonlySet<string>): Promise<object> {
  const own = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Manifest;
  const rooms = new Set([...modules].map((path) => path.split('/')[0]));
  const { name, version, description, license, type, bin, dependencies, imports, overrides } = own;
  // Only who uses the embedded database needs its library, which is half a gigabyte: --omit=optional leaves it out.
  const { chdb, ...needed } = dependencies;
  return {
    name,
    version,
    description,
    license,
    type,
    bin,
    engines: { node: '>=24' },
    imports: Object.fromEntries(Object.entries(imports).filter(([key]) => rooms.has(key.slice(1, -2)))),
    dependencies: needed,
    optionalDependencies: { chdb },
    overrides,
  };
}

if (import.meta.main) {
  const words = process.argv.slice(2);
  const [named] = words.filter((word) => !word.startsWith('--'));
  const folder = resolve(named ?? join(root, '.meshward/package'));
  await buildPackage(folder, words.includes('--every-platform') ? platforms : 'this-machine');
  process.stdout.write(`${folder}\n`);
}
