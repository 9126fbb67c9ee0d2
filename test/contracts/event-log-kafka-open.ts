/** How a process of the contract tests opens the log on Kafka. */

import { createKafkaLog, type KafkaLog } from '#log/kafka-log.ts';
import type { TopicSpec } from '#log/port.ts';
import { systemClock } from '#mesh/clock.ts';

/** What takes days in production is seen in the test: segments close, and are compacted or dropped, within a second. */
const quickly = {
  'segment.ms': '100',
  'segment.bytes': String(1024 * 1024),
  'file.delete.delay.ms': '100',
  'min.cleanable.dirty.ratio': '0.01',
  'delete.retention.ms': '100',
};

export function openLog(config: unknown, topics: readonly TopicSpec[]): Promise<KafkaLog> {
  const { brokers } = config as { brokers: readonly string[] };
  return createKafkaLog({
    brokers,
    topics,
    topicSettings: quickly,
    clock: systemClock,
    sessionTimeoutMs: 1500,
    closeTimeoutMs: 2000,
  });
}
