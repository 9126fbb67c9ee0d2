/** The operator routes of operators: who may command. Whoever is one may enrol another, and take another out. */
import { z } from 'zod';
import { maxTextLength } from '#mesh/limits.ts';
import { parsePeerId } from '#mesh/peer-id.ts';
import { Refusal } from './answers.ts';
import { jsonSchema } from './bodies.ts';
import { requireOperator } from './callers.ts';
import { operatorRecord } from './enrolment-records.ts';
import type { GatewayApp, GatewayService } from './service.ts';

const operatorId = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
const operatorParams = z.strictObject({ operatorId });
const operatorBody = z.strictObject({ name: z.string().min(1).max(maxTextLength), revoked: z.boolean() });
const operator = z.strictObject({ operatorId, name: z.string(), revoked: z.boolean() });
const operatorsAnswer = z.strictObject({ operators: z.array(operator) });

export type OperatorBody = z.infer<typeof operatorBody>;
export type OperatorAnswer = z.infer<typeof operator>;
export type OperatorsAnswer = z.infer<typeof operatorsAnswer>;

export function operatorEnrolmentRoutes(service: GatewayService, app: GatewayApp): void {
  app.get('/v1/operators', { schema: { response: { 200: jsonSchema(operatorsAnswer) } } }, () => {
    return { operators: [...service.enrolments.table.operators()] };
  });

  app.put<{ Params: { operatorId: string }; Body: OperatorBody }>(
    '/v1/operators/:operatorId',
    {
      schema: {
        params: jsonSchema(operatorParams),
        body: jsonSchema(operatorBody),
        response: { 200: jsonSchema(operator) },
      },
    },
    async (request): Promise<OperatorAnswer> => {
      const id = parsePeerId(request.params.operatorId);
      const { name, revoked } = request.body;
      const by = requireOperator(service, request);
      if (revoked && id === by) {
        throw new Refusal(400, 'bad-input', 'an operator cannot take themselves out', {
          next: 'Have another operator do it: so there is always one left.',
        });
      }
      await service.enrolments.append([operatorRecord(id, name, revoked)]);
      service.logger.warn({ operatorId: id, name, revoked, by }, 'an operator was enrolled or taken out');
      return { operatorId: id, name, revoked };
    },
  );
}
