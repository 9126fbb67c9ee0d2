/** Routes of campaigns: what they would do, where they are, and what came of them. Reads only; commands go to collectors. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { parseDefinition } from '#mesh/campaigns/definition.ts';
import type { CampaignPlan } from '#mesh/campaigns/plan.ts';
import { planSchema } from '#mesh/campaigns/plan.ts';
import type {
  CampaignAnswer,
  CampaignReport,
  CampaignSummary,
  LimitsAnswer,
  ScheduleAnswer,
} from './campaign-schemas.ts';
import { campaignAnswer, campaignReport, campaignSummary, limitsAnswer, scheduleAnswer } from './campaign-schemas.ts';

export interface CampaignQueries {
  /** Without effect. */
  plan(definition: ReturnType<typeof parseDefinition>): Promise<CampaignPlan>;
  /** Newest first. */
  list(): readonly CampaignSummary[];
  /** By its id, or by its name: then the newest. @throws MeshwardError `campaign-unknown`. */
  campaign(reference: string): CampaignAnswer;
  /** @param withRemaining plans the same again: what is still to be done. */
  report(reference: string, withRemaining: boolean): Promise<CampaignReport>;
  /** By name. */
  schedules(): readonly ScheduleAnswer[];
  limits(): LimitsAnswer;
}

/** A selection of ten thousand storage indexes. */
const bodyLimit = 1024 * 1024;

export function campaignRoutes(campaigns: CampaignQueries, app: FastifyInstance): void {
  app.post<{ Body: unknown }>(
    '/v1/campaigns/plan',
    {
      bodyLimit,
      schema: {
        summary: 'What a campaign would do and cost, without doing anything',
        response: { 200: answer(planSchema) },
      },
    },
    async (request) => campaigns.plan(parseDefinition(request.body)),
  );
  app.get(
    '/v1/campaigns',
    {
      schema: {
        summary: 'Campaigns, newest first',
        response: { 200: answer(z.object({ campaigns: z.array(campaignSummary) })) },
      },
    },
    () => ({ campaigns: campaigns.list() }),
  );
  app.get<{ Params: { reference: string } }>(
    '/v1/campaigns/:reference',
    { schema: { summary: 'One campaign, by id or name', response: { 200: answer(campaignAnswer) } } },
    (request) => campaigns.campaign(request.params.reference),
  );
  app.get<{ Params: { reference: string }; Querystring: { remaining?: boolean } }>(
    '/v1/campaigns/:reference/report',
    {
      schema: {
        summary: 'What came of a campaign',
        querystring: {
          type: 'object',
          additionalProperties: false,
          properties: { remaining: { type: 'boolean', default: false } },
        },
        response: { 200: answer(campaignReport) },
      },
    },
    (request) => campaigns.report(request.params.reference, request.query.remaining ?? false),
  );
  orderRoutes(campaigns, app);
}

function orderRoutes(campaigns: CampaignQueries, app: FastifyInstance): void {
  app.get(
    '/v1/schedules',
    {
      schema: {
        summary: 'What runs on calendars, and when next',
        response: { 200: answer(z.object({ schedules: z.array(scheduleAnswer) })) },
      },
    },
    () => ({ schedules: campaigns.schedules() }),
  );
  app.get(
    '/v1/repair/limits',
    { schema: { summary: 'What operators have set of repair', response: { 200: answer(limitsAnswer) } } },
    () => campaigns.limits(),
  );
}

function answer(schema: z.ZodType): Record<string, unknown> {
  const rendered = z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'output', unrepresentable: 'any' });
  return { description: 'The answer.', ...rendered };
}
