/** PagerDuty, Events API v2: one incident a dedup key, triggered, acknowledged and resolved. */
import { type HttpSender, readSecretFile } from './http.ts';
import { describeFacts, type Notice } from './notice.ts';

export interface PagerdutyOptions {
  readonly routingKeyFile: string;
  /** @default PagerDuty's own */
  readonly url?: string | undefined;
}

const eventsUrl = 'https://events.pagerduty.com/v2/enqueue';
const maxSummaryLength = 1024;

const actions = { firing: 'trigger', acknowledged: 'acknowledge', resolved: 'resolve' } as const;
const severities = { page: 'critical', warning: 'warning', none: 'info' } as const;

export function pagerdutySend({ routingKeyFile, url = eventsUrl }: PagerdutyOptions, http: HttpSender) {
  return async (notice: Notice, signal: AbortSignal): Promise<void> => {
    const routingKey = await readSecretFile(routingKeyFile);
    await http.post({ url, body: { routing_key: routingKey, ...pagerdutyEvent(notice) }, signal });
  };
}

export function pagerdutyEvent(notice: Notice): Readonly<Record<string, unknown>> {
  const { state, dedupKey, summary, mesh, severity, name, cause, links, sinceMs } = notice;
  const event = { event_action: actions[state], dedup_key: dedupKey };
  if (state !== 'firing') return event;
  return {
    ...event,
    client: `Meshward ${mesh}`,
    client_url: links.dashboard,
    links: [
      { href: links.runbook, text: 'Runbook' },
      { href: links.dashboard, text: 'Dashboard' },
    ],
    payload: {
      summary: summary.slice(0, maxSummaryLength),
      source: mesh,
      severity: severities[severity],
      timestamp: new Date(sinceMs).toISOString(),
      component: Object.values(cause).join(' ') || mesh,
      group: mesh,
      class: name,
      custom_details: Object.fromEntries(describeFacts(notice)),
    },
  };
}
