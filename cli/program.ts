/** The command line: global options here, one file for each family of commands. */
import { Command } from 'commander';
import { redactCaps } from '#mesh/redact.ts';
import { choiceOption } from './choices.ts';
import { everyCommand } from './command-tree.ts';
import { addAccessCommands } from './commands/access.ts';
import { addAlertCommands } from './commands/alerts.ts';
import { addAskCommand } from './commands/ask.ts';
import { addBackupCommands } from './commands/backup.ts';
import { addCampaignCommands } from './commands/campaign.ts';
import { addCompletionCommands } from './commands/completion.ts';
import { addConfigCommands } from './commands/config.ts';
import { addDashboardCommands } from './commands/dashboards.ts';
import { addDatabaseCommands } from './commands/database.ts';
import { addDeadLetterCommands } from './commands/dead-letters.ts';
import { addDemoCommands } from './commands/demo.ts';
import { addFileCommands } from './commands/file.ts';
import { addKeysCommands } from './commands/keys.ts';
import { addOperatorCommands } from './commands/operator.ts';
import { addPeerCommands } from './commands/peer.ts';
import { addRecoverCommands } from './commands/recover.ts';
import { addRepairCommands } from './commands/repair.ts';
import { addScheduleCommands } from './commands/schedule.ts';
import { addServiceCommands } from './commands/service.ts';
import { addServiceInstallCommand } from './commands/service-install.ts';
import { addShareCommands } from './commands/share.ts';
import { addStatusCommand } from './commands/status.ts';
import { addTopicsCommands } from './commands/topics.ts';
import { addUpCommand } from './commands/up.ts';
import { colourWishes } from './terminal/colour.ts';
import { softwareVersion } from './version.ts';

export function createProgram({ json }: { readonly json: boolean } = { json: false }): Command {
  const program = new Command('meshward')
    .description('Watches a storage mesh and mends it: could every file be recovered right now?')
    .version(softwareVersion)
    .option('--config <file>', 'configuration file (YAML); without it meshward.yaml in this folder, if there is one')
    .option('--data-dir <dir>', 'where the embedded log and database, keys and run files live')
    .option('--set <key=value>', 'set a configuration key; may be given several times', collect, [])
    .option('--kafka <brokers>', 'keep the log on Kafka: HOST:PORT,… (sets log.adapter and kafka.brokers)')
    .option('--clickhouse <urls>', 'use your ClickHouse: URL,… (sets clickhouse.mode and clickhouse.urls)')
    .option('--json', 'print results as JSON', false)
    .addOption(
      choiceOption(
        '--color <when>',
        'colour; auto follows NO_COLOR, FORCE_COLOR and the terminal',
        colourWishes,
      ).default('auto'),
    )
    .configureOutput({
      outputError: (text, write) => write(redactCaps(text)),
      // Programs are told of a mistake as of any other error.
      ...(json ? { writeErr: () => undefined } : {}),
    })
    .configureHelp({ sortSubcommands: false });
  addUpCommand(program);
  addDemoCommands(program);
  addServiceCommands(program);
  addStatusCommand(program);
  addFileCommands(program);
  addAskCommand(program);
  addPeerCommands(program);
  addAlertCommands(program);
  addCampaignCommands(program);
  addScheduleCommands(program);
  addRepairCommands(program);
  addOperatorCommands(program);
  addAccessCommands(program);
  addKeysCommands(program);
  addServiceInstallCommand(program);
  addShareCommands(program);
  addBackupCommands(program);
  addRecoverCommands(program);
  addDeadLetterCommands(program);
  addTopicsCommands(program);
  addDatabaseCommands(program);
  addDashboardCommands(program);
  addConfigCommands(program);
  addCompletionCommands(program);
  for (const { command, path } of everyCommand(program)) command.showHelpAfterError(`(see ${path} --help)`);
  return program;
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}
