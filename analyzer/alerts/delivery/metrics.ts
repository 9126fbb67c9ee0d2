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
