/** Topics and brokers of a cluster, through the public admin client of kafkajs: looked at, made, set. */
import type { ConnectionOptions } from 'node:tls';
import kafkajs, { type Admin, type Kafka, type SASLOptions } from 'kafkajs';
import { type Clock, sleep, systemClock } from '#mesh/clock.ts';
import { describeError, isRetryable, MeshwardError } from '#mesh/errors.ts';
import './kafkajs-timers.ts';
import { BrokerFault, code, toLogError } from './faults.ts';
import { type KafkaLogOptions, type KafkaTls, parseBroker } from './options.ts';
import { BrokerConnection } from './protocol.ts';
import type { FoundTopic, SettingChange, WantedTopic } from './topic-plan.ts';

const { ConfigResourceTypes, logLevel } = kafkajs;

export type KafkaConnection = Pick<KafkaLogOptions, 'brokers' | 'clientId' | 'tls' | 'sasl'> & {
  readonly connectTimeoutMs?: number;
  readonly requestTimeoutMs?: number;
};

export interface KafkaAdmin {
  /** As the brokers advertise themselves. */
  brokers(): Promise<readonly AdvertisedBroker[]>;
  /** Those of the names that are there and that this user may see. */
  findTopics(names: readonly string[]): Promise<ReadonlyMap<string, FoundTopic>>;
  /** Resolves when their partitions have leaders. */
  createTopics(topics: readonly WantedTopic[]): Promise<void>;
  /** Other settings of the topic stay as they are. */
  configureTopic(name: string, changes: readonly SettingChange[]): Promise<void>;
  /** Those of the names that are there; resolves when they are gone. */
  deleteTopics(names: readonly string[]): Promise<void>;
  /** Asks again until it holds: brokers hear of changes one after the other. False where it does not within half a minute. */
  eventually(isSo: () => Promise<boolean>): Promise<boolean>;
  close(): Promise<void>;
}

export interface AdvertisedBroker {
  readonly nodeId: number;
  /** `host:port`. */
  readonly address: string;
}

const defaultConnectTimeoutMs = 10_000;
const defaultRequestTimeoutMs = 30_000;

/** What kafkajs needs to reach the brokers, with everything that it prints switched off. */
export function openKafka(connection: KafkaConnection): Kafka {
  const { brokers, clientId, tls, sasl } = connection;
  return new kafkajs.Kafka({
    brokers: [...brokers],
    clientId: clientId ?? 'meshward',
    connectionTimeout: connection.connectTimeoutMs ?? defaultConnectTimeoutMs,
    requestTimeout: connection.requestTimeoutMs ?? defaultRequestTimeoutMs,
    retry: { retries: 4, initialRetryTime: 200, maxRetryTime: 2000 },
    logLevel: logLevel.NOTHING,
    ...(tls === undefined ? {} : { ssl: given(tls) }),
    ...(sasl === undefined ? {} : { sasl: { ...sasl } as SASLOptions }),
  });
}

function given({ ca, cert, key, servername }: KafkaTls): ConnectionOptions {
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(servername === undefined ? {} : { servername }),
  };
}

/** @throws MeshwardError `log-unavailable` (retryable) where no broker answers, `log-forbidden` where they do not let this user in. */
export async function openKafkaAdmin(connection: KafkaConnection, clock: Clock = systemClock): Promise<KafkaAdmin> {
  const admin = openKafka(connection).admin();
  const where = connection.brokers.join(', ');
  await attempt(`reaching the brokers ${where}`, () => admin.connect());
  const eventually = async (isSo: () => Promise<boolean>): Promise<boolean> => {
    const deadlineMs = clock.monotonicMs() + patienceMs;
    for (;;) {
      try {
        if (await isSo()) return true;
      } catch (error) {
        // A broker that has not heard of a topic yet says that there is none.
        if (!isRetryable(error)) throw error;
      }
      if (clock.monotonicMs() > deadlineMs) return false;
      await sleep(clock, betweenLooksMs);
    }
  };
  return {
    eventually,
    async brokers() {
      const { brokers } = await attempt('listing the brokers', () => admin.describeCluster());
      return brokers.map(({ nodeId, host, port }) => ({ nodeId, address: `${host}:${port}` }));
    },
    findTopics: (names) => findTopics(admin, names),
    async createTopics(topics) {
      const asked = topics.map(({ name, partitions, replicationFactor, settings }) => ({
        topic: name,
        numPartitions: partitions,
        replicationFactor,
        configEntries: entries(settings),
      }));
      const names = topics.map(({ name }) => name);
      await attempt(`creating ${names.join(', ')}`, () => admin.createTopics({ topics: asked, waitForLeaders: false }));
      const led = await eventually(async () => {
        const found = await findTopics(admin, names);
        return found.size === names.length && [...found.values()].every((topic) => topic.partitionsWithoutLeader === 0);
      });
      if (!led) throw late(`the partitions of ${names.join(', ')} were made and have no leaders`);
    },
    async configureTopic(name, changes) {
      const settings = Object.fromEntries(changes.map(({ setting, to }) => [setting, to]));
      await onSomeBroker(connection, clock, async (broker) => {
        const { errorCode, errorMessage } = await broker.request('AlterTopic', { topic: name, settings });
        if (errorCode === code.none) return;
        throw toLogError(new BrokerFault(errorCode, errorMessage ?? name), `configuring ${name}`);
      });
    },
    async deleteTopics(names) {
      const there = await attempt('listing topics', () => admin.listTopics());
      const topics = names.filter((name) => there.includes(name));
      if (topics.length === 0) return;
      await attempt(`deleting ${topics.join(', ')}`, () => admin.deleteTopics({ topics }));
      const gone = await eventually(async () => {
        const left = await attempt('listing topics', () => admin.listTopics());
        return !topics.some((name) => left.includes(name));
      });
      if (!gone) throw late(`${topics.join(', ')} were deleted and are still there`);
    },
    close: () => admin.disconnect(),
  };
}

/** The first of the brokers that takes a connection. */
async function onSomeBroker(
  connection: KafkaConnection,
  clock: Clock,
  run: (broker: BrokerConnection) => Promise<void>,
): Promise<void> {
  const settings = {
    clientId: connection.clientId ?? 'meshward',
    tls: connection.tls,
    sasl: connection.sasl,
    clock,
    connectTimeoutMs: connection.connectTimeoutMs ?? defaultConnectTimeoutMs,
    requestTimeoutMs: connection.requestTimeoutMs ?? defaultRequestTimeoutMs,
  };
  let failure: unknown;
  for (const address of connection.brokers) {
    const { host, port } = parseBroker(address);
    const broker = new BrokerConnection(host, port, settings, () => undefined);
    try {
      await broker.open();
    } catch (error) {
      failure = error;
      continue;
    }
    try {
      return await run(broker);
    } finally {
      broker.destroy('no longer needed');
    }
  }
  throw toLogError(failure, 'reaching the brokers');
}

const patienceMs = 30_000;
const betweenLooksMs = 100;

function late(message: string): MeshwardError {
  return new MeshwardError('log-unavailable', `${message} after ${patienceMs / 1000} s`, {
    next: 'See that all brokers run and have room, and run the command again.',
    retryable: true,
  });
}

async function findTopics(admin: Admin, names: readonly string[]): Promise<ReadonlyMap<string, FoundTopic>> {
  const visible = new Set(await attempt('listing topics', () => admin.listTopics()));
  const there = names.filter((name) => visible.has(name));
  if (there.length === 0) return new Map();
  const { topics } = await attempt(`looking at ${there.join(', ')} (right: Describe)`, () =>
    admin.fetchTopicMetadata({ topics: there }),
  );
  const settings = await attempt(`looking at the settings of ${there.join(', ')} (right: DescribeConfigs)`, () =>
    describeTopics(admin, there),
  );
  return new Map(
    topics.map(({ name, partitions }): [string, FoundTopic] => {
      const own = Object.fromEntries(
        settings.filter(({ topic }) => topic === name).map(({ setting, value }) => [setting, value]),
      );
      const minInsync = Number(own['min.insync.replicas'] ?? 1);
      const found: FoundTopic = {
        name,
        partitions: partitions.length,
        replicationFactor: Math.min(...partitions.map(({ replicas }) => replicas.length)),
        partitionsBelowMinInsync: partitions.filter(({ isr }) => isr.length < minInsync).length,
        partitionsWithoutLeader: partitions.filter(({ leader }) => leader < 0).length,
        settings: own,
      };
      return [name, found];
    }),
  );
}

interface TopicSetting {
  readonly topic: string;
  readonly setting: string;
  readonly value: string;
}

async function describeTopics(admin: Admin, names: readonly string[]): Promise<readonly TopicSetting[]> {
  const resources = names.map((name) => ({ type: ConfigResourceTypes.TOPIC, name }));
  const answer = await admin.describeConfigs({ resources, includeSynonyms: false });
  return answer.resources.flatMap(({ resourceName, configEntries }) =>
    configEntries.map(({ configName, configValue }) => ({
      topic: resourceName,
      setting: configName,
      value: configValue,
    })),
  );
}

function entries(settings: Readonly<Record<string, string>>): { name: string; value: string }[] {
  return Object.entries(settings).map(([name, value]) => ({ name, value }));
}

async function attempt<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw explain(what, error);
  }
}

/** kafkajs wraps: the first error with a type or a telling name counts. */
function explain(what: string, error: unknown): MeshwardError {
  const { type, words } = tellingError(error);
  const message = `${what} on Kafka failed: ${words}`;
  if (type.endsWith('_AUTHORIZATION_FAILED')) {
    return new MeshwardError('log-forbidden', message, {
      next: 'Give this user the right: `meshward topics acls` prints every right that is needed.',
      cause: error,
    });
  }
  if (type === 'KafkaJSSASLAuthenticationError' || type === 'SASL_AUTHENTICATION_FAILED') {
    return new MeshwardError('log-forbidden', message, {
      next: 'Check kafka.sasl.mechanism, kafka.sasl.username and the password in kafka.sasl.passwordFile.',
      cause: error,
    });
  }
  return new MeshwardError('log-unavailable', message, {
    next: 'See that the brokers run, and that this machine reaches the addresses that they advertise (advertised.listeners), with TLS or without as they want it.',
    retryable: true,
    cause: error,
  });
}

function tellingError(error: unknown): { readonly type: string; readonly words: string } {
  for (let current = error, depth = 0; current instanceof Error && depth < 5; current = current.cause, depth++) {
    const { type, errors } = current as { type?: unknown; errors?: unknown };
    const parts = Array.isArray(errors) ? (errors as unknown[]) : [];
    const typed = parts.find((part) => part instanceof Error && typeof (part as { type?: unknown }).type === 'string');
    if (typed !== undefined) {
      const words = parts.map((part) => `${(part as { topic?: string }).topic ?? ''}: ${describeError(part)}`);
      return { type: (typed as { type?: string }).type ?? '', words: words.join('; ') };
    }
    if (typeof type === 'string') return { type, words: describeError(current) };
    if (current.name === 'KafkaJSSASLAuthenticationError') return { type: current.name, words: current.message };
  }
  return { type: '', words: describeError(error) };
}
