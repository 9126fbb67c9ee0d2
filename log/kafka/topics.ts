/** Sees to it that the topics are there, as opening the log found or made them. */
import { MeshwardError } from '#mesh/errors.ts';
import type { TopicSpec } from '../port.ts';
import type { Cluster } from './cluster.ts';
import { BrokerFault, code } from './faults.ts';
import { wantedTopic } from './topic-plan.ts';

export interface TopicMaking {
  readonly createTopics: boolean;
  readonly replicationFactor: number;
  readonly minInsyncReplicas: number;
  readonly maxRecordBytes: number;
  readonly topicSettings: Readonly<Record<string, string>>;
}

/** @throws MeshwardError `log-topics` where one is missing or has other partitions, `log-forbidden`, `log-unavailable`. */
export async function ensureTopics(cluster: Cluster, specs: readonly TopicSpec[], making: TopicMaking): Promise<void> {
  const missing = specs.filter(({ name }) => cluster.partitionCount(name) === 0);
  if (missing.length > 0 && making.createTopics) {
    await cluster.attempt(`creating ${missing.map(({ name }) => name).join(', ')}`, () =>
      create(cluster, missing, making),
    );
  }
  await cluster.attempt('waiting for the leaders of the topics', async () => {
    const leaderless = specs.find(({ name, partitions }) => hasNoLeader(cluster, name, partitions));
    if (leaderless === undefined) return;
    await cluster.refresh();
    if (hasNoLeader(cluster, leaderless.name, leaderless.partitions) && making.createTopics)
      throw new BrokerFault(code.leaderNotAvailable, leaderless.name);
  });
  for (const { name, partitions } of specs) {
    const found = cluster.partitionCount(name);
    if (found !== partitions) throw unfit(name, found, partitions);
  }
}

/** A topic with other partitions than wanted is not waited for. */
function hasNoLeader(cluster: Cluster, topic: string, partitions: number): boolean {
  const found = cluster.partitionCount(topic);
  return (
    found === 0 ||
    (found === partitions && Array.from({ length: found }, (_, i) => cluster.leaderOf(topic, i)).includes(null))
  );
}

async function create(cluster: Cluster, specs: readonly TopicSpec[], making: TopicMaking): Promise<void> {
  const topics = specs.map((spec) => {
    const { name, partitions, replicationFactor, settings } = wantedTopic(spec, making, cluster.brokerCount);
    const entries = Object.entries({ ...settings, ...making.topicSettings });
    return {
      topic: name,
      numPartitions: partitions,
      replicationFactor,
      configEntries: entries.map(([setting, value]) => ({ name: setting, value })),
    };
  });
  const { limits } = cluster.settings;
  const controller = await cluster.controller();
  const answer = await controller.request(
    'CreateTopics',
    { topics, timeout: limits.requestTimeoutMs },
    limits.requestTimeoutMs,
  );
  for (const { topic, errorCode, errorMessage } of answer.topicErrors) {
    if (errorCode === code.none || errorCode === code.topicAlreadyExists) continue;
    const fault = new BrokerFault(errorCode, `creating ${topic}${errorMessage === null ? '' : ` (${errorMessage})`}`);
    if (errorCode === code.topicAuthorizationFailed || errorCode === code.clusterAuthorizationFailed) {
      throw new MeshwardError('log-forbidden', fault.message, {
        next: 'Let a user who may create topics run `meshward topics apply`, or grant Create on the cluster.',
        cause: fault,
      });
    }
    throw fault;
  }
  await cluster.refresh();
}

function unfit(name: string, found: number, wanted: number): MeshwardError {
  return new MeshwardError(
    'log-topics',
    found === 0
      ? `topic ${name} is missing, or this user may not see it`
      : `topic ${name} has ${found} partitions, and ${wanted} are configured`,
    { next: 'Run `meshward topics apply` with the same configuration, as a user who may create topics.' },
  );
}
