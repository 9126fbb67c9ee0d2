/** Commands about campaigns: repairs that an operator plans, sees the cost of, starts, watches, pauses and accounts for. */
import type { Command } from 'commander';
import { addNoun } from '../nouns.ts';
import { addCampaignSayCommands } from './campaign-command.ts';
import { addCampaignPlanCommand } from './campaign-plan.ts';
import { addCampaignReportCommand } from './campaign-report.ts';
import { addCampaignLookCommands } from './campaign-watch.ts';

export function addCampaignCommands(program: Command): void {
  const campaign = addNoun(program, {
    name: 'campaign',
    alias: 'campaigns',
    description: 'planned repairs: plan one, see what it costs, start it, watch it, pause it, account for it',
  });
  addCampaignPlanCommand(campaign);
  addCampaignSayCommands(campaign);
  addCampaignLookCommands(campaign);
  addCampaignReportCommand(campaign);
}
