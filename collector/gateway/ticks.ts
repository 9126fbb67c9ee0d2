/** The log's own clock: a tick in every partition of events, by which silence is judged. */
import { create, toBinary } from '@bufbuild/protobuf';
import type { EventLog } from '#log/port.ts';
import type { Clock } from '#mesh/clock.ts';
import { describeError } from '#mesh/errors.ts';
import { PeerEventsRecordSchema, ShareEventsRecordSchema } from '#mesh/generated/events_pb.js';
import type { Logger } from '#mesh/logger.ts';
import type { Topic, Topics } from '#mesh/topics.ts';
import type { GatewayMetrics } from './metrics.ts';

export interface TicksOptions {
  readonly log: Pick<EventLog, 'append'>;
  readonly topics: Topics;
  readonly tickMs: number;
  readonly clock: Clock;
  readonly metrics: GatewayMetrics;
  readonly logger: Logger;
}

export interface Ticks {
  /** Milliseconds since the last tick was durable in every partition of both topics, or since the start. */
  lateMs(): number;
  /** No tick is begun afterwards; resolves when the one under way is done. */
  stop(): Promise<void>;
}

/** Two topics tick apart from each other: a slow one must not stop the other one's time. */
export function startTicks(options: TicksOptions): Ticks {
  const lanes = [
    tickTopic(options, options.topics.shareEvents, shareEventsTick),
    tickTopic(options, options.topics.peerEvents, peerEventsTick),
  ];
  return {
    lateMs: () => Math.max(...lanes.map((lane) => lane.lateMs())),
    stop: async () => {
      await Promise.all(lanes.map((lane) => lane.stop()));
    },
  };
}

function tickTopic(options: TicksOptions, topic: Topic, encode: (atMs: number) => Uint8Array): Ticks {
  const { log, tickMs, clock, metrics, logger } = options;
  let lastAtMs = clock.monotonicMs();
  let underWay: Promise<void> | null = null;
  let stopped = false;
  let failing = false;

  const tick = async (): Promise<void> => {
    const value = encode(clock.nowMs());
    const records = Array.from({ length: topic.partitions }, (_, partition) => ({ partition, key: null, value }));
    try {
      await log.append(topic.name, records);
      lastAtMs = clock.monotonicMs();
      metrics.tick(topic.name, 'written');
      if (failing) logger.info({ topic: topic.name }, 'ticks are written again');
      failing = false;
    } catch (error) {
      metrics.tick(topic.name, 'failed');
      if (!failing)
        logger.warn({ topic: topic.name, error: describeError(error) }, 'ticks cannot be written: health turns stale');
      failing = true;
    }
  };
  // A tick that is still under way is not joined by a second one: when the log is slow, time is coarse, and nothing piles up.
  const round = (): void => {
    if (stopped) return;
    if (underWay === null) {
      underWay = tick().finally(() => {
        underWay = null;
      });
    } else {
      metrics.tick(topic.name, 'skipped');
    }
    callOff = clock.after(tickMs, round);
  };
  let callOff = (): void => undefined;
  round();
  return {
    lateMs: () => clock.monotonicMs() - lastAtMs,
    stop: async () => {
      stopped = true;
      callOff();
      await underWay;
    },
  };
}

function shareEventsTick(atMs: number): Uint8Array {
  const record = create(ShareEventsRecordSchema, { body: { case: 'tick', value: { atMs: BigInt(atMs) } } });
  return toBinary(ShareEventsRecordSchema, record);
}

function peerEventsTick(atMs: number): Uint8Array {
  const record = create(PeerEventsRecordSchema, { body: { case: 'tick', value: { atMs: BigInt(atMs) } } });
  return toBinary(PeerEventsRecordSchema, record);
}
