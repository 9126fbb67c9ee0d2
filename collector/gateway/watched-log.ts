/** The log, with an eye on what it has not answered yet: a log that hangs makes no errors, it only takes ever longer. */
import type { Clock } from '#mesh/clock.ts';
import type { GatewayLog } from './service.ts';

export interface WatchedLog extends GatewayLog {
  /** Appends that the log has not answered. */
  appendsUnderWay(): number;
  /** How long the oldest of them has waited; 0 where there is none. */
  oldestAppendMs(): number;
}

export function watchLog(log: GatewayLog, clock: Clock): WatchedLog {
  /** In the order of their begin. */
  const begun = new Set<{ readonly atMs: number }>();
  return {
    bounds: (topic) => log.bounds(topic),
    follow: (...asked) => log.follow(...asked),
    async append(topic, records) {
      const append = { atMs: clock.monotonicMs() };
      begun.add(append);
      try {
        return await log.append(topic, records);
      } finally {
        begun.delete(append);
      }
    },
    appendsUnderWay: () => begun.size,
    oldestAppendMs() {
      const [oldest] = begun;
      return oldest === undefined ? 0 : clock.monotonicMs() - oldest.atMs;
    },
  };
}
