/**
 * Tells alerts to people: at least once, under one key, whoever tells. Only the analyzer that owns the partition of the mesh's writer
 * does; what each sink was told stands in the log, so that another one goes on where it stopped. What a sink does is its lane's affair:
 * one that is away holds nothing up.
 */
import type { Clock, Random } from '#mesh/clock.ts';
import type { Config } from '#mesh/config/schema.ts';
import type { Acknowledgement, Silence, Told } from '#mesh/events/alert-notes.ts';
import type { Logger } from '#mesh/logger.ts';
import { type Alert, kindOf, type Severity, selectorLabels } from '../alert.ts';
import type { OpenAlert } from '../alert-board.ts';
import type { Outlook, RepairsNow } from '../outlook.ts';
import { formatSpan } from '../words.ts';
import { Lane, type LaneStatus } from './lane.ts';
import { resendsOfValidity } from './lane-entry.ts';
import type { DeliveryMetrics } from './metrics.ts';
import type { AlertNotes } from './notes.ts';
import { type AlertAddresses, type Notice, type NoticeContext, noticeOf, watchdogNotice } from './notice.ts';
import type { AlertSink } from './sink.ts';

export interface DeliveryOptions {
  readonly sinks: readonly AlertSink[];
  readonly notes: AlertNotes;
  readonly config: Config['alerts'];
  readonly addresses: AlertAddresses;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: DeliveryMetrics;
  /** What repairers do at this moment; null where none answers. */
  readonly repairs: () => RepairsNow | null;
}

/** What a sweep found. */
export interface DeliveryInput {
  readonly open: readonly OpenAlert[];
  /** Alerts that have ended as a graver one took their files over, by key, with that one. */
  readonly escalated: ReadonlyMap<string, Alert>;
  readonly outlook: Outlook;
  /** Whether it is known now if an alert of this key holds; one of which it is not stays as it is. */
  readonly canTell: (key: string) => boolean;
  /** Whether this analyzer still is the one that tells. */
  readonly isOwner: () => boolean;
  /** What notices of an alert go on from, where its trace is kept; by its id. */
  readonly traceOf?: (alertId: string) => string | undefined;
}

/** What people have said of an alert. */
export interface AlertStanding {
  readonly silence: Silence | null;
  /** A maintenance window that explains it; empty where none does. */
  readonly maintenance: string;
  readonly ack: Acknowledgement | null;
}

/** Told one by one; when more are open something is wrong that pages already tell of. */
const maxAlerts = 1000;
const tidyEveryMs = 3_600_000;
const noTrace = (): undefined => undefined;

export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #lanes: readonly Lane[];
  readonly #sinkNames: ReadonlySet<string>;
  #isTelling = false;
  #tellingSinceMs = 0;
  #nextTidyMs = 0;
  #open: readonly OpenAlert[] = [];
  #outlook: Outlook | null = null;
  #isOwner: () => boolean = () => false;
  #traceOf: NonNullable<DeliveryInput['traceOf']> = noTrace;

  constructor(options: DeliveryOptions) {
    const { sinks, config, clock, random, logger, metrics, notes } = options;
    this.#options = options;
    this.#sinkNames = new Set(sinks.map(({ name }) => name));
    this.#lanes = sinks.map(
      (sink) =>
        new Lane({
          sink,
          clock,
          random,
          logger,
          timing: config,
          mayTell: () => this.#isOwner(),
          traceOf: (alertId) => this.#traceOf(alertId),
          keep: (alertKey, told) => notes.keep(sink.name, alertKey, told),
          counts: metrics.of(sink.name),
        }),
    );
  }

  get isTelling(): boolean {
    return this.#isTelling;
  }

  /** Of the last sweep, where this analyzer tells. */
  get open(): readonly OpenAlert[] {
    return this.#open;
  }

  get outlook(): Outlook | null {
    return this.#outlook;
  }

  /** By the analyzer that tells, after each sweep. */
  update({ open, escalated, outlook, canTell, isOwner, traceOf }: DeliveryInput): void {
    const { clock, metrics, notes } = this.#options;
    const nowMs = clock.nowMs();
    this.#isOwner = isOwner;
    this.#traceOf = traceOf ?? noTrace;
    if (!this.#isTelling) this.#begin(nowMs, outlook);
    this.#open = open;
    this.#outlook = outlook;
    if (clock.monotonicMs() >= this.#nextTidyMs) {
      this.#nextTidyMs = clock.monotonicMs() + tidyEveryMs;
      notes.tidy(nowMs, this.#sinkNames);
    }
    const gravest = [...open].sort((a, b) => weightOf(a) - weightOf(b) || a.sinceMs - b.sinceMs);
    metrics.leftOut(gravest.length - maxAlerts);
    const context = this.#context(nowMs, outlook);
    const notices = new Map<string, Notice>([['watchdog', watchdogNotice(context, this.#tellingSinceMs)]]);
    const withheld = new Map([...escalated].map(([key, { summary }]) => [key, `graver now: ${summary}`]));
    for (const each of gravest.slice(0, maxAlerts)) {
      const standing = this.standingOf(each);
      const why = withheldWords(standing, nowMs);
      if (why === '') notices.set(each.alert.key, noticeOf(each, context, standing.ack));
      else withheld.set(each.alert.key, why);
    }
    for (const lane of this.#lanes) {
      const taken = new Map([...notices].filter(([, notice]) => lane.sink.takes(notice)));
      // What this sink is not for any more is over for it.
      lane.want({ open: taken, withheld, canEnd: (key) => canTell(key) || notices.has(key) });
    }
  }

  /** Another analyzer tells from now on. */
  release(): void {
    if (!this.#isTelling) return;
    this.#isTelling = false;
    this.#open = [];
    this.#outlook = null;
    for (const lane of this.#lanes) lane.release();
  }

  repairsNow(): RepairsNow | null {
    return this.#options.repairs();
  }

  async close(): Promise<void> {
    this.release();
    await Promise.all(this.#lanes.map(({ sink }) => sink.close()));
  }

  standingOf({ id, alert }: OpenAlert): AlertStanding {
    const { notes, clock } = this.#options;
    const nowMs = clock.nowMs();
    return {
      silence: notes.silenceOf(selectorLabels(alert), nowMs),
      maintenance: maintenanceOf(alert),
      ack: notes.acknowledgementOf(alert.key, id, nowMs),
    };
  }

  isWithheld(open: OpenAlert): boolean {
    return withheldWords(this.standingOf(open), this.#options.clock.nowMs()) !== '';
  }

  status(): readonly LaneStatus[] {
    return this.#lanes.map((lane) => lane.status());
  }

  /** Sinks that have taken nothing for long, as alerts. */
  alerts(): readonly Alert[] {
    if (!this.#isTelling) return [];
    const { clock, config } = this.#options;
    const nowMs = clock.nowMs();
    return this.#lanes.flatMap((lane) => {
      const { failingSinceMs, lastError, waiting } = lane.status();
      if (failingSinceMs === null || nowMs - failingSinceMs < config.sinkFailingAfterMs) return [];
      return [sinkAlert(lane.sink, lastError, waiting)];
    });
  }

  #begin(nowMs: number, outlook: Outlook): void {
    const { notes } = this.#options;
    this.#isTelling = true;
    this.#tellingSinceMs = nowMs;
    const context = this.#context(nowMs, outlook);
    for (const lane of this.#lanes) {
      lane.resume(notes.told(lane.sink.name), (told) => noticeOfTold(told, context));
    }
  }

  #context(nowMs: number, outlook: Outlook): NoticeContext {
    const { config, addresses } = this.#options;
    return { mesh: config.meshName, addresses, outlook, nowMs, validMs: resendsOfValidity * config.resendMs };
  }
}

/** Of an alert that another owner told of: it is over unless the next look finds it open. */
function noticeOfTold({ alertKey, severity, sinceMs }: Told, context: NoticeContext): Notice {
  const alert: Alert = {
    key: alertKey,
    severity: severity as Severity,
    summary: `${kindOf(alertKey).name} is over`,
    next: 'Nothing.',
    files: 0,
    bytes: 0,
    details: {},
  };
  return noticeOf({ id: alertKey, alert, sinceMs }, context, null);
}

function weightOf({ alert }: OpenAlert): number {
  return alert.severity === 'page' ? 0 : 1;
}

/** Why nobody is told of it; empty where they are. */
export function withheldWords({ silence, maintenance }: AlertStanding, nowMs: number): string {
  if (silence === null) return maintenance;
  const { by, why, untilMs } = silence;
  return `silenced by ${by.name === '' ? by.id.slice(0, 8) : by.name} for ${formatSpan(untilMs - nowMs)} more: ${why}`;
}

function maintenanceOf({ details }: Alert): string {
  const { explainedBy } = details;
  return typeof explainedBy === 'string' ? explainedBy : '';
}

function sinkAlert(sink: AlertSink, lastError: string, waiting: number): Alert {
  return {
    key: `sink-failing:sink ${sink.name}`,
    severity: sink.isForPages ? 'page' : 'warning',
    summary: `alerts do not reach ${sink.name} (${sink.kind}): ${lastError}`,
    next: `Look at ${sink.name} yourself until it is back; \`meshward alerts test --sink ${sink.name}\` tells when it is. ${waiting === 1 ? '1 notice waits' : `${waiting} notices wait`} for it.`,
    files: 0,
    bytes: 0,
    details: { waiting },
  };
}
