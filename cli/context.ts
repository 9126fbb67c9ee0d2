/** What every command starts from: the effective configuration and where things are on this machine. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { type EffectiveConfig, loadConfig } from '#mesh/config/load.ts';
import type { Config } from '#mesh/config/schema.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { createOutput, type Output } from './output.ts';

export interface GlobalOptions {
  readonly config?: string;
  readonly dataDir?: string;
  readonly set: readonly string[];
  readonly json: boolean;
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
  const flags: Record<string, unknown> = { ...forced };
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
    output: createOutput(options.json),
    globalArguments: [
      ...(file === undefined ? [] : ['--config', resolve(file)]),
      '--data-dir',
      dataDir,
      ...options.set.flatMap((setting) => ['--set', setting]),
      ...Object.entries(forced).flatMap(([key, value]) => [
        '--set',
        `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
      ]),
    ],
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
  if (isNamed || hasRun(context.dataDir) || !hasRun(demoDataDir)) return context;
  return contextOf(command, { dataDir: demoDataDir });
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
