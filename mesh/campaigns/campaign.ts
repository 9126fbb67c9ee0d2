/** A campaign as a value, and the steps that it may take: a function of the campaign, the command and who gives it. */
import { createHash } from 'node:crypto';
import { MeshwardError } from '../errors.ts';
import type { CampaignDefinition } from './definition.ts';
import type { CampaignPlan } from './plan.ts';

export const campaignStates = ['planned', 'approved', 'running', 'paused', 'done', 'cancelled', 'failed'] as const;
export type CampaignState = (typeof campaignStates)[number];

/** Who did what, when and why: kept with the campaign for ever. */
export interface AuditStep {
  readonly revision: number;
  readonly what: string;
  /** Empty where a service did it by itself. */
  readonly operatorId: string;
  readonly operatorName: string;
  readonly why: string;
  readonly atMs: number;
  readonly planHash: string;
}

export interface Campaign {
  /** UUID. */
  readonly id: string;
  readonly name: string;
  readonly state: CampaignState;
  /** Counts its changes, from 1. */
  readonly revision: number;
  readonly definition: CampaignDefinition;
  readonly plan: CampaignPlan;
  readonly planHash: string;
  readonly createdAtMs: number;
  readonly steps: readonly AuditStep[];
}

export type CampaignCommand =
  | { readonly what: 'plan'; readonly definition: CampaignDefinition; readonly plan: CampaignPlan }
  | { readonly what: 'approve' | 'start'; readonly planHash: string }
  | { readonly what: 'pause' | 'resume' | 'cancel' | 'finish' | 'fail' };

export interface CommandBy {
  /** Empty where a service does it by itself. */
  readonly operatorId: string;
  readonly operatorName: string;
  readonly why: string;
  readonly atMs: number;
}

/** What start asks for. */
export interface StartRules {
  /** Campaigns of more files, or of more bytes read and written, need the approval of a second operator. */
  readonly approvalAboveFiles: number;
  readonly approvalAboveBytes: number;
  /** A plan that is older is not started. */
  readonly planMaxAgeMs: number;
}

/** Steps kept with a campaign: far more than any has. Then it can only be cancelled. */
const maxSteps = 500;

const mayFrom: Readonly<Record<CampaignCommand['what'], readonly CampaignState[]>> = {
  plan: ['planned', 'approved'],
  approve: ['planned'],
  start: ['planned', 'approved'],
  pause: ['running'],
  resume: ['paused'],
  cancel: ['planned', 'approved', 'running', 'paused'],
  finish: ['running'],
  fail: ['running', 'paused'],
};

const stateAfter: Readonly<Record<CampaignCommand['what'], CampaignState>> = {
  plan: 'planned',
  approve: 'approved',
  start: 'running',
  pause: 'paused',
  resume: 'running',
  cancel: 'cancelled',
  finish: 'done',
  fail: 'failed',
};

export function isOver(state: CampaignState): boolean {
  return state === 'done' || state === 'cancelled' || state === 'failed';
}

/** Of definition and plan, without the time at which it was made: what an approval is for. */
export function planHashOf(definition: CampaignDefinition, plan: CampaignPlan): string {
  const { atMs: _atMs, ...figures } = plan;
  return createHash('sha256').update(canonical({ definition, figures })).digest('hex');
}

export function newCampaign(
  id: string,
  name: string,
  definition: CampaignDefinition,
  plan: CampaignPlan,
  by: CommandBy,
): Campaign {
  const planHash = planHashOf(definition, plan);
  const step: AuditStep = { ...by, revision: 1, what: 'plan', planHash };
  const createdAtMs = by.atMs;
  return { id, name, state: 'planned', revision: 1, definition, plan, planHash, createdAtMs, steps: [step] };
}

/** The campaign after the command. @throws MeshwardError `campaign-state`, `campaign-stale`, `campaign-unapproved`. */
export function afterCommand(campaign: Campaign, command: CampaignCommand, by: CommandBy, rules: StartRules): Campaign {
  if (!mayFrom[command.what].includes(campaign.state)) throw notNow(campaign, command.what);
  if (command.what !== 'cancel' && campaign.steps.length >= maxSteps) throw tooManySteps();
  if (command.what === 'approve' || command.what === 'start') checkPlanIsMeant(campaign, command.planHash);
  if (command.what === 'approve') checkSecondOperator(campaign, by, rules);
  if (command.what === 'start') checkStart(campaign, by, rules);
  const planned = command.what === 'plan' ? { definition: command.definition, plan: command.plan } : {};
  const next = { ...campaign, ...planned };
  const planHash = command.what === 'plan' ? planHashOf(next.definition, next.plan) : campaign.planHash;
  const revision = campaign.revision + 1;
  const { operatorId, operatorName, why, atMs } = by;
  const step: AuditStep = { revision, what: command.what, operatorId, operatorName, why, atMs, planHash };
  return { ...next, planHash, revision, state: stateAfter[command.what], steps: [...campaign.steps, step] };
}

export function needsApproval({ plan }: Pick<Campaign, 'plan'>, rules: StartRules): boolean {
  return plan.files > rules.approvalAboveFiles || plan.bytesRead + plan.bytesWritten > rules.approvalAboveBytes;
}

/** The revision at which the campaign began to run; 0 where it never did. Its progress is that of this run. */
export function runOf({ steps }: Pick<Campaign, 'steps'>): number {
  return steps.findLast(({ what }) => what === 'start')?.revision ?? 0;
}

function checkPlanIsMeant(campaign: Campaign, planHash: string): void {
  if (campaign.planHash === planHash) return;
  throw new MeshwardError(
    'campaign-stale',
    `the plan of "${campaign.name}" is another one than the one that is meant`,
    {
      next: 'Look at it with `meshward campaign show`, and give the command again.',
    },
  );
}

function checkSecondOperator(campaign: Campaign, by: CommandBy, rules: StartRules): void {
  if (!needsApproval(campaign, rules) || plannerOf(campaign) !== by.operatorId) return;
  throw unapproved(campaign, 'and whoever planned it cannot approve it');
}

function checkStart(campaign: Campaign, by: CommandBy, rules: StartRules): void {
  if (by.atMs - campaign.plan.atMs > rules.planMaxAgeMs) {
    const minutes = Math.round((by.atMs - campaign.plan.atMs) / 60_000);
    throw new MeshwardError('campaign-stale', `the plan of "${campaign.name}" is ${minutes} minutes old`, {
      next: 'Plan it anew: `meshward campaign start --replan` does so first.',
    });
  }
  if (!needsApproval(campaign, rules)) return;
  const isApproved = campaign.steps.some(
    ({ what, planHash, operatorId }) =>
      what === 'approve' && planHash === campaign.planHash && operatorId !== plannerOf(campaign),
  );
  if (!isApproved) throw unapproved(campaign, 'and it is not approved yet');
}

/** Of the plan that stands. */
function plannerOf({ steps }: Campaign): string {
  return steps.findLast(({ what }) => what === 'plan')?.operatorId ?? '';
}

function unapproved(campaign: Campaign, why: string): MeshwardError {
  return new MeshwardError(
    'campaign-unapproved',
    `"${campaign.name}" is large enough to need the approval of a second operator, ${why}`,
    { next: 'Have another operator look at it and run `meshward campaign approve` with a key of their own.' },
  );
}

function notNow(campaign: Campaign, what: string): MeshwardError {
  return new MeshwardError(
    'campaign-state',
    `"${campaign.name}" is ${campaign.state}: it cannot ${verbs[what] ?? what}`,
    {
      next: 'See `meshward campaign show`: another operator may have been faster.',
    },
  );
}

const verbs: Readonly<Record<string, string>> = {
  plan: 'be planned anew',
  approve: 'be approved',
  start: 'be started',
  pause: 'be paused',
  resume: 'be resumed',
  cancel: 'be cancelled',
  finish: 'end',
  fail: 'fail',
};

function tooManySteps(): MeshwardError {
  return new MeshwardError('campaign-state', `a campaign keeps its ${maxSteps} steps, and this one has so many`, {
    next: 'Cancel it, and plan a new one.',
  });
}

/** JSON with the keys of every object in order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
