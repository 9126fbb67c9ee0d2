/** What operators set of repair at run time: calendars, limits and the brake. Written into the log as campaigns are. */
import { commitLimits, commitSchedule } from '#log/revision-commit.ts';
import type { CommandBy } from '#mesh/campaigns/campaign.ts';
import type { LimitsSettings, RepairLimits } from '#mesh/campaigns/limits.ts';
import type { Schedule, ScheduleDefinition } from '#mesh/campaigns/schedule.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { CampaignDeskOptions } from './campaigns.ts';

/** Entries of the calendar: each is looked at again and again. */
const maxSchedules = 200;
/** Steps kept with limits and calendar entries, newest last; all of them are in the database. */
const keptSteps = 100;

export class RepairSettings {
  readonly #followed: CampaignDeskOptions['followed'];

  constructor(followed: CampaignDeskOptions['followed']) {
    this.#followed = followed;
  }

  /** Adds an entry, or puts it in the place of the one that has its name. @throws MeshwardError `campaign-changed`, `campaign-state`. */
  async schedule(name: string, definition: ScheduleDefinition, by: CommandBy): Promise<Schedule> {
    await this.#followed.catchUp();
    const { table } = this.#followed;
    const standing = table.scheduleEntry(name)?.value;
    if (standing === undefined && table.schedules().length >= maxSchedules) {
      throw new MeshwardError('campaign-state', `there are ${maxSchedules} calendar entries already`, {
        next: 'Remove those that are not needed: `meshward schedule remove`.',
      });
    }
    const what = standing === undefined || standing.removed ? 'add' : 'change';
    return this.#writeSchedule(name, standing, { definition, removed: false, lastRunMs: by.atMs }, what, by);
  }

  /** @throws MeshwardError `campaign-unknown`, `campaign-changed`. */
  async removeSchedule(name: string, by: CommandBy): Promise<Schedule> {
    await this.#followed.catchUp();
    const standing = this.#followed.table.scheduleEntry(name)?.value;
    if (standing === undefined || standing.removed) {
      throw new MeshwardError('campaign-unknown', `there is no calendar entry "${name}"`, {
        next: '`meshward schedule list` names those that there are.',
      });
    }
    return this.#writeSchedule(name, standing, { ...standing, removed: true }, 'remove', by);
  }

  /** @throws MeshwardError `campaign-changed`. */
  async limits(change: (now: LimitsSettings) => LimitsSettings, what: string, by: CommandBy): Promise<RepairLimits> {
    await this.#followed.catchUp();
    const { limits } = this.#followed.table;
    const revision = limits.revision + 1;
    const steps = withStep(limits.steps, revision, what, by);
    const next = { revision, settings: change(limits.settings), steps };
    if (await commitLimits(this.#followed, next)) return next;
    throw changed('the limits of repair');
  }

  async #writeSchedule(
    name: string,
    standing: Schedule | undefined,
    values: Pick<Schedule, 'definition' | 'removed' | 'lastRunMs'>,
    what: string,
    by: CommandBy,
  ): Promise<Schedule> {
    const revision = (standing?.revision ?? 0) + 1;
    const { definition, removed, lastRunMs } = values;
    const steps = withStep(standing?.steps ?? [], revision, what, by);
    const next: Schedule = { name, revision, removed, definition, steps, lastRunMs };
    if (await commitSchedule(this.#followed, next)) return next;
    throw changed(`the calendar entry "${name}"`);
  }
}

function withStep(steps: Schedule['steps'], revision: number, what: string, by: CommandBy): Schedule['steps'] {
  return [...steps, { ...by, revision, what, planHash: '' }].slice(-keptSteps);
}

function changed(what: string): MeshwardError {
  return new MeshwardError(
    'campaign-changed',
    `${what}: another operator changed it at the same time, and theirs came first`,
    {
      next: 'Look at what stands there now, and give the command again if it is still meant.',
    },
  );
}
