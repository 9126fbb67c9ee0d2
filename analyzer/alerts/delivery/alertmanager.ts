/** Prometheus Alertmanager, API v2. It forgets what it is not reminded of: open alerts are sent again, and say until when they hold. */
import { describeError } from '#mesh/errors.ts';
import { authorization, type HttpSender, type Login } from './http.ts';
import { describeFacts, type Notice, type NoticeSeverity } from './notice.ts';
import { SinkError } from './sink.ts';

export interface AlertmanagerOptions extends Login {
  /** Every member of one cluster: alerts go to each of them, as Prometheus sends them. */
  readonly urls: readonly string[];
}

/** An alert as `POST /api/v2/alerts` takes it. */
export interface PostableAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL: string;
}

export function alertmanagerSend({ urls, ...login }: AlertmanagerOptions, http: HttpSender) {
  return async (notice: Notice, signal: AbortSignal): Promise<void> => {
    const headers = await authorization(login);
    const body = postableAlerts(notice);
    const outcomes = await Promise.allSettled(
      urls.map((url) => http.post({ url: `${url.replace(/\/$/, '')}/api/v2/alerts`, body, headers, signal })),
    );
    // Members tell each other what they have told, not what they have heard: the next sending reaches those that were away.
    if (outcomes.some(({ status }) => status === 'fulfilled')) return;
    const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    throw (
      failures.find((failure) => failure instanceof SinkError) ??
      new SinkError('sink', describeError(failures[0]), { next: 'See that it runs.' })
    );
  };
}

/** Severity is a label, and so part of what the alert is for Alertmanager: where it has changed, the old one ends. */
export function postableAlerts(notice: Notice): readonly PostableAlert[] {
  const { toldSeverity, severity, validUntilMs } = notice;
  const replaced =
    toldSeverity === null || toldSeverity === severity ? [] : [postable(notice, toldSeverity, nowOf(notice))];
  return [...replaced, postable(notice, severity, notice.endedAtMs ?? validUntilMs)];
}

function nowOf({ endedAtMs, sentAtMs }: Notice): number {
  return endedAtMs ?? sentAtMs;
}

function postable(notice: Notice, severity: NoticeSeverity, endsAtMs: number): PostableAlert {
  const { name, mesh, cause, summary, links, sinceMs } = notice;
  const facts = describeFacts(notice);
  const fact = (word: string): string => facts.find(([known]) => known === word)?.[1] ?? '';
  const annotations = {
    summary,
    description: facts.map(([word, text]) => `${word}: ${text}`).join('\n'),
    at_stake: fact('at stake'),
    time_left: fact('time left'),
    repair: fact('repair'),
    next: fact('what to do'),
    command: fact('command'),
    acknowledged: notice.state === 'acknowledged' ? notice.why : '',
    runbook_url: links.runbook,
    dashboard_url: links.dashboard,
    meshward_alert: notice.alertId,
  };
  return {
    labels: { ...cause, alertname: name, severity, mesh, service: 'meshward' },
    annotations: Object.fromEntries(Object.entries(annotations).filter(([, text]) => text !== '')),
    startsAt: new Date(sinceMs).toISOString(),
    // An end before the beginning is refused; clocks of owners may differ by that much.
    endsAt: new Date(Math.max(endsAtMs, sinceMs + 1)).toISOString(),
    generatorURL: links.source,
  };
}
