/** One alert as one sink is to know it, and what is due of it: functions of values. */
import type { Notice, NoticeSeverity, NoticeState } from './notice.ts';

export interface Entry {
  readonly notice: Notice;
  /** Null where the sink knows nothing of it. */
  readonly told: EntryTold | null;
  /** Null while it is open. */
  readonly over: Over | null;
  readonly failures: number;
  /** In monotonic time, as all that is not said to be of the wall. */
  readonly notBeforeMs: number;
  /** By the wall clock; null where it was not refused. */
  readonly failingSinceMs: number | null;
}

export interface EntryTold {
  readonly state: Exclude<NoticeState, 'resolved'>;
  readonly severity: NoticeSeverity;
  readonly atMs: number;
}

export interface Over {
  readonly sinceMs: number;
  /** By the wall clock. */
  readonly endedAtMs: number;
  /** Who silenced it; empty where it is over by itself. */
  readonly why: string;
}

export interface LaneTiming {
  readonly sendTimeoutMs: number;
  readonly resendMs: number;
  readonly resolveDelayMs: number;
}

/** An alert is valid for this many resendings: some may be lost. */
export const resendsOfValidity = 5;
/** The watchdog stops after this many resendings without a word from the sweep. */
const watchdogPatience = 3;

export function newEntry(notice: Notice, told: EntryTold | null = null): Entry {
  return { notice, told, over: null, failures: 0, notBeforeMs: 0, failingSinceMs: null };
}

/**
 * When something is to be sent of it, monotonic; null where nothing is.
 * @param sinkResendMs null where the sink forgets nothing. @param sweptAtMs when the sweep last said what is open.
 */
export function dueAtMs(
  entry: Entry,
  timing: LaneTiming,
  sinkResendMs: number | null,
  sweptAtMs: number,
): number | null {
  const { notice, told, over, notBeforeMs } = entry;
  if (over !== null) {
    if (told === null) return null;
    const delayMs = over.why === '' ? timing.resolveDelayMs : 0;
    return Math.max(over.sinceMs + delayMs, notBeforeMs);
  }
  if (told === null || told.state !== notice.state || told.severity !== notice.severity) return notBeforeMs;
  const isWatchdog = notice.severity === 'none';
  const resendMs = isWatchdog ? timing.resendMs : sinkResendMs;
  if (resendMs === null) return null;
  const at = Math.max(told.atMs + resendMs, notBeforeMs);
  return isWatchdog && at > sweptAtMs + watchdogPatience * timing.resendMs ? null : at;
}

/** As it goes to the sink now. */
export function noticeToSend({ notice, told, over }: Entry, timing: LaneTiming, nowMs: number): Notice {
  const times = { sentAtMs: nowMs, validUntilMs: nowMs + resendsOfValidity * timing.resendMs };
  if (over !== null) {
    const { endedAtMs, why } = over;
    return { ...notice, ...times, state: 'resolved', severity: told?.severity ?? notice.severity, endedAtMs, why };
  }
  return { ...notice, ...times, toldSeverity: told?.severity ?? null };
}

const weights: Readonly<Record<NoticeSeverity, number>> = { page: 0, warning: 1, none: 2 };

/** Negative where `a` is to be told first: pages, then warnings, and of these what began first. */
export function compareEntries(a: Entry, b: Entry): number {
  return weights[a.notice.severity] - weights[b.notice.severity] || a.notice.sinceMs - b.notice.sinceMs;
}
