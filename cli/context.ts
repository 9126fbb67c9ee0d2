/** What every command starts from: the effective configuration and where things are on this machine. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { type EffectiveConfig, loadConfig } from '#mesh/config/load.ts';
import type { Config } from '#mesh/config/schema.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { createOutput, type Output } from './output.ts';
import { runningSettings } from './running-settings.ts';
import type { ColourWish } from './terminal/colour.ts';

export interface GlobalOptions {
  readonly config?: string;
  readonly dataDir?: string;
  readonly set: readonly string[];
  readonly kafka?: string;
  readonly clickhouse?: string;
  readonly json: boolean;
  readonly color: ColourWish;
  /** Of commands that list something. */
  readonly csv?: boolean;
}

export interface Context {
  readonly effective: EffectiveConfig;
  readonly config: Config;
  readonly dataDir: string;
  readonly output: Output;
  /** The global options again, for a child process of the same configuration. */
  readonly globalArguments: readonly string[];
}

const defaultConfigFile = 'meshward.yaml';

export function contextOf(command: Command, forced: Readonly<Record<string, unknown>> = {}): Context {
  const options = command.optsWithGlobals<GlobalOptions>();
  const file =
    options.config ?? process.env['MESHWARD_CONFIG'] ?? (existsSync(defaultConfigFile) ? defaultConfigFile : undefined);
  const shorthands = shorthandsOf(options);
  const flags: Record<string, unknown> = { ...forced, ...shorthands };
  if (options.dataDir !== undefined) flags['dataDir'] = options.dataDir;
  for (const setting of options.set) {
    const at = setting.indexOf('=');
    if (at < 1) {
      throw new MeshwardError('bad-input', `--set ${setting.slice(0, 60)} has no value`, {
        next: 'Write --set KEY=VALUE, such as --set api.port=8080.',
      });
    }
    flags[setting.slice(0, at)] = setting.slice(at + 1);
  }
  const effective = loadConfig({ file, environment: process.env, flags });
  const dataDir = resolve(effective.config.dataDir);
  return {
    effective,
    config: effective.config,
    dataDir,
    output: createOutput(options),
    globalArguments: [
      ...(file === undefined ? [] : ['--config', resolve(file)]),
      '--data-dir',
      dataDir,
      // The last one counts: what was asked for stands after what is forced.
      ...settingsArguments({ ...forced, ...shorthands }),
      ...options.set.flatMap((setting) => ['--set', setting]),
    ],
  };
}

/** Settings as flags of a child process. */
export function settingsArguments(settings: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(settings).flatMap(([key, value]) => [
    '--set',
    `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  ]);
}

/** `--kafka` and `--clickhouse` name servers, and that they are to be used. */
function shorthandsOf({ kafka, clickhouse }: GlobalOptions): Readonly<Record<string, unknown>> {
  const list = (text: string): string[] => text.split(',').map((part) => part.trim());
  return {
    ...(kafka === undefined ? {} : { 'log.adapter': 'kafka', 'kafka.brokers': list(kafka) }),
    ...(clickhouse === undefined ? {} : { 'clickhouse.mode': 'external', 'clickhouse.urls': list(clickhouse) }),
  };
}

/** Where `meshward demo` lives unless it is told otherwise. */
export const demoDataDir = '.meshward/demo';

/**
 * For commands that talk to a mesh: where no data directory is named and nothing runs in the usual one, a demonstration that
 * runs in this folder is meant.
 */
export function runningContextOf(command: Command): Context {
  const context = contextOf(command);
  const isNamed = context.effective.origins.get('dataDir') !== 'default';
  const hasRun = (dataDir: string): boolean => existsSync(join(dataDir, 'run.json'));
  const isDemo = !isNamed && !hasRun(context.dataDir) && hasRun(demoDataDir);
  return withRunningSettings(command, isDemo ? contextOf(command, { dataDir: demoDataDir }) : context);
}

/** What runs may have been told its servers by flags: where nothing else says, its run file does. */
function withRunningSettings(command: Command, context: Context): Context {
  const { origins } = context.effective;
  const running = Object.entries(runningSettings(join(context.dataDir, 'run.json')));
  const untold = running.filter(([key]) => origins.get(key) === 'default');
  if (untold.length === 0) return context;
  return contextOf(command, { ...Object.fromEntries(untold), dataDir: context.config.dataDir });
}

/** Folders below the data directory. */
export function foldersOf(dataDir: string, config: Config) {
  return {
    log: config.log.directory === '' ? join(dataDir, 'log') : resolve(config.log.directory),
    clickhouse: join(dataDir, 'clickhouse'),
    collectorKey: join(dataDir, 'collector'),
    operatorKey: join(dataDir, 'operator'),
    repairer: join(dataDir, 'repairer'),
    runFile: join(dataDir, 'run.json'),
  } as const;
}
