/** The telling of alerts as the configuration wants it: sinks, what people said, and where links lead. */
import { type Meter, metrics } from '@opentelemetry/api';
import { Delivery } from '#analyzer/alerts/delivery/delivery.ts';
import { createDeliveryMetrics } from '#analyzer/alerts/delivery/metrics.ts';
import { AlertNotes } from '#analyzer/alerts/delivery/notes.ts';
import type { AlertAddresses } from '#analyzer/alerts/delivery/notice.ts';
import { observeDelivery } from '#analyzer/alerts/delivery/observed.ts';
import { createSinks } from '#analyzer/alerts/delivery/sinks.ts';
import { watchRepairs } from '#analyzer/alerts/repairs-watch.ts';
import type { RunningRepairs } from '#analyzer/api/running-repairs.ts';
import type { EventLog } from '#log/port.ts';
import { systemClock } from '#mesh/clock.ts';
import type { Config } from '#mesh/config/schema.ts';
import type { Logger } from '#mesh/logger.ts';
import type { Topics } from '#mesh/topics.ts';

export interface Alerting {
  readonly delivery: Delivery;
  readonly notes: AlertNotes;
  readonly addresses: AlertAddresses;
  close(): Promise<void>;
}

export interface AlertingOptions {
  readonly config: Config;
  readonly log: EventLog;
  readonly topics: Topics;
  readonly logger: Logger;
  /** What repairers do at this moment; never rejects. */
  readonly running: () => Promise<RunningRepairs>;
  readonly meter?: Meter;
}

/** @throws MeshwardError `config-invalid` for sinks that cannot be. */
export function openAlerting({ config, log, topics, logger, running, meter }: AlertingOptions): Alerting {
  const sinks = createSinks(config.alerts);
  const notes = new AlertNotes({ log, topic: topics.alerts.name, clock: systemClock, logger });
  const addresses = alertAddresses(config);
  const by = meter ?? metrics.getMeter('meshward.alerts');
  const delivery = new Delivery({
    sinks,
    notes,
    config: config.alerts,
    addresses,
    clock: systemClock,
    random: Math.random,
    logger,
    metrics: createDeliveryMetrics(
      by,
      sinks.map(({ name }) => name),
    ),
    repairs: watchRepairs(running, systemClock),
  });
  observeDelivery(by, delivery);
  return {
    delivery,
    notes,
    addresses,
    async close() {
      await delivery.close();
      await notes.close();
    },
  };
}

export function alertAddresses({ alerts, api }: Pick<Config, 'alerts' | 'api'>): AlertAddresses {
  const plain = (url: string): string => url.replace(/\/+$/, '');
  const host = api.host.includes(':') ? `[${api.host}]` : api.host;
  const publicUrl = plain(alerts.publicUrl === '' ? `http://${host}:${api.port}` : alerts.publicUrl);
  return {
    publicUrl,
    runbookUrl: alerts.runbookUrl === '' ? `${publicUrl}/runbooks` : plain(alerts.runbookUrl),
    dashboardUrl: alerts.dashboardUrl === '' ? `${publicUrl}/` : alerts.dashboardUrl,
  };
}
