/** `meshward alerts show`: everything about one open alert. */
import type { Command } from 'commander';
import { describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import { describeAlert } from '../describe-alerts.ts';
import { type ApiFlags, addApiOption, findApi } from '../mesh-address.ts';

export function addAlertShowCommand(alerts: Command): void {
  const command = alerts
    .command('show')
    .argument('<id>', 'id of an open alert, or the beginning of it')
    .description('one alert: cause, stake, time left, what repair does, what to do, and who was told');
  describeUse(addApiOption(command), {
    examples: ['meshward alerts show 3f2a91c0'],
    exits: { 3: 'no such alert is open', 4: 'the analyzer is away' },
  });
  command.action((id: string, flags: ApiFlags, command: Command) => show(runningContextOf(command), id, flags));
}

async function show(context: Context, id: string, flags: ApiFlags): Promise<void> {
  const alert = await (await findApi(context, flags)).alert(id);
  context.output.result(alert, () => describeAlert(alert, Date.now()));
}
