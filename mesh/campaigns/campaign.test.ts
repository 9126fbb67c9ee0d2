import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasCode } from '../errors.ts';
import {
  afterCommand,
  type Campaign,
  type CampaignCommand,
  type CommandBy,
  isOver,
  newCampaign,
  planHashOf,
} from './campaign.ts';
import { sampleDefinition, samplePlan } from './testing/samples.ts';

const first = by('a', 0);
const rules = { approvalAboveFiles: 100, approvalAboveBytes: 1e12, planMaxAgeMs: 3_600_000 };

function by(operatorId: string, atMs: number): CommandBy {
  return { operatorId, operatorName: `operator ${operatorId}`, why: 'because', atMs };
}

function campaign(files = 10): Campaign {
  return newCampaign('id', 'lift', sampleDefinition(), samplePlan({ files }), first);
}

const simple: readonly CampaignCommand['what'][] = [
  'approve',
  'start',
  'pause',
  'resume',
  'cancel',
  'finish',
  'fail',
  'plan',
];

function commandOf(what: CampaignCommand['what'], planHash: string): CampaignCommand {
  if (what === 'plan') return { what, definition: sampleDefinition(), plan: samplePlan({ files: 11 }) };
  return what === 'approve' || what === 'start' ? { what, planHash } : { what };
}

describe('a campaign', () => {
  test('is planned, started, paused, resumed and done, and keeps who said so and why', () => {
    let one = campaign();
    for (const what of ['start', 'pause', 'resume', 'finish'] as const)
      one = afterCommand(one, commandOf(what, one.planHash), by('b', 5), rules);
    expect(one.state).toBe('done');
    expect(one.steps.map((step) => [step.revision, step.what, step.operatorId, step.why])).toEqual([
      [1, 'plan', 'a', 'because'],
      [2, 'start', 'b', 'because'],
      [3, 'pause', 'b', 'because'],
      [4, 'resume', 'b', 'because'],
      [5, 'finish', 'b', 'because'],
    ]);
  });

  test('of whatever commands: each one counts once, is kept for ever, and nothing follows the end', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...simple), fc.constantFrom('a', 'b', ''))), (commands) => {
        let one = campaign(fc.sample(fc.constantFrom(10, 1000), 1)[0]);
        for (const [what, operator] of commands) {
          const before = one;
          try {
            one = afterCommand(one, commandOf(what, one.planHash), by(operator, 5), rules);
          } catch (error) {
            expect(hasCode(error, 'campaign-state') || hasCode(error, 'campaign-unapproved')).toBe(true);
            expect(one).toBe(before);
            continue;
          }
          expect(isOver(before.state)).toBe(false);
          expect(one.revision).toBe(before.revision + 1);
          expect(one.steps.slice(0, -1)).toEqual(before.steps);
          expect(one.planHash).toBe(planHashOf(one.definition, one.plan));
        }
      }),
    );
  });

  test('of many files is started only after another operator than the planner has approved that very plan', () => {
    const large = campaign(1000);
    const start = (one: Campaign) => () => afterCommand(one, { what: 'start', planHash: one.planHash }, first, rules);
    const approve = (one: Campaign, operator: string) =>
      afterCommand(one, { what: 'approve', planHash: one.planHash }, by(operator, 1), rules);
    expect(start(large)).toThrow(/second operator/);
    expect(() => approve(large, 'a')).toThrow(/cannot approve it/);
    const approved = approve(large, 'b');
    expect(start(approved)().state).toBe('running');
    const replanned = afterCommand(
      approved,
      { what: 'plan', definition: sampleDefinition(), plan: samplePlan({ files: 2000 }) },
      first,
      rules,
    );
    expect(start(replanned)).toThrow(/second operator/);
  });

  test('is not started by a plan that is too old, or that is another one than was meant', () => {
    const one = campaign();
    const start = (planHash: string, atMs: number) => () =>
      afterCommand(one, { what: 'start', planHash }, by('a', atMs), rules);
    expect(start(one.planHash, samplePlan({}).atMs + rules.planMaxAgeMs + 1)).toThrow(/minutes old/);
    expect(start('0'.repeat(64), 1)).toThrow(/another one/);
  });

  test('has a plan hash that depends on every figure and not on when it was made', () => {
    const hash = (change: Parameters<typeof samplePlan>[0]) => planHashOf(sampleDefinition(), samplePlan(change));
    expect(hash({ atMs: 99 })).toBe(hash({}));
    expect(hash({ bytesRead: 1 })).not.toBe(hash({}));
    expect(planHashOf(sampleDefinition({ upTo: 7 }), samplePlan({}))).not.toBe(hash({}));
  });
});
