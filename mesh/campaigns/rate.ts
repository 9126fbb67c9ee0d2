/** How fast a campaign goes and how long it still takes: functions of its steps and of what was counted when. */
import type { AuditStep, Campaign } from './campaign.ts';

/** For how long the campaign has run until then, pauses left out. */
export function runningMsOf({ steps }: Pick<Campaign, 'steps'>, nowMs: number): number {
  let sinceMs: number | null = null;
  let sumMs = 0;
  for (const { what, atMs } of steps) {
    if (what === 'start') sumMs = 0;
    if (what === 'start' || what === 'resume') sinceMs = atMs;
    else if (sinceMs !== null && endsRunning(what)) {
      sumMs += atMs - sinceMs;
      sinceMs = null;
    }
  }
  return Math.max(0, sumMs + (sinceMs === null ? 0 : nowMs - sinceMs));
}

function endsRunning(what: AuditStep['what']): boolean {
  return what === 'pause' || what === 'cancel' || what === 'finish' || what === 'fail';
}

/** What was counted at a moment. */
export interface Counted {
  readonly atMs: number;
  readonly files: number;
  readonly bytes: number;
}

export interface CampaignRate {
  readonly filesPerSecond: number;
  readonly bytesPerSecond: number;
  /** Time that is still needed, at the faster and at the slower of what was measured; null where nothing moves. */
  readonly remaining: { readonly leastMs: number; readonly mostMs: number } | null;
}

/**
 * @param recent counts of the last while, oldest first.
 * @param wholeMs for how long it has run in all.
 * @param files that are to be dealt with: an estimate of the plan.
 */
export function rateOf(recent: readonly Counted[], wholeMs: number, files: number): CampaignRate {
  const first = recent[0];
  const last = recent.at(-1);
  if (first === undefined || last === undefined) return { filesPerSecond: 0, bytesPerSecond: 0, remaining: null };
  const spanMs = last.atMs - first.atMs;
  const recentFiles = spanMs <= 0 ? 0 : ((last.files - first.files) * 1000) / spanMs;
  const recentBytes = spanMs <= 0 ? 0 : ((last.bytes - first.bytes) * 1000) / spanMs;
  const wholeFiles = wholeMs <= 0 ? 0 : (last.files * 1000) / wholeMs;
  const speeds = [recentFiles, wholeFiles].filter((speed) => speed > 0);
  const left = Math.max(0, files - last.files);
  const remaining =
    speeds.length === 0
      ? null
      : {
          leastMs: Math.round((left * 1000) / Math.max(...speeds)),
          mostMs: Math.round((left * 1000) / Math.min(...speeds)),
        };
  return { filesPerSecond: recentFiles, bytesPerSecond: recentBytes, remaining };
}
