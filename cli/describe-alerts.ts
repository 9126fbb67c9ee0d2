/** Alerts as people read them on a terminal. */
import type { AlertChangeAnswer, AlertDetail, SilenceAnswer } from '#analyzer/api/alert-schemas.ts';
import { formatBytes, formatDuration, table } from './output.ts';

export function describeAlerts(alerts: readonly AlertDetail[], nowMs: number): string {
  if (alerts.length === 0) return 'No alert is open.';
  const rows = alerts.map(({ id, severity, alert, summary, sinceMs, silenced, acknowledged }) => {
    const standing = silenced === '' ? (acknowledged === '' ? 'open' : 'acked') : 'silenced';
    return [id.slice(0, 8), severity, standing, formatDuration(nowMs - sinceMs), alert, summary];
  });
  return `${table(['id', 'severity', 'state', 'for', 'alert', 'summary'], rows)}\n\n\`meshward alerts show ID\` has what to do.`;
}

export function describeAlert(alert: AlertDetail, nowMs: number): string {
  const { files, bytes, told } = alert;
  const labels = Object.entries(alert.labels).map(([name, value]) => `${name}=${value}`);
  const lines: readonly (readonly [string, string])[] = [
    ['alert', `${alert.alert} (${alert.severity}), ${alert.id}`],
    ['since', `${new Date(alert.sinceMs).toISOString()}, for ${formatDuration(nowMs - alert.sinceMs)}`],
    ['meaning', alert.meaning],
    ['at stake', files === 0 ? '' : `${files === 1 ? '1 file' : `${files} files`}, ${formatBytes(bytes)}`],
    ['time left', alert.timeLeft],
    ['repair', alert.repair],
    ['what to do', alert.next],
    ['command', alert.command],
    ['silenced', alert.silenced],
    ['acknowledged', alert.acknowledged],
    ['told', told.map(({ sink, state, atMs }) => `${sink} (${state}, ${new Date(atMs).toISOString()})`).join(', ')],
    ['labels', labels.join(', ')],
    ['runbook', alert.runbookUrl],
    ['dashboard', alert.dashboardUrl],
  ];
  const shown = lines.filter(([, text]) => text !== '');
  return [alert.summary, '', ...shown.map(([name, text]) => `${name.padEnd(13)} ${text}`)].join('\n');
}

export function describeChanges(changes: readonly AlertChangeAnswer[]): string {
  if (changes.length === 0) return 'No alert has ever been open.';
  const rows = changes.map(({ atMs, id, severity, state, alert, summary }) => {
    return [new Date(atMs).toISOString(), id.slice(0, 8), severity, state, alert, summary];
  });
  return table(['at', 'id', 'severity', 'state', 'alert', 'summary'], rows);
}

export function describeSilences(silences: readonly SilenceAnswer[]): string {
  if (silences.length === 0) return 'There is no silence.';
  const rows = silences.map(({ id, selector, untilMs, why, by, isActive, endedBy }) => {
    const state = isActive ? 'active' : endedBy === '' ? 'expired' : `ended by ${endedBy}`;
    return [id, state, new Date(untilMs).toISOString(), selector, by, why];
  });
  return table(['id', 'state', 'until', 'selector', 'by', 'why'], rows);
}
