/** What the log stands on where it is on Kafka: brokers, their addresses, the topics, the brokers' clocks. */
import { connect } from 'node:net';
import { planOnCluster } from '#log/kafka/apply-topics.ts';
import { parseBroker } from '#log/kafka/options.ts';
import type { FoundTopic, TopicStep } from '#log/kafka/topic-plan.ts';
import type { EventLog } from '#log/port.ts';
import { systemClock } from '#mesh/clock.ts';
import { silentLogger } from '#mesh/logger.ts';
import { allTopics } from '#mesh/topics.ts';
import { openLog } from '../connections.ts';
import type { Context } from '../context.ts';
import { openAdmin, topicSettingsOf, topicsOfConfig } from '../kafka-connection.ts';
import { formatDuration } from '../output.ts';
import { type Check, type Finding, failed, passed, skipped } from './check.ts';

const connectTimeoutMs = 5000;
const mostSkewMs = 5000;
/** Ticks to wait for one, and time to join in. */
const patientTicks = 3;
const patientMs = 3000;

export function kafkaChecks(context: Context): readonly Check[] {
  return [
    { name: 'kafka brokers', kind: 'service', run: () => lookAtBrokers(context) },
    { name: 'kafka topics', kind: 'service', run: () => lookAtTopics(context) },
    { name: 'kafka clock', kind: 'service', run: () => lookAtClock(context) },
  ];
}

async function lookAtBrokers({ config }: Context): Promise<Finding> {
  const admin = await openAdmin(config, 'cli');
  try {
    const brokers = await admin.brokers();
    const answers = await Promise.all(
      brokers.map(async ({ nodeId, address }) => ({ nodeId, address, reached: await canConnect(address) })),
    );
    const away = answers.filter(({ reached }) => !reached).map(({ nodeId, address }) => `${nodeId} at ${address}`);
    if (away.length === 0)
      return passed(`${brokers.length} answer: ${brokers.map(({ address }) => address).join(', ')}`);
    return failed(
      `${away.length} of ${brokers.length} cannot be reached from here: ${away.join(', ')}`,
      'These are the addresses that the brokers advertise: see that they run, and that advertised.listeners names addresses that this machine can resolve and reach.',
    );
  } finally {
    await admin.close();
  }
}

function canConnect(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(parseBroker(address));
    const settle = (reached: boolean) => (): void => {
      socket.destroy();
      resolve(reached);
    };
    socket.setTimeout(connectTimeoutMs, settle(false));
    socket.once('connect', settle(true)).once('error', settle(false));
  });
}

async function lookAtTopics({ config }: Context): Promise<Finding> {
  const admin = await openAdmin(config, 'cli');
  try {
    const specs = allTopics(topicsOfConfig(config));
    const { steps, found } = await planOnCluster(admin, specs, topicSettingsOf(config));
    return judgeTopics(steps, [...found.values()]);
  } finally {
    await admin.close();
  }
}

export function judgeTopics(steps: readonly TopicStep[], found: readonly FoundTopic[]): Finding {
  const differing = steps
    .filter((step) => step.kind !== 'keep')
    .map((step) => `${nameOf(step)} (${whatDiffers(step)})`);
  if (differing.length > 0)
    return failed(
      `${differing.join(', ')} differ from the configuration`,
      'Run `meshward topics show`, then `meshward topics apply`.',
    );
  const stuck = found.filter((topic) => topic.partitionsBelowMinInsync > 0 || topic.partitionsWithoutLeader > 0);
  if (stuck.length > 0) {
    const words = stuck.map(
      (topic) =>
        `${topic.name} has ${topic.partitionsWithoutLeader} partitions without a leader and ${topic.partitionsBelowMinInsync} below min.insync.replicas`,
    );
    return failed(words.join('; '), 'Nothing can be appended there: bring the missing brokers back.');
  }
  const partitions = found.reduce((sum, topic) => sum + topic.partitions, 0);
  const fewest = Math.min(...found.map((topic) => topic.replicationFactor));
  return passed(
    `${found.length} topics with ${partitions} partitions are as configured; ${fewest === 1 ? 'there is 1 copy: a lost broker loses events' : `${fewest} copies or more of each`}`,
  );
}

function whatDiffers(step: TopicStep): string {
  return step.kind === 'configure' ? step.changes.map(({ setting }) => setting).join(', ') : step.kind;
}

function nameOf(step: TopicStep): string {
  return step.kind === 'create' ? step.topic.name : step.name;
}

async function lookAtClock(context: Context): Promise<Finding> {
  const { log, topics } = await openLog(context, { role: 'cli', logger: silentLogger });
  try {
    const waitMs = patientTicks * context.config.collector.tickMs + patientMs;
    return judgeBrokerClock(await skewOfNextRecord(log, topics.peerEvents.name, waitMs));
  } finally {
    await log.close();
  }
}

/** How far the time on the next record is before ours when it comes; null where none comes. */
async function skewOfNextRecord(log: EventLog, topic: string, waitMs: number): Promise<number | null> {
  const first = Promise.withResolvers<number | null>();
  const following = await log.follow([topic], 'next', (_topic, _partition, records) => {
    const last = records.at(-1);
    if (last !== undefined) first.resolve(systemClock.nowMs() - last.appendedAtMs);
    return Promise.resolve();
  });
  following.ended.catch(first.reject);
  const callOff = systemClock.after(waitMs, () => first.resolve(null));
  try {
    return await first.promise;
  } finally {
    callOff();
    await following.close();
  }
}

/** @param skewMs positive where the brokers are behind; null is unknown. */
export function judgeBrokerClock(skewMs: number | null): Finding {
  if (skewMs === null) return skipped('no collector writes ticks at the moment: there is nothing to compare with');
  if (Math.abs(skewMs) <= mostSkewMs) return passed('the time on new events agrees with this machine’s');
  const words = skewMs > 0 ? 'behind' : 'ahead of';
  return failed(
    `the time on new events is ${formatDuration(Math.abs(skewMs))} ${words} this machine’s`,
    'Keep the clocks of brokers and of this machine with NTP: how long events are kept goes by the brokers’.',
  );
}
