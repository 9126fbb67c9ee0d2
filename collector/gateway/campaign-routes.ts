/** The operator routes of campaigns. Who and why are kept with each step. */

import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Campaign, CampaignCommand, CommandBy } from '#mesh/campaigns/campaign.ts';
import { type definitionSchema, parseDefinition } from '#mesh/campaigns/definition.ts';
import { planSchema } from '#mesh/campaigns/plan.ts';
import { maxTextLength } from '#mesh/limits.ts';
import { jsonSchema } from './bodies.ts';
import { requireOperator } from './callers.ts';
import type { GatewayApp, GatewayService } from './service.ts';

const why = z.string().min(1).max(maxTextLength);
const campaignName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,79}$/);
const revision = z.number().int().min(1).nullable();

export const createCampaignBody = z.strictObject({
  name: campaignName,
  definition: z.unknown(),
  plan: planSchema,
  why,
});
export const commandBody = z.discriminatedUnion('what', [
  z.strictObject({ what: z.literal('plan'), definition: z.unknown(), plan: planSchema, why, revision }),
  z.strictObject({ what: z.enum(['approve', 'start']), planHash: z.string().length(64), why, revision }),
  z.strictObject({ what: z.enum(['pause', 'resume', 'cancel']), why, revision }),
]);
export const campaignAnswer = z.strictObject({
  id: z.string(),
  name: z.string(),
  state: z.string(),
  revision: z.number(),
  planHash: z.string(),
});

export type CreateCampaignBody = Omit<z.infer<typeof createCampaignBody>, 'definition'> & {
  readonly definition: z.infer<typeof definitionSchema>;
};
export type CommandBody = z.infer<typeof commandBody>;
export type CampaignAnswer = z.infer<typeof campaignAnswer>;

const idParams = z.strictObject({ id: z.uuid() });
/** A selection of ten thousand storage indexes, and a plan with its peers. */
const bodyLimit = 1024 * 1024;

export function campaignRoutes(service: GatewayService, app: GatewayApp): void {
  const response = { 200: jsonSchema(campaignAnswer) };

  app.post<{ Body: CreateCampaignBody }>(
    '/v1/campaigns',
    { schema: { body: jsonSchema(createCampaignBody), response }, bodyLimit },
    async (request) => {
      const { name, definition, plan } = request.body;
      const by = commandBy(service, request, request.body.why);
      const campaign = await service.campaigns.create(name, parseDefinition(definition), plan, by);
      service.logger.info({ campaign: campaign.id, name, operatorId: by.operatorId }, 'a campaign was planned');
      return answerOf(campaign);
    },
  );

  app.post<{ Params: { id: string }; Body: CommandBody }>(
    '/v1/campaigns/:id/command',
    { schema: { params: jsonSchema(idParams), body: jsonSchema(commandBody), response }, bodyLimit },
    async (request) => {
      const { body, params } = request;
      const by = commandBy(service, request, body.why);
      const campaign = await service.campaigns.command(params.id, body.revision, commandOf(body), by);
      service.logger.info(
        { campaign: campaign.id, name: campaign.name, operatorId: by.operatorId, what: body.what },
        'an operator commanded a campaign',
      );
      return answerOf(campaign);
    },
  );
}

export function commandBy(service: GatewayService, request: FastifyRequest, reason: string): CommandBy {
  const operatorId = requireOperator(service, request);
  const operatorName = service.enrolments.table.operator(operatorId)?.name ?? '';
  return { operatorId, operatorName, why: reason, atMs: service.clock.nowMs() };
}

function commandOf(body: CommandBody): CampaignCommand {
  switch (body.what) {
    case 'plan':
      return { what: 'plan', definition: parseDefinition(body.definition), plan: body.plan };
    case 'approve':
    case 'start':
      return { what: body.what, planHash: body.planHash };
    case 'pause':
    case 'resume':
    case 'cancel':
      return { what: body.what };
  }
}

function answerOf({ id, name, state, revision: number, planHash }: Campaign): CampaignAnswer {
  return { id, name, state, revision: number, planHash };
}
