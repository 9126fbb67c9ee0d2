/** The telling of alerts as gauges. */
import type { Meter } from '@opentelemetry/api';
import type { Delivery } from './delivery.ts';

/** Read when they are asked for; they stand at zero from the start. */
export function observeDelivery(meter: Meter, delivery: Delivery): void {
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
      for (const severity of ['page', 'warning'] as const) {
        result.observe(open, delivery.open.filter(({ alert }) => alert.severity === severity).length, { severity });
      }
      result.observe(silenced, delivery.open.filter((each) => delivery.isWithheld(each)).length);
      result.observe(telling, delivery.isTelling ? 1 : 0);
      for (const { sink, waiting: notices, failingSinceMs } of delivery.status()) {
        result.observe(waiting, notices, { sink });
        result.observe(failing, failingSinceMs === null ? 0 : 1, { sink });
      }
    },
    [open, silenced, telling, waiting, failing],
  );
}
