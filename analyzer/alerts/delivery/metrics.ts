/** What the telling of alerts counts. Every series is there from the start with zero, so that an alert can be written on it. */
import type { Meter } from '@opentelemetry/api';
import type { LaneCounts } from './lane.ts';

export interface DeliveryMetrics {
  of(sink: string): LaneCounts;
  /** An alert found no room. */
  leftOut(alerts: number): void;
}

const outcomes = ['sent', 'failed', 'refused'] as const;

export function createDeliveryMetrics(meter: Meter, sinks: readonly string[]): DeliveryMetrics {
  const sends = meter.createCounter('meshward_alert_sends', {
    description: 'Notices to sinks of alerts, by how: sent, failed as the sink took nothing, or refused one by one.',
  });
  const seconds = meter.createHistogram('meshward_alert_delivery_seconds', {
    description: 'From when an alert began until a sink took it first.',
    advice: { explicitBucketBoundaries: [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800] },
  });
  const leftOut = meter.createCounter('meshward_alerts_left_out', {
    description: 'Looks at alerts that found more of them open than are told one by one.',
  });
  for (const sink of sinks) for (const outcome of outcomes) sends.add(0, { sink, outcome });
  leftOut.add(0);
  return {
    of: (sink) => ({
      sent: () => sends.add(1, { sink, outcome: 'sent' }),
      failed: (scope) => sends.add(1, { sink, outcome: scope === 'sink' ? 'failed' : 'refused' }),
      told: (afterMs) => seconds.record(Math.max(0, afterMs) / 1000, { sink }),
    }),
    leftOut: (alerts) => leftOut.add(alerts > 0 ? 1 : 0),
  };
}

export interface ObservedDelivery {
  /** Alerts that are open, as this analyzer tells them; none where another one does. */
  readonly open: () => Readonly<Record<'page' | 'warning', number>>;
  readonly silenced: () => number;
  readonly sinks: () => readonly { readonly sink: string; readonly waiting: number; readonly isFailing: boolean }[];
  readonly isTelling: () => boolean;
}

export function observeDelivery(meter: Meter, observed: ObservedDelivery): void {
  const open = meter.createObservableGauge('meshward_alerts_open', {
    description: 'Open alerts by severity, at the analyzer that tells them; 0 at the others.',
  });
  const silenced = meter.createObservableGauge('meshward_alerts_silenced', {
    description: 'Open alerts that a person or a maintenance window has silenced.',
  });
  const telling = meter.createObservableGauge('meshward_alerts_telling', {
    description: '1 at the analyzer that tells alerts: the sum over analyzers is 1.',
  });
  const waiting = meter.createObservableGauge('meshward_alert_waiting_notices', {
    description: 'Notices that a sink has not taken yet.',
  });
  const failing = meter.createObservableGauge('meshward_alert_sink_failing', {
    description: '1 while a sink of alerts takes nothing.',
  });
  meter.addBatchObservableCallback(
    (result) => {
      const counts = observed.open();
      for (const severity of ['page', 'warning'] as const) result.observe(open, counts[severity], { severity });
      result.observe(silenced, observed.silenced());
      result.observe(telling, observed.isTelling() ? 1 : 0);
      for (const { sink, waiting: notices, isFailing } of observed.sinks()) {
        result.observe(waiting, notices, { sink });
        result.observe(failing, isFailing ? 1 : 0, { sink });
      }
    },
    [open, silenced, telling, waiting, failing],
  );
}
