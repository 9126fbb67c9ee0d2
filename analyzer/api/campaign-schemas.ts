/** What the HTTP API answers of campaigns. Times are milliseconds since the epoch. */
import { z } from 'zod';
import { campaignStates } from '#mesh/campaigns/campaign.ts';
import { definitionSchema } from '#mesh/campaigns/definition.ts';
import { limitsSchema, rateNames } from '#mesh/campaigns/limits.ts';
import { planSchema } from '#mesh/campaigns/plan.ts';
import { fileOutcomes } from '#mesh/campaigns/progress.ts';

const count = z.number().int().min(0);

const outcomeCount = z.object({ outcome: z.enum(fileOutcomes), errorCode: z.string(), files: count });

export const campaignTotals = z.object({
  files: count,
  outcomes: z.array(outcomeCount),
  sharesWritten: count,
  bytesRead: count,
  bytesWritten: count,
  inFlight: count,
  finishedParts: count,
  waits: z.array(z.object({ reason: z.string(), parts: count })),
  atMs: count,
});

export const campaignStep = z.object({
  revision: count,
  what: z.string(),
  operatorId: z.string(),
  operatorName: z.string(),
  why: z.string(),
  atMs: count,
  planHash: z.string(),
});

export const campaignSummary = z.object({
  id: z.string(),
  name: z.string(),
  state: z.enum(campaignStates),
  revision: count,
  kind: z.string(),
  description: z.string(),
  createdAtMs: count,
  changedAtMs: count,
  plannedFiles: count,
  files: count.meta({ description: 'Files that it is done with.' }),
  atRest: z.boolean().meta({ description: 'Nothing is being done for it at this moment: a pause has come to pass.' }),
});

export const campaignAnswer = campaignSummary.extend({
  definition: definitionSchema,
  plan: planSchema,
  planHash: z.string(),
  needsApproval: z.boolean(),
  steps: z.array(campaignStep),
  totals: campaignTotals,
  parts: count.meta({ description: 'Partitions; each is done by the repairer that owns it.' }),
  runningMs: count,
});

export const campaignReport = z.object({
  campaign: campaignAnswer,
  marginsBefore: z.array(z.tuple([z.number().int(), count])),
  marginsAfter: z.array(z.tuple([z.number().int(), count])),
  throughput: z.array(z.object({ atMs: count, files: count, bytes: count })),
  spanMs: count,
  remaining: planSchema
    .nullable()
    .meta({ description: 'What the same campaign would still find to do; null where it was not asked for.' }),
});

export const scheduleAnswer = z.object({
  name: z.string(),
  description: z.string(),
  calendar: z.string(),
  timeZone: z.string(),
  definition: z.unknown(),
  nextMs: z.array(count).meta({ description: 'The next three times.' }),
  lastRunMs: count,
  steps: z.array(campaignStep),
});

export const limitsAnswer = z.object({
  rates: z.partialRecord(z.enum(rateNames), count).meta({ description: 'Set by operators; 0 is unlimited.' }),
  brake: limitsSchema.shape.brake,
  isWindowOpen: z.boolean(),
  steps: z.array(campaignStep),
});

export type ScheduleAnswer = z.infer<typeof scheduleAnswer>;
export type LimitsAnswer = z.infer<typeof limitsAnswer>;
export type CampaignSummary = z.infer<typeof campaignSummary>;
export type CampaignAnswer = z.infer<typeof campaignAnswer>;
export type CampaignReport = z.infer<typeof campaignReport>;
