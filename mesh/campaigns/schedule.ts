/** What runs on a calendar. JSON in the log; parsed once here, trusted inside. */
import cronParser from 'cron-parser';
import { z } from 'zod';
import { MeshwardError } from '../errors.ts';
import type { AuditStep } from './campaign.ts';
import { definitionSchema } from './definition.ts';

export const scheduleNamePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$/;

const cron = z.string().min(9).max(100);
const timeZone = z.string().max(60).refine(isTimeZone, 'it is no time zone, such as Europe/Berlin or UTC');
const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/);

export const scheduleSchema = z.discriminatedUnion('does', [
  /** Plans a campaign and starts it, unless one of the same calendar entry is not over. */
  z.strictObject({ does: z.literal('campaign'), cron, timeZone, campaign: definitionSchema }),
  /** Recovers files from k random shares and checks every byte: the riskier and the longer unproven, the likelier. */
  z.strictObject({ does: z.literal('proofs'), cron, timeZone, files: z.number().int().min(1).max(10_000) }),
  /** Puts a file with too few shares, and sees that it is listed, repaired and recovered. */
  z.strictObject({ does: z.literal('canary'), cron, timeZone, withinMs: z.number().int().min(1000).max(86_400_000) }),
  /** Repairs of files that are not critical, and campaigns, run only while some window is open. */
  z.strictObject({
    does: z.literal('repair-window'),
    from: timeOfDay,
    to: timeOfDay,
    /** 0 is Sunday; of the day on which it opens. */
    days: z.array(z.number().int().min(0).max(6)).min(1).max(7),
    timeZone,
  }),
]);
export type ScheduleDefinition = z.infer<typeof scheduleSchema>;
export type RepairWindow = Extract<ScheduleDefinition, { does: 'repair-window' }>;

export interface Schedule {
  readonly name: string;
  readonly revision: number;
  readonly removed: boolean;
  readonly definition: ScheduleDefinition;
  readonly steps: readonly AuditStep[];
  /** The time at which the last run was due; what was due before is not made up for. */
  readonly lastRunMs: number;
}

/** @throws MeshwardError `bad-input`. */
export function parseSchedule(value: unknown): ScheduleDefinition {
  const parsed = scheduleSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const where = [issue?.path.join('.'), issue?.message].filter(Boolean).join(': ');
    throw new MeshwardError('bad-input', `the calendar entry cannot be understood: ${where}`, {
      next: '`meshward schedule add --help` shows what it is made of.',
    });
  }
  nextRuns(parsed.data, 0, 1);
  return parsed.data;
}

/** Times at which it runs, or a window opens, after the given one. @throws MeshwardError `bad-input` for a calendar that cannot be read. */
export function nextRuns(definition: ScheduleDefinition, afterMs: number, count: number): readonly number[] {
  const expression = expressionOf(definition, afterMs);
  return Array.from({ length: count }, () => expression.next().getTime());
}

/** How many runs were due after the one and up to the other, at most `most`, and when the last of them was. */
export function dueRuns(
  definition: ScheduleDefinition,
  afterMs: number,
  upToMs: number,
  most = 1000,
): { readonly count: number; readonly lastMs: number | null } {
  const expression = expressionOf(definition, afterMs);
  let lastMs: number | null = null;
  for (let count = 0; count < most; count++) {
    const atMs = expression.next().getTime();
    if (atMs > upToMs) return { count, lastMs };
    lastMs = atMs;
  }
  return { count: most, lastMs };
}

function expressionOf(definition: ScheduleDefinition, afterMs: number): cronParser.CronExpression {
  const cronText = cronOf(definition);
  try {
    return cronParser.parseExpression(cronText, { currentDate: new Date(afterMs), tz: definition.timeZone });
  } catch (error) {
    throw new MeshwardError('bad-input', `"${cronText}" is no calendar: ${(error as Error).message}`, {
      next: 'Write five fields: minute, hour, day of the month, month, day of the week; such as "0 2 * * 6" for Saturdays at two.',
    });
  }
}

/** As node-schedule and people take it; of a window, when it opens. */
export function cronOf(definition: ScheduleDefinition): string {
  if (definition.does !== 'repair-window') return definition.cron;
  const [hour, minute] = definition.from.split(':').map(Number);
  return `${minute} ${hour} * * ${definition.days.join(',')}`;
}

export function windowsOf(schedules: readonly Schedule[]): readonly RepairWindow[] {
  return schedules.flatMap(({ definition }) => (definition.does === 'repair-window' ? [definition] : []));
}

/** Whether repairs that are not critical may run: where there is no window, always. */
export function isWindowOpen(windows: readonly RepairWindow[], atMs: number): boolean {
  return windows.length === 0 || windows.some((window) => isInWindow(window, atMs));
}

function isInWindow({ from, to, days, timeZone: tz }: RepairWindow, atMs: number): boolean {
  const { day, minutes } = localTime(tz, atMs);
  const opens = minutesOf(from);
  const closes = minutesOf(to);
  if (opens < closes) return days.includes(day) && minutes >= opens && minutes < closes;
  // Over midnight, and all day where it closes when it opens.
  return (days.includes(day) && minutes >= opens) || (days.includes((day + 6) % 7) && minutes < closes);
}

function minutesOf(time: string): number {
  const [hour = 0, minute = 0] = time.split(':').map(Number);
  return hour * 60 + minute;
}

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

function localTime(tz: string, atMs: number): { readonly day: number; readonly minutes: number } {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: tz,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  const parts = new Map(format.formatToParts(new Date(atMs)).map(({ type, value }) => [type, value]));
  const minutes = Number(parts.get('hour')) * 60 + Number(parts.get('minute'));
  return { day: weekdays.indexOf(parts.get('weekday') ?? ''), minutes };
}

function isTimeZone(text: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: text }).format(0) !== '';
  } catch {
    return false;
  }
}

export function describeSchedule(definition: ScheduleDefinition): string {
  switch (definition.does) {
    case 'campaign':
      return `campaign (${definition.campaign.kind})`;
    case 'proofs':
      return `proofs of ${definition.files} files`;
    case 'canary':
      return 'canary file';
    case 'repair-window': {
      const days = definition.days.length === 7 ? 'every day' : definition.days.map((day) => weekdays[day]).join(', ');
      return `repair window ${definition.from} to ${definition.to}, ${days}`;
    }
  }
}
