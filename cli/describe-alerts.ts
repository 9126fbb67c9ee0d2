/** Alerts as people read them on a terminal. */
import type { AlertChangeAnswer, AlertDetail, SilenceAnswer } from '#analyzer/api/alert-schemas.ts';
import { formatBytes, formatDuration } from './terminal/amounts.ts';
import { moodOf } from './terminal/colour.ts';
import { listingView, timeColumn, type View } from './terminal/view.ts';

export function alertsView(alerts: readonly AlertDetail[], nowMs: number): View {
  return listingView<AlertDetail>({
    rows: alerts,
    value: { alerts },
    none: 'No alert is open.',
    below: ['`meshward alerts show ID` has what to do.'],
    columns: [
      { title: 'id', value: ({ id }) => id, text: ({ id }) => id.slice(0, 8) },
      { title: 'severity', value: ({ severity }) => severity, mood: ({ severity }) => moodOf(severity) },
      { title: 'state', value: standingOf, mood: (alert) => moodOf(standingOf(alert)) },
      {
        title: 'for',
        name: 'open_ms',
        value: ({ sinceMs }) => nowMs - sinceMs,
        text: ({ sinceMs }) => formatDuration(nowMs - sinceMs),
        rank: 2,
      },
      { title: 'alert', value: ({ alert }) => alert },
      { title: 'files', value: ({ files }) => files, rank: 3 },
      { title: 'summary', value: ({ summary }) => summary, fit: 'text' },
    ],
  });
}

function standingOf({ silenced, acknowledged }: AlertDetail): string {
  if (silenced !== '') return 'silenced';
  return acknowledged === '' ? 'open' : 'acked';
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

export function changesView(changes: readonly AlertChangeAnswer[]): View {
  return listingView<AlertChangeAnswer>({
    rows: changes,
    value: { changes },
    none: 'No alert has ever been open.',
    columns: [
      timeColumn('at', ({ atMs }) => atMs),
      { title: 'id', value: ({ id }) => id, text: ({ id }) => id.slice(0, 8), rank: 1 },
      { title: 'severity', value: ({ severity }) => severity, mood: ({ severity }) => moodOf(severity), rank: 2 },
      { title: 'state', value: ({ state }) => state },
      { title: 'alert', value: ({ alert }) => alert },
      { title: 'summary', value: ({ summary }) => summary, fit: 'text' },
    ],
  });
}

export function silencesView(silences: readonly SilenceAnswer[]): View {
  const stateOf = ({ isActive, endedBy }: SilenceAnswer): string =>
    isActive ? 'active' : endedBy === '' ? 'expired' : `ended by ${endedBy}`;
  return listingView<SilenceAnswer>({
    rows: silences,
    value: { silences },
    none: 'There is no silence.',
    columns: [
      { title: 'id', value: ({ id }) => id, fit: 'id' },
      { title: 'state', value: stateOf, mood: (silence) => moodOf(stateOf(silence)) },
      timeColumn('until', ({ untilMs }) => untilMs),
      { title: 'selector', value: ({ selector }) => selector, fit: 'text' },
      { title: 'by', value: ({ by }) => by, rank: 1 },
      { title: 'why', value: ({ why }) => why, fit: 'text', rank: 2 },
    ],
  });
}
