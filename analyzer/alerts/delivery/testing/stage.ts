/** For tests of the telling: a clock that stands, a log in memory, and as many analyzers in turn as a test wants. */
import { createNoopMeter } from '@opentelemetry/api';
import { InMemoryLog } from '#log/in-memory.ts';
import { type Config, configSchema } from '#mesh/config/schema.ts';
import { silentLogger } from '#mesh/logger.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import type { Alert } from '../../alert.ts';
import type { OpenAlert } from '../../alert-board.ts';
import type { Outlook } from '../../outlook.ts';
import { Delivery } from '../delivery.ts';
import { createDeliveryMetrics } from '../metrics.ts';
import { AlertNotes } from '../notes.ts';
import type { AlertSink } from '../sink.ts';

export const topic = 'alerts';

export const calm: Outlook = {
  smallestMargin: 7,
  timeToKMs: 5 * 60_000,
  filesToRepair: 40,
  repairEtaMs: 20 * 60_000,
  runningRepairs: 4,
  brake: null,
};

export const addresses = {
  publicUrl: 'http://mesh.example',
  runbookUrl: 'http://mesh.example/runbooks',
  dashboardUrl: 'http://grafana.example/d/mesh',
};

export function alertOf(key: string, fields: Partial<Alert> = {}): Alert {
  return {
    key,
    severity: 'page',
    summary: `${key} holds`,
    next: 'Look at it.',
    files: 12,
    bytes: 4096,
    details: {},
    ...fields,
  };
}

export class DeliveryStage {
  readonly clock = new ManualClock();
  readonly log = new InMemoryLog([{ name: topic, partitions: 1, compacted: true }]);
  readonly #closing: (() => Promise<void>)[] = [];

  async notes(): Promise<AlertNotes> {
    const notes = new AlertNotes({ log: this.log, topic, clock: this.clock, logger: silentLogger });
    await notes.start(() => undefined);
    this.#closing.push(() => notes.close());
    return notes;
  }

  /** An analyzer's telling, to these sinks. */
  async telling(sinks: readonly AlertSink[], settings: Partial<Config['alerts']> = {}): Promise<Teller> {
    const notes = await this.notes();
    const config = { ...configSchema.shape.alerts.parse({}), resolveDelayMs: 0, ...settings };
    const meter = createNoopMeter();
    const delivery = new Delivery({
      sinks,
      notes,
      config,
      addresses,
      repairs: () => null,
      clock: this.clock,
      random: () => 0.5,
      logger: silentLogger,
      metrics: createDeliveryMetrics(
        meter,
        sinks.map(({ name }) => name),
      ),
    });
    this.#closing.push(() => delivery.close());
    return new Teller(this.clock, delivery, notes);
  }

  async close(): Promise<void> {
    for (const close of this.#closing.reverse()) await close();
    await this.log.close();
  }
}

export class Teller {
  readonly delivery: Delivery;
  readonly notes: AlertNotes;
  isOwner = true;
  readonly #clock: ManualClock;

  constructor(clock: ManualClock, delivery: Delivery, notes: AlertNotes) {
    this.#clock = clock;
    this.delivery = delivery;
    this.notes = notes;
  }

  /** A sweep that finds these open, and what follows within `thenMs`. */
  async sweep(
    alerts: readonly (Alert | OpenAlert)[],
    thenMs = 0,
    canTell = (_key: string): boolean => true,
  ): Promise<void> {
    const open = alerts.map(
      (each): OpenAlert =>
        'alert' in each ? each : { id: `id of ${each.key}`, alert: each, sinceMs: this.#clock.nowMs() - 1000 },
    );
    this.delivery.update({ open, escalated: new Map(), outlook: calm, canTell, isOwner: () => this.isOwner });
    await this.#clock.advance(thenMs);
  }
}
