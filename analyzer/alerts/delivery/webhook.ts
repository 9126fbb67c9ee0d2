/** A plain webhook: the whole notice as one JSON document (docs/alerts.md), and a heartbeat URL that wants to be called in time. */
import { authorization, type HttpSender, type Login, readUrlFile } from './http.ts';
import type { Notice } from './notice.ts';

export interface WebhookOptions extends Login {
  readonly urlFile: string;
}

export function webhookSend({ urlFile, ...login }: WebhookOptions, http: HttpSender) {
  return async (notice: Notice, signal: AbortSignal): Promise<void> => {
    const headers = {
      ...(await authorization(login)),
      'idempotency-key': `${notice.dedupKey}/${notice.alertId}/${notice.state}/${notice.severity}`,
    };
    await http.post({ url: await readUrlFile(urlFile), body: webhookBody(notice), headers, signal });
  };
}

export function webhookBody(notice: Notice): Readonly<Record<string, unknown>> {
  const time = (atMs: number | null): string | null => (atMs === null ? null : new Date(atMs).toISOString());
  const { facts, links } = notice;
  return {
    version: 1,
    dedupKey: notice.dedupKey,
    alertId: notice.alertId,
    alert: notice.name,
    state: notice.state,
    severity: notice.severity,
    mesh: notice.mesh,
    labels: notice.cause,
    summary: notice.summary,
    why: notice.why,
    files: facts.files,
    bytes: facts.bytes,
    meaning: facts.meaning,
    timeLeft: facts.timeLeft,
    repair: facts.repair,
    next: facts.next,
    command: facts.command,
    runbookUrl: links.runbook,
    dashboardUrl: links.dashboard,
    sourceUrl: links.source,
    startedAt: time(notice.sinceMs),
    endedAt: time(notice.endedAtMs),
  };
}

/** Called with nothing: whoever watches the URL calls out when it is not. */
export function heartbeatSend(urlFile: string, http: HttpSender) {
  return async (_notice: Notice, signal: AbortSignal): Promise<void> => {
    await http.post({ url: await readUrlFile(urlFile), body: undefined, signal });
  };
}
