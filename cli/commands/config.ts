/** `meshward config` and `meshward doctor`: what is configured, and whether everything is in order. */
import type { Command } from 'commander';
import { configKeys } from '#mesh/config/schema.ts';
import { describeUse } from '../command-help.ts';
import { contextOf, type GlobalOptions } from '../context.ts';
import { describeKeys, renderConfig, shownConfig } from '../describe-config.ts';
import { createOutput } from '../output.ts';
import { addDoctorCommand } from './doctor.ts';

interface ConfigFlags {
  readonly keys: boolean;
}

export function addConfigCommands(program: Command): void {
  const command = program
    .command('config')
    .description('the effective configuration as YAML, with where each value came from')
    .option('--keys', 'list every key with its unit, default, meaning and environment variable', false);
  describeUse(command, {
    examples: ['meshward config', 'meshward --set api.port=8080 config', 'meshward config --keys'],
    notes: ['Secrets are shown as (secret). Without them, what is printed is a configuration file again.'],
  });
  command.action((flags: ConfigFlags, command: Command) => showConfig(flags, command));
  addDoctorCommand(program);
}

function showConfig(flags: ConfigFlags, command: Command): void {
  if (flags.keys) {
    // Without the configuration itself: this is what helps where that one is wrong.
    const keys = configKeys();
    createOutput(command.optsWithGlobals<GlobalOptions>()).result({ keys }, () => describeKeys(keys));
    return;
  }
  const { effective, output } = contextOf(command);
  output.result(shownConfig(effective), () => renderConfig(effective));
}
