/**
 * Runs what is due by the calendars. One repairer does it, the owner of the first partition; a run is claimed in the log before it
 * begins, so that two who believe to be that one for a moment do not run it twice, and one that dies does not run it again.
 * What is still under way is not begun a second time; what was due while nobody ran is told, and not made up for.
 */
import type { FollowedTable } from '#log/followed-table.ts';
import { commitSchedule } from '#log/revision-commit.ts';
import { dueRuns, type Schedule, type ScheduleDefinition } from '#mesh/campaigns/schedule.ts';
import type { CampaignTable } from '#mesh/campaigns/table.ts';
import type { Clock } from '#mesh/clock.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import type { Timetable } from './timetable.ts';

/** What a run does; resolves with what came of it, for the audit. */
export type Runners = {
  readonly [Does in Exclude<ScheduleDefinition['does'], 'repair-window'>]: (
    schedule: Schedule,
    definition: Extract<ScheduleDefinition, { does: Does }>,
    signal: AbortSignal,
  ) => Promise<string>;
};

export interface CalendarOptions {
  readonly followed: FollowedTable<CampaignTable>;
  /** Whether it is this repairer that runs what is due. */
  readonly isOurTurn: () => boolean;
  readonly runners: Runners;
  readonly timetable: (wake: () => void) => Timetable;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A run that is later than this is missed. */
export const graceMs = 15 * 60_000;
const lookEveryMs = 5000;
const keptSteps = 100;

export class Calendar {
  readonly #options: CalendarOptions;
  readonly #timetable: Timetable;
  readonly #running = new Map<string, { readonly stop: AbortController; readonly over: Promise<void> }>();
  #callOff: () => void = () => undefined;
  #looking: Promise<void> | null = null;
  #isStopped = false;

  constructor(options: CalendarOptions) {
    this.#options = options;
    this.#timetable = options.timetable(() => this.look());
  }

  start(): void {
    this.look();
  }

  /** Names of what runs at this moment. */
  get running(): readonly string[] {
    return [...this.#running.keys()];
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#callOff();
    this.#timetable.clear();
    await this.#looking;
    for (const { stop } of this.#running.values()) stop.abort(stopped());
    await Promise.all([...this.#running.values()].map(({ over }) => over));
  }

  /** Looks at what is due now. */
  look(): void {
    if (this.#isStopped || this.#looking !== null) return;
    this.#callOff();
    this.#looking = this.#lookOnce()
      .catch((error: unknown) => {
        this.#options.logger.warn({ error: describeError(error) }, 'a look at the calendars failed; it is tried again');
      })
      .finally(() => {
        this.#looking = null;
        if (!this.#isStopped) this.#callOff = this.#options.clock.after(lookEveryMs, () => this.look());
      });
  }

  async #lookOnce(): Promise<void> {
    const { followed, isOurTurn } = this.#options;
    if (!followed.isCurrent) return;
    const schedules = followed.table.schedules().filter(({ definition }) => definition.does !== 'repair-window');
    const ours = isOurTurn() ? schedules : [];
    this.#timetable.set(new Map(ours.map(({ name, definition }) => [name, definition])));
    const known = new Set(ours.map(({ name }) => name));
    for (const [name, { stop }] of this.#running) if (!known.has(name)) stop.abort(removed(name));
    for (const schedule of ours) await this.#runDue(schedule);
  }

  async #runDue(schedule: Schedule): Promise<void> {
    const { clock, logger } = this.#options;
    const nowMs = clock.nowMs();
    const { count, lastMs } = dueRuns(schedule.definition, schedule.lastRunMs, nowMs);
    if (lastMs === null) return;
    const isLate = nowMs - lastMs > graceMs;
    const missed = isLate ? count : count - 1;
    const isUnderWay = this.#running.has(schedule.name);
    const what = isLate ? 'missed' : isUnderWay ? 'skipped' : 'run';
    const why = [
      ...(missed > 0
        ? [`${missed} run${missed === 1 ? ' was' : 's were'} missed: nobody was there to run what was due`]
        : []),
      ...(what === 'skipped' ? ['the last run is still under way'] : []),
      ...(what === 'run' ? [`due at ${new Date(lastMs).toISOString()}`] : []),
    ].join('; ');
    const claimed = await this.#write(schedule, what, why, lastMs);
    if (claimed === null) return;
    if (what !== 'run' || missed > 0) logger.warn({ schedule: schedule.name, missed, what }, why);
    if (what === 'run') this.#begin(claimed);
  }

  #begin(schedule: Schedule): void {
    const { logger } = this.#options;
    const stop = new AbortController();
    const over = this.#run(schedule, stop.signal)
      .then(
        (outcome) => {
          logger.info({ schedule: schedule.name, outcome }, 'what was due has run');
          return { what: 'ran', why: outcome };
        },
        (error: unknown) => {
          logger.error({ schedule: schedule.name, error: describeError(error) }, 'what was due could not be run');
          return { what: 'failed', why: describeError(error).slice(0, 200) };
        },
      )
      .then(async ({ what, why }) => {
        const now = this.#options.followed.table.scheduleEntry(schedule.name)?.value;
        if (now !== undefined && !now.removed) await this.#write(now, what, why, now.lastRunMs);
      })
      .catch((error: unknown) => {
        logger.warn({ schedule: schedule.name, error: describeError(error) }, 'what came of a run could not be kept');
      })
      .finally(() => this.#running.delete(schedule.name));
    this.#running.set(schedule.name, { stop, over });
  }

  #run(schedule: Schedule, signal: AbortSignal): Promise<string> {
    const { runners } = this.#options;
    const { definition } = schedule;
    switch (definition.does) {
      case 'campaign':
        return runners.campaign(schedule, definition, signal);
      case 'proofs':
        return runners.proofs(schedule, definition, signal);
      case 'canary':
        return runners.canary(schedule, definition, signal);
      case 'repair-window':
        return Promise.resolve('');
    }
  }

  /** Null where another one wrote first: then theirs counts. */
  async #write(schedule: Schedule, what: string, why: string, lastRunMs: number): Promise<Schedule | null> {
    const { followed, clock } = this.#options;
    const revision = schedule.revision + 1;
    const step = { revision, what, operatorId: '', operatorName: '', why, atMs: clock.nowMs(), planHash: '' };
    const next = { ...schedule, revision, lastRunMs, steps: [...schedule.steps, step].slice(-keptSteps) };
    return (await commitSchedule(followed, next)) ? next : null;
  }
}

function stopped(): MeshwardError {
  return new MeshwardError('cancelled', 'the repairer is stopping', { next: 'It runs again when it is due again.' });
}

function removed(name: string): MeshwardError {
  return new MeshwardError('cancelled', `the calendar entry "${name}" was removed, or another repairer runs it now`, {
    next: 'Nothing needs doing.',
  });
}
