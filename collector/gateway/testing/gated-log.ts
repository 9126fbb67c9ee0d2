/** A log whose followers see nothing new while its gate is shut: for what two gateways do before either sees the other. */
import type { InMemoryLog } from '#log/in-memory.ts';
import type { GatewayLog } from '../service.ts';

export interface GatedLog extends GatewayLog {
  /** Followers stop, and go on once `appends` more appends to `topic` were made through this log. */
  shutUntil(topic: string, appends: number): void;
}

export function gatedLog(log: InMemoryLog): GatedLog {
  let gate = Promise.withResolvers<void>();
  gate.resolve();
  let missing = 0;
  let watched = '';
  return {
    bounds: (topic) => log.bounds(topic),
    async append(topic, records) {
      const positions = await log.append(topic, records);
      if (topic === watched && --missing <= 0) gate.resolve();
      return positions;
    },
    follow: (topics, from, onRecords) =>
      log.follow(topics, from, async (topic, partition, records) => {
        await gate.promise;
        await onRecords(topic, partition, records);
      }),
    shutUntil(topic, appends) {
      gate = Promise.withResolvers<void>();
      missing = appends;
      watched = topic;
    },
  };
}
