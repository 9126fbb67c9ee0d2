/** A plain webhook: the whole notice as one JSON document (docs/alerts.md), and a heartbeat URL that wants to be called in time. */
import { type HttpSender, readSecretFile, readUrlFile } from './http.ts';
import type { Notice } from './notice.ts';

export interface WebhookOptions {
  readonly urlFile: string;
  readonly tokenFile?: string | undefined;
}

export function webhookSend({ urlFile, tokenFile }: WebhookOptions, http: HttpSender) {
  return async (notice: Notice, signal: AbortSignal): Promise<void> => {
    const token = tokenFile === undefined ? {} : { authorization: `Bearer ${await readSecretFile(tokenFile)}` };
    const headers = {
      ...token,
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
