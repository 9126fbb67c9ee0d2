/** The effective configuration: defaults, then the file, then the environment, then flags, checked as one. */
import { parse as parseYaml } from 'yaml';
import { MeshwardError } from '../errors.ts';
import { nearestWord } from '../nearest-word.ts';
import { checkPolicy, policyFor } from '../policy.ts';
import { type Problem, problemsAcrossKeys } from './across-keys.ts';
import { readConfigFile } from './read-file.ts';
import { type Config, type ConfigKey, configKeys, configSchema } from './schema.ts';

export type ConfigOrigin = 'default' | 'file' | 'environment' | 'flag';

export interface EffectiveConfig {
  readonly config: Config;
  /** Where the value of each key came from, by its path. */
  readonly origins: ReadonlyMap<string, ConfigOrigin>;
}

export interface ConfigSources {
  /** Path of a YAML file, if any. */
  readonly file?: string | undefined;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Values by path, such as `{'api.port': 7700}`; text is read as YAML. */
  readonly flags?: Readonly<Record<string, unknown>>;
}

/** @throws MeshwardError `config-invalid` naming every key that is wrong, what it was and what it may be. */
export function loadConfig(sources: ConfigSources = {}): EffectiveConfig {
  const keys = configKeys();
  const byPath = new Map(keys.map((key) => [key.path, key]));
  const origins = new Map<string, ConfigOrigin>(keys.map((key) => [key.path, 'default']));
  const tree: Record<string, unknown> = {};
  const lines = new Map<string, number>();
  const unknown: string[] = [];

  const isSection = (path: string): boolean => path === '' || keys.some((key) => key.path.startsWith(`${path}.`));
  const placeOf = (path: string, origin: ConfigOrigin): string =>
    origin === 'file' && lines.has(path) ? `file, line ${lines.get(path)}` : origin;
  const set = (path: string, value: unknown, origin: ConfigOrigin): void => {
    if (!byPath.has(path)) {
      const what = isSection(path)
        ? 'is a section of keys, and not a value'
        : `there is no such key${nearest(path, keys)}`;
      unknown.push(`${path} (${placeOf(path, origin)}): ${what}`);
      return;
    }
    assign(tree, path, value);
    origins.set(path, origin);
  };

  if (sources.file !== undefined) {
    for (const { path, value, line } of readConfigFile(sources.file, (path) => byPath.has(path), isSection)) {
      lines.set(path, line);
      if (path === '')
        unknown.push(`line ${line} of ${sources.file}: there is no \`name: value\` (a blank follows the colon)`);
      else set(path, value, 'file');
    }
  }
  for (const key of keys) {
    const value = sources.environment?.[key.environmentName];
    if (value !== undefined) set(key.path, readScalar(value, key), 'environment');
  }
  for (const name of Object.keys(sources.environment ?? {})) {
    if (isForeignVariable(name, keys)) unknown.push(`${name} (environment): there is no such key`);
  }
  for (const [path, value] of Object.entries(sources.flags ?? {})) {
    const key = byPath.get(path);
    set(path, typeof value === 'string' && key !== undefined ? readScalar(value, key) : value, 'flag');
  }

  for (const key of keys) assignSections(tree, key.path);
  const result = configSchema.safeParse(tree);
  const problems = [...unknown, ...problemsOf(result).map((problem) => explain(problem, origins, placeOf))];
  if (problems.length > 0 || !result.success) {
    throw new MeshwardError('config-invalid', `the configuration is not usable:\n  ${problems.join('\n  ')}`, {
      next: 'Mend the keys named above; `meshward config --keys` lists every key with its unit and default.',
    });
  }
  for (const rule of result.data.policies) {
    if (rule.coding !== undefined) checkPolicy(policyFor([rule], rule.coding, rule.tag ?? ''));
  }
  return { config: result.data, origins };
}

/** Variables of the same name space that are no keys: read by the native addon, tests and the launcher. */
const otherVariables: ReadonlySet<string> = new Set([
  'MESHWARD_ISA',
  'MESHWARD_CONFIG',
  'MESHWARD_SEED',
  'MESHWARD_TOKEN',
  'MESHWARD_WERROR',
]);

function isForeignVariable(name: string, keys: readonly ConfigKey[]): boolean {
  return name.startsWith('MESHWARD_') && !otherVariables.has(name) && !keys.some((key) => key.environmentName === name);
}

/** Scalars of the environment and of flags are read as YAML, but a key of text takes its text as it is. */
function readScalar(value: string, key: ConfigKey): unknown {
  if (typeof key.fallback === 'string') return value;
  try {
    return parseYaml(value) as unknown;
  } catch {
    return value;
  }
}

/** The sections above a key, where nothing in them is set: their defaults fill them. */
function assignSections(tree: Record<string, unknown>, path: string): void {
  let node: Record<string, unknown> = tree;
  for (const word of path.split('.').slice(0, -1)) {
    const section = (node[word] ??= {});
    if (typeof section !== 'object') return;
    node = section as Record<string, unknown>;
  }
}

function assign(tree: Record<string, unknown>, path: string, value: unknown): void {
  const words = path.split('.');
  let node = tree;
  for (const word of words.slice(0, -1)) node = (node[word] ??= {}) as Record<string, unknown>;
  node[words.at(-1) as string] = value;
}

function problemsOf(result: ReturnType<typeof configSchema.safeParse>): readonly Problem[] {
  if (result.success) return problemsAcrossKeys(result.data);
  return result.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }));
}

function explain(
  { path, message }: Problem,
  origins: ReadonlyMap<string, ConfigOrigin>,
  placeOf: (path: string, origin: ConfigOrigin) => string,
): string {
  const [key, origin] = [...origins].find(([each]) => path === each || path.startsWith(`${each}.`)) ?? [];
  return `${path}${key === undefined || origin === undefined ? '' : ` (${placeOf(key, origin)})`}: ${message}`;
}

function nearest(path: string, keys: readonly ConfigKey[]): string {
  const last = path.split('.').at(-1)?.toLowerCase() ?? '';
  const match = keys.find(
    (key) => key.path.toLowerCase() === path.toLowerCase() || key.path.toLowerCase().endsWith(`.${last}`),
  );
  const near =
    match?.path ??
    nearestWord(
      path,
      keys.map((key) => key.path),
    );
  return near === undefined ? '' : `; did you mean ${near}?`;
}
