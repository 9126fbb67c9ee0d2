/** `meshward campaign approve | start | pause | resume | cancel`: an operator's word about a campaign. */
import type { Command } from 'commander';
import type { CampaignAnswer as Stand } from '#analyzer/api/campaign-schemas.ts';
import type { ApiClient } from '#analyzer/api/client.ts';
import type { CampaignAnswer } from '#collector/gateway/campaign-routes.ts';
import type { CollectorClient } from '#collector/gateway/client.ts';
import { planDrift } from '#mesh/campaigns/plan.ts';
import { sleep, systemClock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { type CommandHelp, describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import { describePlan, describeState } from '../describe-campaign.ts';
import { interruptible } from '../interrupt.ts';
import {
  type ApiFlags,
  addApiOption,
  addCollectorOptions,
  type CollectorFlags,
  findApi,
  withCollector,
} from '../mesh-address.ts';
import { planTimeoutMs } from './campaign-plan.ts';

interface SayFlags extends ApiFlags, CollectorFlags {
  readonly why: string;
}

interface StartFlags extends SayFlags {
  readonly replan: boolean;
}

const exits: NonNullable<CommandHelp['exits']> = {
  3: 'there is no such campaign',
  4: 'the analyzer or the collector is away',
  5: 'it is not in a state for this, was changed meanwhile, or its plan is stale',
  6: 'not an operator of the mesh, or a second operator is needed',
};

export function addCampaignSayCommands(campaign: Command): void {
  const add = (name: string, description: string, help: Pick<CommandHelp, 'examples' | 'notes'>): Command =>
    describeUse(
      addCollectorOptions(
        addApiOption(campaign.command(name).argument('<campaign>', 'name or id').description(description)),
      ).requiredOption('--why <text>', 'why; kept with the campaign'),
      { ...help, exits },
    );

  add('approve', 'agree to the plan of another operator', {
    examples: [
      'meshward --data-dir ~/second-operator campaign approve lift --collector URL --pin PIN --why "agreed with storage team"',
    ],
    notes: [
      'Large campaigns are not started without it: campaigns.approvalAboveFiles and campaigns.approvalAboveBytes.',
    ],
  }).action((reference: string, flags: SayFlags, command: Command) =>
    say(runningContextOf(command), flags, reference, ({ planHash }) => ({ what: 'approve', planHash })),
  );

  add('start', 'begin a campaign that was planned', {
    examples: [
      'meshward campaign start lift --why "window agreed"',
      'meshward campaign start lift --replan --why "still wanted"',
    ],
    notes: [
      'A plan that is old, or of which the mesh has become another, is not started: --replan makes it anew, shows it and starts it.',
      'Peers that are to be drained or replaced take nothing new from then on.',
    ],
  })
    .option('--replan', 'make the plan anew first', false)
    .action((reference: string, flags: StartFlags, command: Command) =>
      start(runningContextOf(command), flags, reference),
    );

  add('pause', 'stop a campaign for a while; returns when nothing is done for it any more', {
    examples: ['meshward campaign pause lift --why "users complain"'],
  }).action((reference: string, flags: SayFlags, command: Command) =>
    sayAndWait(runningContextOf(command), flags, reference, 'pause'),
  );
  add('resume', 'go on with a campaign that was paused', {
    examples: ['meshward campaign resume lift --why "quiet again"'],
  }).action((reference: string, flags: SayFlags, command: Command) =>
    say(runningContextOf(command), flags, reference, () => ({ what: 'resume' })),
  );
  add('cancel', 'end a campaign for good; returns when nothing is done for it any more', {
    examples: ['meshward campaign cancel lift --why "not needed any more"'],
    notes: [
      'What was restored stays. Peers that were being drained go on draining: `meshward peer drain NAME --stop`.',
    ],
  }).action((reference: string, flags: SayFlags, command: Command) =>
    sayAndWait(runningContextOf(command), flags, reference, 'cancel'),
  );
}

type Commanding = (
  stand: Stand,
) => { what: 'approve' | 'start'; planHash: string } | { what: 'pause' | 'resume' | 'cancel' };

async function say(context: Context, flags: SayFlags, reference: string, commandOf: Commanding): Promise<void> {
  const api = await findApi(context, flags);
  const stand = await api.campaign(reference);
  const said = await withCollector(context, flags, (collector) =>
    command(collector, stand, commandOf(stand), flags.why),
  );
  context.output.result(said, () => `"${said.name}" is ${said.state}.`);
}

/** The revision that was looked at goes along: what another operator did meanwhile is not overruled unseen. */
function command(
  collector: CollectorClient,
  stand: Pick<Stand, 'id' | 'revision'>,
  said: ReturnType<Commanding>,
  why: string,
): Promise<CampaignAnswer> {
  return collector.commandCampaign(stand.id, { ...said, why, revision: stand.revision });
}

async function sayAndWait(
  context: Context,
  flags: SayFlags,
  reference: string,
  what: 'pause' | 'cancel',
): Promise<void> {
  const api = await findApi(context, flags);
  const before = await api.campaign(reference);
  const said = await withCollector(context, flags, (collector) => command(collector, before, { what }, flags.why));
  const sinceMs = systemClock.nowMs();
  const stand = await interruptible((signal) => atRest(api, said, signal));
  const seconds = (systemClock.nowMs() - sinceMs) / 1000;
  context.output.result(
    { ...said, atRest: stand.atRest },
    () =>
      `"${said.name}" is ${describeState(stand)}${stand.atRest ? ` (after ${seconds.toFixed(1)} s)` : '; a repairer that is away stops when it is back'}.`,
  );
}

const patienceMs = 30_000;

async function atRest(api: ApiClient, { id, revision }: CampaignAnswer, signal: AbortSignal): Promise<Stand> {
  const untilMs = systemClock.nowMs() + patienceMs;
  for (;;) {
    const stand = await api.campaign(id);
    const isSeen = stand.revision >= revision && stand.atRest;
    if (isSeen || systemClock.nowMs() > untilMs) return stand;
    await sleep(systemClock, 200, signal);
  }
}

async function start(context: Context, flags: StartFlags, reference: string): Promise<void> {
  const { why } = flags;
  const api = await findApi(context, flags, planTimeoutMs);
  let stand: Pick<Stand, 'id' | 'name' | 'revision' | 'planHash' | 'definition' | 'plan' | 'description'> =
    await api.campaign(reference);
  const fresh = await api.planCampaign(stand.definition);
  const drift = planDrift(stand.plan, fresh);
  const most = context.config.campaigns.planMaxDriftRatio;
  if (!flags.replan && drift > most) {
    throw new MeshwardError(
      'campaign-stale',
      `the mesh is not what "${stand.name}" was planned for: its figures have changed by ${Math.round(drift * 100)} %, and ${Math.round(most * 100)} % are let pass`,
      { next: 'Plan it anew and start that: --replan.' },
    );
  }
  await withCollector(context, flags, async (collector) => {
    if (flags.replan) {
      const { definition } = stand;
      const body = { what: 'plan', definition, plan: fresh, why, revision: stand.revision } as const;
      const planned = await collector.commandCampaign(stand.id, body);
      stand = { ...stand, revision: planned.revision, planHash: planned.planHash, plan: fresh };
      context.output.note(describePlan(fresh, stand.description));
    }
    // The campaign's own words come first: a start that is refused drains nobody.
    const said = await command(collector, stand, { what: 'start', planHash: stand.planHash }, why);
    for (const peer of stand.definition.leave) await collector.drainPeer(peer as PeerId, true);
    context.output.result(
      said,
      () => `"${said.name}" is ${said.state}. Watch it: meshward campaign watch ${said.name}`,
    );
  });
}
