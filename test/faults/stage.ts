/** The log under a campaign: three brokers, or the embedded one in a folder that all processes share. */
import { join } from 'node:path';
import { createEmbeddedLog } from '#log/embedded-log.ts';
import { createKafkaLog } from '#log/kafka-log.ts';
import type { EventLog } from '#log/port.ts';
import { systemClock } from '#mesh/clock.ts';
import { allTopics, type Topics } from '#mesh/topics.ts';
import { type KafkaCluster, startKafka } from '../kafka/cluster.ts';

export interface Stage extends AsyncDisposable {
  readonly log: EventLog;
  /** Null on the embedded log. */
  readonly cluster: KafkaCluster | null;
  /** What other processes must be told to open the same log. */
  readonly settings: Readonly<Record<string, unknown>>;
}

export async function kafkaStage(topics: Topics, sessionTimeoutMs: number): Promise<Stage> {
  const cluster = await startKafka({ nodes: 3 });
  const log = await createKafkaLog({
    brokers: cluster.brokers,
    topics: allTopics(topics),
    replicationFactor: 3,
    topicSettings: { 'min.insync.replicas': '2' },
    sessionTimeoutMs,
    clock: systemClock,
  });
  return {
    log,
    cluster,
    settings: { 'log.adapter': 'kafka', 'kafka.brokers': cluster.brokers, 'kafka.replicationFactor': 3 },
    async [Symbol.asyncDispose]() {
      await log.close();
      await cluster.stop();
    },
  };
}

export async function embeddedStage(directory: string, topics: Topics, sessionTimeoutMs: number): Promise<Stage> {
  const folder = join(directory, 'log');
  const log = await createEmbeddedLog({
    directory: folder,
    topics: allTopics(topics),
    clock: systemClock,
    sessionTimeoutMs,
  });
  return {
    log,
    cluster: null,
    settings: { 'log.adapter': 'embedded', 'log.directory': folder },
    [Symbol.asyncDispose]: () => log.close(),
  };
}
