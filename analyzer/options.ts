import type { EventLog } from '#log/port.ts';
import type { Clock } from '#mesh/clock.ts';
import type { Config } from '#mesh/config/schema.ts';
import type { Logger } from '#mesh/logger.ts';
import type { Topics } from '#mesh/topics.ts';
import type { Delivery } from './alerts/delivery/delivery.ts';
import type { AnalyzerMetrics } from './metrics.ts';
import type { AnalyzerStore } from './ports.ts';

export interface AnalyzerOptions {
  readonly log: EventLog;
  readonly topics: Topics;
  readonly store: AnalyzerStore;
  readonly config: Config;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: AnalyzerMetrics;
  /** Names this process among analyzers: stable, and another one for each. `instanceName` makes one. @default analyzer */
  readonly instance?: string;
  /** Tells people of alerts while this analyzer is the one that does; without one they are only kept and shown. */
  readonly delivery?: Delivery;
  readonly tuning?: AnalyzerTuning;
}

/** What nobody has to set, and tests do. */
export interface AnalyzerTuning {
  /** How often the analyzer looks whether anything is due. @default 100 */
  readonly stepMs?: number;
  /** How long stopping waits for the store. @default 5000 */
  readonly stopTimeoutMs?: number;
  /** Share events that may be applied and not on their way to the store; beyond it the log is read no further. @default 2 000 000 */
  readonly maxUnsavedEvents?: number;
}
