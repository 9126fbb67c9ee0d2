/** Incoming webhooks of Slack and of those that take the same: Mattermost, Rocket.Chat, Discord's `/slack` addresses. */
import { type HttpSender, readUrlFile } from './http.ts';
import { describeFacts, type Notice } from './notice.ts';

const colours = { page: '#c22', warning: '#d90', none: '#888' } as const;
const over = '#2a2';

export function slackSend(urlFile: string, http: HttpSender) {
  return async (notice: Notice, signal: AbortSignal): Promise<void> => {
    await http.post({ url: await readUrlFile(urlFile), body: slackMessage(notice), signal });
  };
}

export function slackMessage(notice: Notice): Readonly<Record<string, unknown>> {
  const { state, severity, mesh, name, summary, links, why } = notice;
  const head = { firing: severity === 'page' ? 'PAGE' : 'Warning', acknowledged: 'Acknowledged', resolved: 'Over' }[
    state
  ];
  const text = `*${head}* ${escape(mesh)}: ${escape(summary)}`;
  const lines = state === 'firing' ? describeFacts(notice) : why === '' ? [] : [['why', why] as const];
  return {
    text,
    attachments: [
      {
        color: state === 'firing' ? colours[severity] : over,
        fallback: `${head} ${mesh}: ${summary}`,
        title: name,
        title_link: links.runbook,
        text: lines
          .map(([word, fact]) => `*${word}*: ${word === 'command' ? `\`${escape(fact)}\`` : escape(fact)}`)
          .join('\n'),
        mrkdwn_in: ['text'],
      },
    ],
  };
}

/** What Slack asks for: no name of a zone may call everybody. */
function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
