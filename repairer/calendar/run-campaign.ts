/** A campaign that is due: planned as the mesh is now, and started, unless it needs the approval of a person. */
import { randomUUID } from 'node:crypto';
import type { FollowedTable } from '#log/followed-table.ts';
import { commitCampaign } from '#log/revision-commit.ts';
import { afterCommand, isOver, needsApproval, newCampaign, type StartRules } from '#mesh/campaigns/campaign.ts';
import type { CampaignDefinition } from '#mesh/campaigns/definition.ts';
import type { CampaignPlan } from '#mesh/campaigns/plan.ts';
import type { Schedule } from '#mesh/campaigns/schedule.ts';
import type { CampaignTable } from '#mesh/campaigns/table.ts';
import type { Clock } from '#mesh/clock.ts';

export interface RunCampaignOptions {
  readonly followed: FollowedTable<CampaignTable>;
  readonly plan: (definition: CampaignDefinition) => Promise<CampaignPlan>;
  readonly rules: StartRules;
  readonly clock: Clock;
}

/** @returns what came of it, in words. */
export async function runCampaign(
  { followed, plan, rules, clock }: RunCampaignOptions,
  schedule: Schedule,
  definition: CampaignDefinition,
): Promise<string> {
  const prefix = `${schedule.name}-`;
  const open = followed.table.campaigns().find(({ name, state }) => name.startsWith(prefix) && !isOver(state));
  if (open !== undefined) return `skipped: ${open.name} is ${open.state}`;
  const planned = await plan(definition);
  const hasWork = definition.kind === 'verify' ? planned.files > 0 : planned.filesToRepair > 0;
  if (!hasWork) return `nothing to do: ${planned.files} files are selected, and none needs it`;
  const stamp = new Date(schedule.lastRunMs).toISOString().slice(0, 16).replace(/[-:]/g, '');
  const by = { operatorId: '', operatorName: '', why: `calendar "${schedule.name}"`, atMs: clock.nowMs() };
  const campaign = newCampaign(randomUUID(), `${prefix}${stamp}`, definition, planned, by);
  if (!(await commitCampaign(followed, campaign, null))) return 'another repairer was faster';
  if (needsApproval(campaign, rules)) return `${campaign.name} is planned, and needs the approval of an operator`;
  const entry = followed.table.entry(campaign.id);
  if (entry === undefined) return 'it was taken away';
  const started = afterCommand(campaign, { what: 'start', planHash: campaign.planHash }, by, rules);
  await commitCampaign(followed, started, entry);
  return `started ${campaign.name}: ${planned.files} files`;
}
