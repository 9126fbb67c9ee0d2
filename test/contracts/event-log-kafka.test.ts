import { afterAll, beforeAll } from 'vitest';
import type { EventLog } from '#log/port.ts';
import { type KafkaCluster, startKafka } from '../kafka/cluster.ts';
import { describeEventLog } from './event-log.ts';
import { openLog } from './event-log-kafka-open.ts';

let kafka: KafkaCluster;

// One broker for all: every test has topics and groups of its own.
beforeAll(async () => {
  kafka = await startKafka({
    nodes: 1,
    properties: {
      'log.retention.check.interval.ms': 200,
      'log.initial.task.delay.ms': 200,
      'log.cleaner.backoff.ms': 200,
    },
  });
});

afterAll(() => kafka.stop());

describeEventLog('Kafka', async (topics) => {
  const config = { brokers: kafka.brokers };
  const opened: EventLog[] = [];
  return {
    open: async () => {
      const log = await openLog(config, topics);
      opened.push(log);
      return log;
    },
    child: { module: new URL('./event-log-kafka-open.ts', import.meta.url).href, config },
    dispose: async () => {
      await Promise.all(opened.map((log) => log.close()));
    },
  };
});
