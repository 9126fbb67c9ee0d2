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
    [
      'files',
      `${mesh.files}, ${formatBytes(mesh.bytes)}${mesh.settlingFiles === 0 ? '' : `; ${mesh.settlingFiles} settling`}`,
    ],
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
