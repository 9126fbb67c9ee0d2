/** `meshward alerts`: what is wrong, who knows of it, and what people say about it. */
import type { Command } from 'commander';
import { describeUse } from '../command-help.ts';
import type { Context } from '../context.ts';
import { alertsView, changesView } from '../describe-alerts.ts';
import { type ApiFlags, addApiOption, findApi } from '../mesh-address.ts';
import { addNoun, addUsualCommand } from '../nouns.ts';
import { parseCount } from '../quantities.ts';
import type { View } from '../terminal/view.ts';
import { showsView } from '../view-command.ts';
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
  const alerts = addNoun(program, {
    name: 'alerts',
    alias: 'alert',
    description: 'alerts that are open, and who was told of them; silence, acknowledge and test them',
  });
  const command = addUsualCommand(alerts, 'list')
    .description('alerts that are open; `meshward alerts` alone does the same')
    .option('--open', 'those that are open now (the default)', false)
    .option('--history', 'those that began, changed or ended, newest first', false)
    .option('--limit <count>', 'most entries of the history', '50');
  showsView(addApiOption(command), { list: true, state: true }, list);
  describeUse(command, {
    examples: ['meshward alerts', 'meshward alerts --watch', 'meshward alerts list --history --limit 20'],
    exits: { 4: 'the analyzer is away' },
  });
  addAlertShowCommand(alerts);
  addSilenceCommands(alerts);
  addAckCommand(alerts);
  addAlertTestCommand(alerts);
  addAlertRulesCommand(alerts);
}

async function list(context: Context, flags: AlertsFlags): Promise<View> {
  const limit = parseCount(flags.limit, '--limit', 1, 1000);
  const api = await findApi(context, flags);
  return flags.history
    ? changesView(await api.alertHistory(limit))
    : alertsView((await api.alerts()).alerts, Date.now());
}
