/** One alert as sinks are told of it: every word is made here, and the same for all of them. */
import { createHash } from 'node:crypto';
import type { Acknowledgement } from '#mesh/events/alert-notes.ts';
import { type Alert, type AlertKind, causeLabels, kindOf, type Severity, testKind, watchdogKind } from '../alert.ts';
import type { OpenAlert } from '../alert-board.ts';
import { type Outlook, repairWords, timeLeftWords } from '../outlook.ts';
import { formatBytes } from '../words.ts';

export type NoticeSeverity = Severity | 'none';
export type NoticeState = 'firing' | 'acknowledged' | 'resolved';

export interface Notice {
  /** The same over retries, restarts and owners for as long as the condition has this name. */
  readonly dedupKey: string;
  readonly alertKey: string;
  /** This occurrence: `meshward alerts show` takes it. */
  readonly alertId: string;
  readonly name: string;
  readonly state: NoticeState;
  readonly severity: NoticeSeverity;
  /** Under which the sink was told of it before, where that was another one; null where it was not. */
  readonly toldSeverity: NoticeSeverity | null;
  readonly mesh: string;
  /** What tells alerts of one name apart, such as `{zone: 'eu-1'}`. */
  readonly cause: Readonly<Record<string, string>>;
  readonly summary: string;
  readonly facts: NoticeFacts;
  readonly links: NoticeLinks;
  readonly sinceMs: number;
  readonly sentAtMs: number;
  /** Until when it holds unless it is sent again. */
  readonly validUntilMs: number;
  /** When it ended; null while it is open. */
  readonly endedAtMs: number | null;
  /** Why it is told as over or as acknowledged, where that is not by itself. */
  readonly why: string;
}

export interface NoticeFacts {
  readonly meaning: string;
  readonly next: string;
  readonly command: string;
  readonly files: number;
  readonly bytes: number;
  readonly timeLeft: string;
  readonly repair: string;
}

export interface NoticeLinks {
  readonly runbook: string;
  readonly dashboard: string;
  /** The alert itself. */
  readonly source: string;
}

/** Where the links of alerts lead. */
export interface AlertAddresses {
  readonly runbookUrl: string;
  readonly dashboardUrl: string;
  readonly publicUrl: string;
}

export interface NoticeContext {
  readonly mesh: string;
  readonly addresses: AlertAddresses;
  readonly outlook: Outlook;
  readonly nowMs: number;
  readonly validMs: number;
}

export function dedupKeyOf(mesh: string, alertKey: string): string {
  const key = `meshward/${mesh}/${alertKey}`;
  // PagerDuty takes 255 characters; names of domains are a person's.
  return key.length <= 200
    ? key
    : `${key.slice(0, 160)}/${createHash('sha256').update(key).digest('hex').slice(0, 32)}`;
}

export function noticeOf(
  { id, alert, sinceMs }: OpenAlert,
  context: NoticeContext,
  ack: Acknowledgement | null,
): Notice {
  const { outlook } = context;
  const hasStake = alert.files > 0;
  return {
    ...frame(kindOf(alert.key), alert.key, id, context),
    state: ack === null ? 'firing' : 'acknowledged',
    severity: alert.severity,
    summary: alert.summary,
    facts: {
      ...factsOf(kindOf(alert.key), alert),
      timeLeft: hasStake ? timeLeftWords(outlook) : '',
      repair: hasStake ? repairWords(outlook) : '',
    },
    sinceMs,
    why: ack === null ? '' : acknowledgedWords(ack),
  };
}

/** Holds for as long as it is sent: when it stops, something between the sweep and the sink is broken. */
export function watchdogNotice(context: NoticeContext, sinceMs: number): Notice {
  return {
    ...frame(watchdogKind, 'watchdog', 'watchdog', context),
    state: 'firing',
    severity: 'none',
    summary: `Meshward watches ${context.mesh} and can be heard`,
    facts: {
      ...factsOf(watchdogKind, { next: 'Nothing, while it fires. Where it has stopped: see that an analyzer runs.' }),
    },
    sinceMs,
    why: '',
  };
}

export function testNotice(context: NoticeContext, severity: Severity, id: string): Notice {
  return {
    ...frame(testKind, `test:${id}`, id, context),
    state: 'firing',
    severity,
    summary: `This is a test of Meshward's alerts for ${context.mesh}: nothing is wrong`,
    facts: factsOf(testKind, { next: 'Nothing: you have got it, so alerts reach you.' }),
    sinceMs: context.nowMs,
    why: '',
  };
}

/** Facts as lines for a person, in the order in which they are asked for at night. */
export function describeFacts({ facts, links, why }: Notice): readonly (readonly [name: string, text: string])[] {
  const { files, bytes } = facts;
  const stake = files === 0 ? '' : `${files === 1 ? '1 file' : `${files} files`}, ${formatBytes(bytes)}`;
  const lines: readonly (readonly [string, string])[] = [
    ['why', why],
    ['meaning', facts.meaning],
    ['at stake', stake],
    ['time left', facts.timeLeft],
    ['repair', facts.repair],
    ['what to do', facts.next],
    ['command', facts.command],
    ['runbook', links.runbook],
    ['dashboard', links.dashboard],
  ];
  return lines.filter(([, text]) => text !== '');
}

function frame(kind: AlertKind, alertKey: string, alertId: string, { mesh, addresses, nowMs, validMs }: NoticeContext) {
  return {
    dedupKey: dedupKeyOf(mesh, alertKey),
    alertKey,
    alertId,
    name: kind.name,
    toldSeverity: null,
    mesh,
    cause: causeLabels(alertKey),
    links: {
      runbook: `${addresses.runbookUrl}/${kind.name}.md`,
      dashboard: addresses.dashboardUrl,
      source: `${addresses.publicUrl}/v1/alerts/${encodeURIComponent(alertId)}`,
    },
    sentAtMs: nowMs,
    validUntilMs: nowMs + validMs,
    endedAtMs: null,
  };
}

function factsOf(kind: AlertKind, { next, files = 0, bytes = 0 }: Pick<Alert, 'next'> & Partial<Alert>): NoticeFacts {
  return { meaning: kind.meaning, next, command: kind.command, files, bytes, timeLeft: '', repair: '' };
}

function acknowledgedWords({ by, why, untilMs }: Acknowledgement): string {
  const reason = why === '' ? '' : `: ${why}`;
  return `acknowledged by ${by.name === '' ? by.id.slice(0, 8) : by.name} until ${new Date(untilMs).toISOString()}${reason}`;
}
