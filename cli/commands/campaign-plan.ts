/** `meshward campaign plan`: what a campaign would do and cost. Without --save it changes nothing anywhere. */
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { describeDefinition } from '#mesh/campaigns/definition.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { addCampaignFlags, type CampaignFlags, definitionOf } from '../campaign-flags.ts';
import { describeUse } from '../command-help.ts';
import type { Context } from '../context.ts';
import { describePlan, planView } from '../describe-campaign.ts';
import {
  type ApiFlags,
  addApiOption,
  addCollectorOptions,
  type CollectorFlags,
  findApi,
  withCollector,
} from '../mesh-address.ts';
import type { View } from '../terminal/view.ts';
import { showsView } from '../view-command.ts';

interface PlanFlags extends CampaignFlags, ApiFlags, CollectorFlags {
  readonly save: boolean;
  readonly name?: string;
  readonly why?: string;
}

/** Over many million files a plan takes its time. */
export const planTimeoutMs = 300_000;

export function addCampaignPlanCommand(campaign: Command): void {
  const command = campaign
    .command('plan')
    .description('tell what a campaign would do and cost; changes nothing unless it is told to --save');
  addCampaignFlags(command)
    .option('--save', 'keep it, so that it can be approved and started', false)
    .option('--name <name>', 'what it is called; with --save')
    .option('--why <text>', 'what it is for; with --save');
  showsView(addCollectorOptions(addApiOption(command)), { list: true }, plan);
  describeUse(command, {
    examples: [
      'meshward campaign plan --grade at-risk --grade degraded --up-to 95',
      'meshward campaign plan --drain alder-07 alder-08',
      'meshward campaign plan --margin ..10 --save --name lift --why "before the move of zone alder"',
      'meshward file at-risk --json | jq -r .files[].storageIndex | meshward campaign plan --stdin',
    ],
    notes: ['Conditions of several kinds must all hold; of one kind, any. --csv prints the load of each peer.'],
    exits: { 4: 'the analyzer or, with --save, the collector is away', 6: 'the key is not an operator of the mesh' },
  });
}

async function plan(context: Context, flags: PlanFlags): Promise<View> {
  const { name = '', why = '' } = flags;
  if (flags.save && (name === '' || why === '')) {
    throw new MeshwardError('bad-input', 'a plan that is kept needs a name, and why it is made', {
      next: 'Add --name NAME and --why TEXT.',
    });
  }
  const api = await findApi(context, flags, planTimeoutMs);
  const definition = await definitionOf(flags, {
    peers: async () => (await api.peers()).peers,
    selectionOf: async (reference) => (await api.campaign(reference)).definition.selection,
    readLines: async () => (await text(process.stdin)).split('\n'),
  });
  const planned = await api.planCampaign(definition);
  if (!flags.save) {
    return planView(planned, { definition, plan: planned }, () =>
      describePlan(planned, describeDefinition(definition)),
    );
  }
  const saved = await withCollector(context, flags, (collector) =>
    collector.createCampaign({ name, definition, plan: planned, why }),
  );
  return planView(planned, { ...saved, definition, plan: planned }, () =>
    [
      describePlan(planned, describeDefinition(definition)),
      '',
      `Kept as "${saved.name}" (${saved.id}), plan ${saved.planHash.slice(0, 12)}…`,
      `Start it: meshward campaign start ${saved.name} --why TEXT`,
    ].join('\n'),
  );
}
