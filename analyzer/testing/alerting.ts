/** The telling of alerts for an analyzer of a test's mesh. */
import { createNoopMeter } from '@opentelemetry/api';
import type { EventLog } from '#log/port.ts';
import { systemClock } from '#mesh/clock.ts';
import { silentLogger } from '#mesh/logger.ts';
import { Delivery } from '../alerts/delivery/delivery.ts';
import { createDeliveryMetrics } from '../alerts/delivery/metrics.ts';
import { AlertNotes } from '../alerts/delivery/notes.ts';
import type { AlertSink } from '../alerts/delivery/sink.ts';
import { addresses } from '../alerts/delivery/testing/stage.ts';
import type { RepairsNow } from '../alerts/outlook.ts';
import { AlertAnswers } from '../api/alert-answers.ts';
import type { Analyzer } from '../service.ts';
import type { MemoryStore } from './memory-store.ts';
import type { TestMesh } from './mesh.ts';

export class TestAlerting {
  readonly notes: AlertNotes;
  readonly delivery: Delivery;
  readonly #mesh: TestMesh;

  private constructor(mesh: TestMesh, notes: AlertNotes, sinks: readonly AlertSink[], repairs: RepairsNow | null) {
    this.#mesh = mesh;
    this.notes = notes;
    this.delivery = new Delivery({
      sinks,
      notes,
      config: mesh.config.alerts,
      addresses,
      // Sinks are real ones, and their servers go by the clock on the wall.
      clock: systemClock,
      random: Math.random,
      logger: silentLogger,
      metrics: createDeliveryMetrics(
        createNoopMeter(),
        sinks.map(({ name }) => name),
      ),
      repairs: () => repairs,
    });
  }

  static async open(
    mesh: TestMesh,
    sinks: readonly AlertSink[] = [],
    { log = mesh.log, repairs = null }: { log?: EventLog; repairs?: RepairsNow | null } = {},
  ): Promise<TestAlerting> {
    const notes = new AlertNotes({ log, topic: mesh.topics.alerts.name, clock: systemClock, logger: silentLogger });
    await notes.start(() => undefined);
    return new TestAlerting(mesh, notes, sinks, repairs);
  }

  answers(analyzer: Analyzer, store: MemoryStore): AlertAnswers {
    return new AlertAnswers({
      delivery: this.delivery,
      notes: this.notes,
      addresses,
      config: this.#mesh.config,
      clock: systemClock,
      stored: { open: () => store.loadOpenAlerts(), history: () => Promise.resolve([]) },
      standings: () => analyzer.objective(),
    });
  }

  async close(): Promise<void> {
    await this.delivery.close();
    await this.notes.close();
  }
}
