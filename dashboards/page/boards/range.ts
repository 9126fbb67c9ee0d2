/** Spans of time as dashboards say them: `now-6h` to `now`, or milliseconds. */
import { MeshwardError } from '#mesh/errors.ts';
import type { Span } from '../../grafana/query/questions.ts';

const unitsMs: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  M: 30 * 86_400_000,
  y: 365 * 86_400_000,
};
const shortestMs = 10_000;
const longestMs = 2 * 366 * 86_400_000;
/** Viewers who look at the same moment ask the same question. */
const roundMs = 5000;

/** @throws MeshwardError `bad-input`. */
export function spanOf(from: string, to: string, nowMs: number): Span {
  const fromMs = momentOf(from, nowMs);
  const toMs = momentOf(to, nowMs);
  if (fromMs === null || toMs === null) throw unreadable('it says moments as now-6h, or as milliseconds');
  if (toMs - fromMs < shortestMs || toMs - fromMs > longestMs)
    throw unreadable('it is from ten seconds to two years long');
  return { fromMs, toMs };
}

function momentOf(text: string, nowMs: number): number | null {
  if (/^\d{10,14}$/.test(text)) return Number(text);
  const found = /^now(?:-(\d{1,6})([smhdwMy]))?$/.exec(text);
  if (found === null) return null;
  const [, count = '0', unit = 's'] = found;
  return Math.ceil(nowMs / roundMs) * roundMs - Number(count) * (unitsMs[unit] as number);
}

function unreadable(rule: string): MeshwardError {
  return new MeshwardError('bad-input', 'this is no span of time that a dashboard can show', {
    next: `See that ${rule}.`,
  });
}
