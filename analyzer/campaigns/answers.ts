/** Campaigns and their progress as the API tells them: functions of what the log says. */
import { type Campaign, needsApproval, runOf, type StartRules } from '#mesh/campaigns/campaign.ts';
import { describeDefinition } from '#mesh/campaigns/definition.ts';
import { type CampaignProgress, isAtRest, totalsOf } from '#mesh/campaigns/progress.ts';
import { runningMsOf } from '#mesh/campaigns/rate.ts';
import type { CampaignAnswer, CampaignSummary } from '../api/campaign-schemas.ts';

export function toSummary(campaign: Campaign, told: readonly CampaignProgress[], partitions: number): CampaignSummary {
  const parts = ofRun(campaign, told);
  return {
    id: campaign.id,
    name: campaign.name,
    state: campaign.state,
    revision: campaign.revision,
    kind: campaign.definition.kind,
    description: describeDefinition(campaign.definition),
    createdAtMs: campaign.createdAtMs,
    changedAtMs: campaign.steps.at(-1)?.atMs ?? campaign.createdAtMs,
    plannedFiles: campaign.plan.files,
    files: totalsOf(parts).files,
    atRest: isAtRest(campaign, parts, partitions),
  };
}

export function toCampaignAnswer(
  campaign: Campaign,
  told: readonly CampaignProgress[],
  context: { readonly rules: StartRules; readonly partitions: number; readonly nowMs: number },
): CampaignAnswer {
  return {
    ...toSummary(campaign, told, context.partitions),
    definition: campaign.definition,
    plan: campaign.plan,
    planHash: campaign.planHash,
    needsApproval: needsApproval(campaign, context.rules),
    steps: [...campaign.steps],
    totals: mutable(totalsOf(ofRun(campaign, told))),
    parts: context.partitions,
    runningMs: Math.round(runningMsOf(campaign, context.nowMs)),
  };
}

function mutable(totals: ReturnType<typeof totalsOf>): CampaignAnswer['totals'] {
  return { ...totals, outcomes: [...totals.outcomes], waits: [...totals.waits] };
}

function ofRun(campaign: Campaign, told: readonly CampaignProgress[]): readonly CampaignProgress[] {
  const run = runOf(campaign);
  return told.filter((part) => part.run === run && run > 0);
}
