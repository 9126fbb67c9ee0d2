/** Wakes at the times of calendars, by node-schedule. It only says that something may be due: what is due follows from the log. */
import { type Job, scheduleJob } from 'node-schedule';
import { cronOf, type ScheduleDefinition } from '#mesh/campaigns/schedule.ts';

export interface Timetable {
  /** Takes the place of what was set before. */
  set(entries: ReadonlyMap<string, ScheduleDefinition>): void;
  clear(): void;
}

export function nodeTimetable(wake: () => void): Timetable {
  const jobs = new Map<string, { readonly key: string; readonly job: Job | null }>();
  const cancel = (name: string): void => {
    jobs.get(name)?.job?.cancel();
    jobs.delete(name);
  };
  return {
    set(entries) {
      for (const name of jobs.keys()) if (!entries.has(name)) cancel(name);
      for (const [name, definition] of entries) {
        const key = `${cronOf(definition)} ${definition.timeZone}`;
        if (jobs.get(name)?.key === key) continue;
        cancel(name);
        // Null where it is never due again.
        const job = scheduleJob({ rule: cronOf(definition), tz: definition.timeZone }, wake) as Job | null;
        jobs.set(name, { key, job });
      }
    },
    clear() {
      for (const name of jobs.keys()) cancel(name);
    },
  };
}
