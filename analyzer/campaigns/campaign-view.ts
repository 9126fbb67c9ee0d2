/** Campaigns as this analyzer sees them: the log's table, and what the store keeps of their files. */
import { FollowedTable } from '#log/followed-table.ts';
import type { EventLog } from '#log/port.ts';
import type { Campaign } from '#mesh/campaigns/campaign.ts';
import type { CampaignDefinition } from '#mesh/campaigns/definition.ts';
import { brakeWordOf } from '#mesh/campaigns/limits.ts';
import type { CampaignPlan } from '#mesh/campaigns/plan.ts';
import { cronOf, describeSchedule, isWindowOpen, nextRuns, windowsOf } from '#mesh/campaigns/schedule.ts';
import { CampaignTable } from '#mesh/campaigns/table.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import { campaignHistory } from '#store/queries/campaigns.ts';
import type { CampaignQueries } from '../api/campaign-routes.ts';
import type {
  CampaignAnswer,
  CampaignReport,
  CampaignSummary,
  LimitsAnswer,
  ScheduleAnswer,
} from '../api/campaign-schemas.ts';
import { toCampaignAnswer, toSummary } from './answers.ts';
import { type PlannerOptions, planCampaign } from './planner.ts';

export interface CampaignViewOptions extends PlannerOptions {
  readonly log: EventLog;
  readonly topic: string;
  /** Of at-risk: so many parts has a campaign. */
  readonly partitions: number;
  readonly logger: Logger;
}

/** A report's throughput has about so many points. */
const reportPoints = 120;

export class CampaignView implements CampaignQueries {
  readonly #options: CampaignViewOptions;
  readonly #followed: FollowedTable<CampaignTable>;

  constructor(options: CampaignViewOptions) {
    this.#options = options;
    const { log, topic, clock, logger } = options;
    this.#followed = new FollowedTable({ log, topic, clock, logger, create: () => new CampaignTable() });
  }

  start(): Promise<void> {
    return this.#followed.start();
  }

  stop(): Promise<void> {
    return this.#followed.stop();
  }

  plan(definition: CampaignDefinition): Promise<CampaignPlan> {
    return planCampaign(this.#options, definition);
  }

  list(): readonly CampaignSummary[] {
    const { table } = this.#followed;
    return table
      .campaigns()
      .map((campaign) => toSummary(campaign, table.progress(campaign.id), this.#options.partitions));
  }

  campaign(reference: string): CampaignAnswer {
    const campaign = this.#find(reference);
    const { config, partitions, clock } = this.#options;
    return toCampaignAnswer(campaign, this.#followed.table.progress(campaign.id), {
      rules: config.campaigns,
      partitions,
      nowMs: clock.nowMs(),
    });
  }

  async report(reference: string, withRemaining: boolean): Promise<CampaignReport> {
    const campaign = this.campaign(reference);
    const spanMs = Math.max(1000, Math.ceil(campaign.runningMs / reportPoints / 1000) * 1000);
    const history = await campaignHistory(this.#options.store, campaign.id, spanMs);
    // Of peers that were left everything counts, and not only what was selected: they are to be switched off.
    const { definition } = campaign;
    const left = definition.leave.length > 0 ? { ...definition, selection: {} } : definition;
    const remaining = withRemaining ? await this.plan(left) : null;
    const pairs = (margins: typeof history.marginsBefore): [number, number][] =>
      margins.map(([margin, files]) => [margin, files]);
    return {
      campaign,
      marginsBefore: pairs(history.marginsBefore),
      marginsAfter: pairs(history.marginsAfter),
      throughput: [...history.throughput],
      spanMs,
      remaining,
    };
  }

  schedules(): readonly ScheduleAnswer[] {
    const nowMs = this.#options.clock.nowMs();
    return this.#followed.table.schedules().map(({ name, definition, lastRunMs, steps }) => ({
      name,
      description: describeSchedule(definition),
      calendar: cronOf(definition),
      timeZone: definition.timeZone,
      definition,
      nextMs: [...nextRuns(definition, nowMs, 3)],
      lastRunMs,
      steps: [...steps],
    }));
  }

  limits(): LimitsAnswer {
    const { table } = this.#followed;
    const nowMs = this.#options.clock.nowMs();
    const { settings, steps } = table.limits;
    return {
      rates: settings.rates,
      brake: brakeWordOf(table.limits, nowMs),
      isWindowOpen: isWindowOpen(windowsOf(table.schedules()), nowMs),
      steps: [...steps],
    };
  }

  #find(reference: string): Campaign {
    const { table } = this.#followed;
    const found = table.campaign(reference) ?? table.campaigns().find(({ name }) => name === reference);
    if (found !== undefined) return found;
    throw new MeshwardError('campaign-unknown', `there is no campaign "${reference.slice(0, 80)}"`, {
      next: '`meshward campaign list` names those that there are.',
    });
  }
}
