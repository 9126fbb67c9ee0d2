/** The mesh at a glance, as people read it. */
import type { AlertDetail } from '#analyzer/api/alert-schemas.ts';
import type { MeshAnswer, RepairAnswer } from '#analyzer/api/schemas.ts';
import { aligned, describeFreshness } from './describe-file.ts';
import { formatBytes, formatDuration } from './terminal/amounts.ts';
import { moodOf, type Paint } from './terminal/colour.ts';

export interface Status {
  readonly mesh: MeshAnswer;
  readonly alerts: readonly AlertDetail[];
  readonly repairs: readonly RepairAnswer[];
}

export function describeStatus({ mesh, alerts, repairs }: Status, paint: Paint, nowMs: number): string {
  const grades = mesh.byGrade
    .filter(({ files }) => files > 0)
    .map(({ grade, files, bytes }) => paint(moodOf(grade), `${files} ${grade} (${formatBytes(bytes)})`));
  const peers = mesh.peersByState
    .filter(({ peers }) => peers > 0)
    .map(({ state, peers }) => paint(moodOf(state), `${peers} ${state}`));
  const smallest = mesh.byMargin
    .filter(({ files }) => files > 0)
    .reduce((least, { margin }) => Math.min(least, margin), Infinity);
  const facts: [string, string][] = [
    ['files', describeFiles(mesh)],
    ['by grade', grades.length === 0 ? '-' : grades.join(', ')],
    ['smallest margin', smallest === Infinity ? '-' : String(smallest)],
    ['peers', peers.length === 0 ? '-' : peers.join(', ')],
    [
      'health',
      mesh.freshness.state === 'fresh'
        ? describeFreshness(mesh.freshness)
        : paint('notice', describeFreshness(mesh.freshness)),
    ],
  ];
  const told = alerts.map(
    ({ id, severity, summary, sinceMs }) =>
      `  ${paint(moodOf(severity), severity)} ${id.slice(0, 8)}, for ${formatDuration(nowMs - sinceMs)}: ${summary}`,
  );
  const repaired = repairs.map(
    (one) =>
      `  ${one.storageIndex} ${paint(moodOf(one.outcome), one.outcome)} ${formatDuration(nowMs - one.endedAtMs)} ago: ` +
      `${one.availableBefore} to ${one.availableAfter} shares${one.errorCode === '' ? '' : ` [${one.errorCode}]`}`,
  );
  return [
    aligned(facts),
    '',
    alerts.length === 0 ? 'No alert is open.' : 'Open alerts:',
    ...told,
    '',
    repairs.length === 0 ? 'Nothing was repaired yet.' : 'Last repairs:',
    ...repaired,
  ].join('\n');
}

function describeFiles({ files, bytes, settlingFiles, sweptAtMs, freshness }: MeshAnswer): string {
  if (files === null || bytes === null) return 'not known yet';
  const settling = settlingFiles === null || settlingFiles === 0 ? '' : `; ${settlingFiles} settling`;
  return `${files}, ${formatBytes(bytes)}${settling}${freshness.state === 'fresh' ? '' : asOf(sweptAtMs)}`;
}

function asOf(sweptAtMs: number): string {
  return sweptAtMs === 0 ? '' : `, as the sweep of ${new Date(sweptAtMs).toISOString()} found them`;
}
