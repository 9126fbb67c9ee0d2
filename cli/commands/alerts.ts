/** `meshward alerts`: what is wrong, who knows of it, and what people say about it. */
import type { Command } from 'commander';
import { describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import { describeAlerts, describeChanges } from '../describe-alerts.ts';
import { type ApiFlags, addApiOption, findApi } from '../mesh-address.ts';
import { parseCount } from '../quantities.ts';
import { addAckCommand } from './alert-ack.ts';
import { addAlertRulesCommand } from './alert-rules.ts';
import { addAlertShowCommand } from './alert-show.ts';
import { addSilenceCommands } from './alert-silence.ts';
import { addAlertTestCommand } from './alert-test.ts';

interface AlertsFlags extends ApiFlags {
  readonly open: boolean;
  readonly history: boolean;
  readonly limit: string;
}

export function addAlertCommands(program: Command): void {
  const command = program
    .command('alerts')
    .description('alerts that are open, and who was told of them; silence, acknowledge and test them')
    .option('--open', 'those that are open now (the default)', false)
    .option('--history', 'those that began, changed or ended, newest first', false)
    .option('--limit <count>', 'most entries of the history', '50');
  describeUse(addApiOption(command), {
    examples: ['meshward alerts', 'meshward alerts --history --limit 20'],
    exits: { 4: 'the analyzer is away' },
  });
  command.action((flags: AlertsFlags, command: Command) => list(runningContextOf(command), flags));
  addAlertShowCommand(command);
  addSilenceCommands(command);
  addAckCommand(command);
  addAlertTestCommand(command);
  addAlertRulesCommand(command);
}

async function list(context: Context, flags: AlertsFlags): Promise<void> {
  const limit = parseCount(flags.limit, '--limit', 1, 1000);
  const api = await findApi(context, flags);
  if (flags.history) {
    const changes = await api.alertHistory(limit);
    context.output.result({ changes }, () => describeChanges(changes));
    return;
  }
  const { alerts } = await api.alerts();
  context.output.result({ alerts }, () => describeAlerts(alerts, Date.now()));
}
