/** The operator routes of calendars, limits and the brake. */
import { z } from 'zod';
import { limitsSchema, parseLimits, rateNames } from '#mesh/campaigns/limits.ts';
import { parseSchedule, scheduleNamePattern } from '#mesh/campaigns/schedule.ts';
import { maxTextLength } from '#mesh/limits.ts';
import { jsonSchema } from './bodies.ts';
import { commandBy } from './campaign-routes.ts';
import type { GatewayApp, GatewayService } from './service.ts';

const why = z.string().min(1).max(maxTextLength);
const scheduleParams = z.strictObject({ name: z.string().regex(scheduleNamePattern) });
const scheduleBody = z.strictObject({ definition: z.unknown(), why });
const whyBody = z.strictObject({ why });
/** A rate of null is as the configuration says again. */
const ratesBody = z.strictObject({
  rates: z.partialRecord(z.enum(rateNames), z.number().int().min(0).nullable()),
  why,
});
const maxOverrideMs = 30 * 86_400_000;
/** `end` takes back what was said before. */
const brakeBody = z.strictObject({
  says: z.enum(['hold', 'release', 'end']),
  forMs: z.number().int().min(1000).max(maxOverrideMs),
  why,
});
const scheduleAnswer = z.strictObject({ name: z.string(), revision: z.number() });
const limitsAnswer = z.strictObject({ revision: z.number(), settings: limitsSchema });

export type RatesBody = z.infer<typeof ratesBody>;
export type BrakeBody = z.infer<typeof brakeBody>;
export type ScheduleAnswer = z.infer<typeof scheduleAnswer>;
export type LimitsAnswer = z.infer<typeof limitsAnswer>;

const bodyLimit = 1024 * 1024;

export function repairRoutes(service: GatewayService, app: GatewayApp): void {
  const ofSchedule = { params: jsonSchema(scheduleParams), response: { 200: jsonSchema(scheduleAnswer) } };
  type Params = { name: string };

  app.put<{ Params: Params; Body: z.infer<typeof scheduleBody> }>(
    '/v1/schedules/:name',
    { schema: { ...ofSchedule, body: jsonSchema(scheduleBody) }, bodyLimit },
    async (request) => {
      const by = commandBy(service, request, request.body.why);
      const definition = parseSchedule(request.body.definition);
      const { name, revision } = await service.repairSettings.schedule(request.params.name, definition, by);
      service.logger.info({ schedule: name, operatorId: by.operatorId }, 'an operator set a calendar entry');
      return { name, revision };
    },
  );
  app.post<{ Params: Params; Body: { why: string } }>(
    '/v1/schedules/:name/remove',
    { schema: { ...ofSchedule, body: jsonSchema(whyBody) } },
    async (request) => {
      const by = commandBy(service, request, request.body.why);
      const { name, revision } = await service.repairSettings.removeSchedule(request.params.name, by);
      service.logger.info({ schedule: name, operatorId: by.operatorId }, 'an operator removed a calendar entry');
      return { name, revision };
    },
  );

  const ofLimits = { response: { 200: jsonSchema(limitsAnswer) } };
  app.post<{ Body: RatesBody }>(
    '/v1/repair/limits',
    { schema: { ...ofLimits, body: jsonSchema(ratesBody) } },
    async (request) => {
      const by = commandBy(service, request, request.body.why);
      const { revision, settings } = await service.repairSettings.limits(
        (now) => parseLimits({ ...now, rates: withoutNulls({ ...now.rates, ...request.body.rates }) }),
        'limits',
        by,
      );
      service.logger.info({ operatorId: by.operatorId, rates: settings.rates }, 'an operator set limits of repair');
      return { revision, settings };
    },
  );
  app.post<{ Body: BrakeBody }>(
    '/v1/repair/brake',
    { schema: { ...ofLimits, body: jsonSchema(brakeBody) } },
    async (request) => {
      const { says, forMs } = request.body;
      const by = commandBy(service, request, request.body.why);
      const word = { untilMs: by.atMs + forMs, why: by.why, by: by.operatorName || by.operatorId };
      const { revision, settings } = await service.repairSettings.limits(
        (now) => ({ ...now, brake: says === 'end' ? null : { says, ...word } }),
        says,
        by,
      );
      service.logger.warn({ operatorId: by.operatorId, says, why: by.why }, 'an operator overrides the brake');
      return { revision, settings };
    },
  );
}

function withoutNulls(rates: Readonly<Record<string, number | null | undefined>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(rates).flatMap(([name, value]): [string, number][] =>
      value === null || value === undefined ? [] : [[name, value]],
    ),
  );
}
