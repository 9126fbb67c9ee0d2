import type { EventLog } from '#collector/log/port.ts';
import type { Clock } from '#mesh/clock.ts';
import type { Config } from '#mesh/config/schema.ts';
import type { Logger } from '#mesh/logger.ts';
import type { Topics } from '#mesh/topics.ts';
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
  /** How often the analyzer looks whether anything is due. @default 100 */
  readonly stepMs?: number;
}

/** Ticks that come further apart than this many of their interval count as one step of log time. */
const maxTickSteps = 3;

export function maxTickStepMs(config: Config): number {
  return config.collector.tickMs * maxTickSteps;
}
