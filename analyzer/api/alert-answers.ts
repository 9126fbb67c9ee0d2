/** What is known of alerts, as the API answers it: at the analyzer that tells them as it tells them, at others as the store has them. */
import type { Clock } from '#mesh/clock.ts';
import type { Config } from '#mesh/config/schema.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { Operator } from '#mesh/events/alert-notes.ts';
import { kindOf, selectorLabels } from '../alerts/alert.ts';
import type { OpenAlert } from '../alerts/alert-board.ts';
import { type Delivery, withheldWords } from '../alerts/delivery/delivery.ts';
import type { AlertNotes } from '../alerts/delivery/notes.ts';
import { type AlertAddresses, noticeOf } from '../alerts/delivery/notice.ts';
import { burnRules, type ObjectiveStanding } from '../alerts/objective.ts';
import type { Outlook } from '../alerts/outlook.ts';
import type * as schemas from './alert-schemas.ts';

export interface AlertQueries {
  open(): Promise<schemas.AlertListAnswer>;
  /** By its id, or by so much of it that no other begins so. @throws MeshwardError `alert-unknown`. */
  one(id: string): Promise<schemas.AlertDetail>;
  /** Newest first. */
  history(limit: number): Promise<readonly schemas.AlertChangeAnswer[]>;
  silences(): readonly schemas.SilenceAnswer[];
  sinks(): schemas.SinkListAnswer;
  objective(): schemas.ObjectiveAnswer;
}

export interface AlertAnswersOptions {
  readonly delivery: Delivery;
  readonly notes: AlertNotes;
  readonly addresses: AlertAddresses;
  readonly config: Pick<Config, 'alerts' | 'objective'>;
  readonly clock: Clock;
  readonly stored: StoredAlerts;
  readonly standings: () => readonly ObjectiveStanding[];
}

export interface StoredAlerts {
  open(): Promise<readonly OpenAlert[]>;
  history(limit: number): Promise<readonly schemas.AlertChangeAnswer[]>;
}

const noOutlook: Outlook = {
  smallestMargin: null,
  timeToKMs: null,
  filesToRepair: 0,
  repairEtaMs: null,
  runningRepairs: null,
  brake: null,
};

export class AlertAnswers implements AlertQueries {
  readonly #options: AlertAnswersOptions;

  constructor(options: AlertAnswersOptions) {
    this.#options = options;
  }

  async open(): Promise<schemas.AlertListAnswer> {
    const { delivery } = this.#options;
    return { alerts: (await this.#openNow()).map((open) => this.#detail(open)), isTeller: delivery.isTelling };
  }

  async one(id: string): Promise<schemas.AlertDetail> {
    const found = (await this.#openNow()).filter((open) => open.id.startsWith(id) || open.alert.key === id);
    const [only] = found;
    if (only !== undefined && found.length === 1) return this.#detail(only);
    throw new MeshwardError(
      'alert-unknown',
      found.length === 0 ? 'no alert of this id is open' : 'several ids begin so',
      {
        next: '`meshward alerts` lists those that are open, `meshward alerts --history` those that were.',
      },
    );
  }

  history(limit: number): Promise<readonly schemas.AlertChangeAnswer[]> {
    return this.#options.stored.history(limit);
  }

  silences(): readonly schemas.SilenceAnswer[] {
    const nowMs = this.#options.clock.nowMs();
    return this.#options.notes.silences().map(({ endedBy, by, ...silence }) => ({
      ...silence,
      by: nameOf(by),
      isActive: endedBy === null && silence.untilMs > nowMs,
      endedAtMs: endedBy?.atMs ?? null,
      endedBy: endedBy === null ? '' : nameOf(endedBy.by),
    }));
  }

  sinks(): schemas.SinkListAnswer {
    const { delivery } = this.#options;
    return { isTeller: delivery.isTelling, sinks: [...delivery.status()] };
  }

  objective(): schemas.ObjectiveAnswer {
    const { standings, config } = this.#options;
    return {
      windowMs: config.objective.windowMs,
      objectives: standings().map(({ burnRates, ...standing }) => ({
        ...standing,
        burnRates: burnRules.map(({ rate, ...rule }, i) => ({
          ...rule,
          limit: rate,
          shortRate: burnRates[i]?.shortRate ?? 0,
          longRate: burnRates[i]?.longRate ?? 0,
        })),
      })),
    };
  }

  #openNow(): Promise<readonly OpenAlert[]> {
    const { delivery, stored } = this.#options;
    return delivery.isTelling ? Promise.resolve(delivery.open) : stored.open();
  }

  #detail(open: OpenAlert): schemas.AlertDetail {
    const { delivery, notes, addresses, clock, config } = this.#options;
    const nowMs = clock.nowMs();
    const standing = delivery.standingOf(open);
    const outlook = delivery.outlook;
    const context = { mesh: config.alerts.meshName, addresses, outlook: outlook ?? noOutlook, nowMs, validMs: 0 };
    const { facts, links, why } = noticeOf(open, context, standing.ack);
    const { id, alert, sinceMs } = open;
    return {
      id,
      key: alert.key,
      alert: kindOf(alert.key).name,
      severity: alert.severity,
      labels: { ...selectorLabels(alert) },
      summary: alert.summary,
      meaning: facts.meaning,
      next: facts.next,
      command: facts.command,
      files: alert.files,
      bytes: alert.bytes,
      timeLeft: outlook === null ? '' : facts.timeLeft,
      repair: outlook === null ? '' : facts.repair,
      sinceMs,
      silenced: withheldWords(standing, nowMs),
      acknowledged: why,
      runbookUrl: links.runbook,
      dashboardUrl: links.dashboard,
      told: notes
        .told()
        .filter(({ alertKey }) => alertKey === alert.key)
        .map(({ sink, state, severity, atMs }) => ({ sink, state, severity, atMs })),
    };
  }
}

function nameOf({ id, name }: Operator): string {
  return name === '' ? id.slice(0, 8) : name;
}
