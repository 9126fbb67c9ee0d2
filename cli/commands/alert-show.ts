/** `meshward alerts show`: everything about one open alert. */
import type { Command } from 'commander';
import { describeUse } from '../command-help.ts';
import type { Context } from '../context.ts';
import { describeAlert } from '../describe-alerts.ts';
import { type ApiFlags, addApiOption, findApi } from '../mesh-address.ts';
import { textView, type View } from '../terminal/view.ts';
import { showsView } from '../view-command.ts';

export function addAlertShowCommand(alerts: Command): void {
  const command = alerts
    .command('show')
    .argument('<id>', 'id of an open alert, or the beginning of it')
    .description('one alert: cause, stake, time left, what repair does, what to do, and who was told');
  showsView(addApiOption(command), { state: true }, show);
  describeUse(command, {
    examples: ['meshward alerts show 3f2a91c0'],
    exits: { 3: 'no such alert is open', 4: 'the analyzer is away' },
  });
}

async function show(context: Context, flags: ApiFlags, [id = '']: readonly string[]): Promise<View> {
  const alert = await (await findApi(context, flags)).alert(id);
  return textView(alert, () => describeAlert(alert, Date.now()));
}
