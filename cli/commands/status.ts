/** `meshward status`: the whole mesh at a glance. */
import type { Command } from 'commander';
import { describeUse } from '../command-help.ts';
import type { Context } from '../context.ts';
import { describeStatus } from '../describe-status.ts';
import { type ApiFlags, addApiOption, findApi } from '../mesh-address.ts';
import { textView, type View } from '../terminal/view.ts';
import { showsView } from '../view-command.ts';

export function addStatusCommand(program: Command): void {
  const command = program
    .command('status')
    .description('the mesh at a glance: files by grade, smallest margin, peers, alerts, the last repairs');
  showsView(addApiOption(command), { state: true }, status);
  describeUse(command, {
    examples: ['meshward status', 'meshward status --watch', 'meshward --json status | jq .mesh.byGrade'],
    exits: { 4: 'the analyzer is away' },
  });
}

const repairsShown = 5;

async function status(context: Context, flags: ApiFlags): Promise<View> {
  const api = await findApi(context, flags);
  const [mesh, { alerts }, repairs] = await Promise.all([api.mesh(), api.alerts(), api.repairs(repairsShown)]);
  return textView({ mesh, alerts, repairs }, (paint) => describeStatus({ mesh, alerts, repairs }, paint, Date.now()));
}
