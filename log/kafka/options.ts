/** What the Kafka adapter can be told, with its defaults. Memory and waiting are bounded by what stands here. */
import type { Clock, Random } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import type { TopicSpec } from '../port.ts';

export interface KafkaLogOptions extends Partial<KafkaLogLimits> {
  /** `host:port` of some brokers of one cluster, IPv6 as `[::1]:9092`; the others are learnt from them. */
  readonly brokers: readonly string[];
  /** Stands in the brokers' logs and quotas. @default 'meshward' */
  readonly clientId?: string;
  /** Encrypts every connection where it is given. */
  readonly tls?: KafkaTls | undefined;
  /** Logs in on every connection where it is given. */
  readonly sasl?: KafkaSasl | undefined;
  /** The topics that this process uses. Where one exists, its partitions must be as many as here; its settings stay as they are. */
  readonly topics: readonly TopicSpec[];
  /** Whether topics that are not there are created. @default true */
  readonly createTopics?: boolean;
  /** Copies of each partition of a created topic; 0 is three, or as many as there are brokers. @default 0 */
  readonly replicationFactor?: number;
  /** Of a created topic: copies that must have a record before it counts as taken; 0 is one less than there are. @default 0 */
  readonly minInsyncReplicas?: number;
  /** Settings of created topics over those that follow from their `TopicSpec`, under Kafka's names. */
  readonly topicSettings?: Readonly<Record<string, string>>;
  /** How batches are written. What is read may be in any codec. @default 'none' */
  readonly compression?: 'none' | 'gzip';
  /** The timers, and the time that records are stamped with. */
  readonly clock: Clock;
  /** Spreads retries. @default Math.random */
  readonly random?: Random;
  /** Hears of lost connections, retries and rebalances. @default silent */
  readonly logger?: Logger;
}

export interface KafkaTls {
  /** PEM certificates that sign the brokers'. Without them, those of Node. */
  readonly ca?: string | undefined;
  /** PEM certificate and key of this client, where brokers ask for one. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name that the brokers' certificates are checked against. @default the broker's host */
  readonly servername?: string | undefined;
}

export interface KafkaSasl {
  readonly mechanism: 'scram-sha-256' | 'scram-sha-512' | 'plain';
  readonly username: string;
  readonly password: string;
}

export interface KafkaLogLimits {
  /** Bytes appended and not yet acknowledged, of all topics. More waits. @default 64 MiB */
  readonly maxPendingBytes: number;
  /** Appends that may wait for room in `maxPendingBytes`; more are refused at once. @default 1000 */
  readonly maxWaitingAppends: number;
  /** How long an append waits for room before `log-unavailable`. @default 10000 */
  readonly maxAppendWaitMs: number;
  /**
   * How long an append is tried before `log-unavailable`. Where it was sent, it may have been written nevertheless.
   * @default 60000
   */
  readonly appendTimeoutMs: number;
  /** What waits for one partition goes out in batches of about this size. @default 1000000 */
  readonly maxBatchBytes: number;
  /** Key, value and headers of one record. Created topics take as much; others by their `max.message.bytes`. @default 4 MiB */
  readonly maxRecordBytes: number;
  /** What a subscription holds of one partition at a time, about; at least one record. @default 1 MiB */
  readonly fetchBytes: number;
  /** What one answer of a broker to one subscription may hold, about. @default 16 MiB */
  readonly maxFetchBytes: number;
  /** How long a broker waits for records before it answers that there are none. @default 500 */
  readonly fetchWaitMs: number;
  /** A group member that was silent for this long is dead. Brokers take 6000 to 1800000 unless set otherwise. @default 10000 */
  readonly sessionTimeoutMs: number;
  /** How long an owner may take to give up a partition before it is taken from it. @default 300000 */
  readonly rebalanceTimeoutMs: number;
  /** Time between two looks at who leads which partition; an error that says so looks at once. @default 5000 */
  readonly metadataMaxAgeMs: number;
  /**
   * How long it is doubted that a partition ends before a place where somebody stood: a leader that was frozen does not know
   * at once that another one leads, and says what was true before. Then it is `log-truncated`. @default 3000
   */
  readonly staleLeaderMs: number;
  /** How long a connection may take to be made. @default 10000 */
  readonly connectTimeoutMs: number;
  /** How long an answer is waited for before the connection is given up and the request made again. @default 30000 */
  readonly requestTimeoutMs: number;
  /** How long reads, bounds and the like are tried before `log-unavailable`. @default 60000 */
  readonly callTimeoutMs: number;
  /** Between two tries, at first and at most. @defaults 50, 1000 */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** How long `close` waits for consumers' callbacks and appends that do not return. @default 10000 */
  readonly closeTimeoutMs: number;
}

const mebibyte = 1024 * 1024;

const defaults: KafkaLogLimits = {
  maxPendingBytes: 64 * mebibyte,
  maxWaitingAppends: 1000,
  maxAppendWaitMs: 10_000,
  appendTimeoutMs: 60_000,
  maxBatchBytes: 1_000_000,
  maxRecordBytes: 4 * mebibyte,
  fetchBytes: mebibyte,
  maxFetchBytes: 16 * mebibyte,
  fetchWaitMs: 500,
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 300_000,
  metadataMaxAgeMs: 5000,
  staleLeaderMs: 3000,
  connectTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  callTimeoutMs: 60_000,
  retryMinMs: 50,
  retryMaxMs: 1000,
  closeTimeoutMs: 10_000,
};

/** @throws MeshwardError `config-invalid`. */
export function limitsOf(options: KafkaLogOptions): KafkaLogLimits {
  const limits: Record<string, number> = {};
  for (const [name, fallback] of Object.entries(defaults) as [keyof KafkaLogLimits, number][]) {
    const value = options[name] ?? fallback;
    if (!Number.isFinite(value) || value < 1) throw invalid(`${name} is ${value}`, 'Set it to a number from 1 on.');
    limits[name] = value;
  }
  return limits as unknown as KafkaLogLimits;
}

/** @throws MeshwardError `config-invalid`. */
export function checkOptions(options: KafkaLogOptions): void {
  if (options.brokers.length === 0) throw invalid('no broker is named', 'Name at least one broker as host:port.');
  for (const broker of options.brokers) parseBroker(broker);
  const { tls, sasl, topics } = options;
  if (tls !== undefined && (tls.cert === undefined) !== (tls.key === undefined)) {
    throw invalid('a client certificate needs its key, and a key its certificate', 'Give both, or neither.');
  }
  if (sasl !== undefined && (sasl.username === '' || sasl.password === '')) {
    throw invalid('the login has no user name or no password', 'Give both, or no login.');
  }
  const names = new Set<string>();
  for (const { name, partitions, retentionMs, retentionBytes } of topics) {
    if (!/^[a-zA-Z0-9._-]{1,249}$/.test(name) || name === '.' || name === '..') {
      throw invalid(
        `"${name.slice(0, 60)}" is not a topic name`,
        'Use up to 249 letters, digits, dots, dashes and underscores.',
      );
    }
    if (names.has(name)) throw invalid(`topic ${name} is listed twice`, 'List each topic once.');
    names.add(name);
    if (!Number.isInteger(partitions) || partitions < 1 || partitions > 10_000) {
      throw invalid(`topic ${name} has ${partitions} partitions`, 'Choose a whole number from 1 to 10000.');
    }
    if (!(retentionMs >= 0) || !(retentionBytes >= 0)) {
      throw invalid(`topic ${name} has a negative retention`, 'Use 0 for unlimited, or a positive number.');
    }
  }
}

/** @throws MeshwardError `config-invalid`. */
export function parseBroker(address: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/@[\]]+)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || port < 1 || port > 65_535) {
    throw invalid(`"${address.slice(0, 80)}" is not the address of a broker`, 'Write host:port, such as kafka-1:9092.');
  }
  return { host, port };
}

function invalid(message: string, next: string): MeshwardError {
  return new MeshwardError('config-invalid', `the Kafka log's configuration: ${message}`, { next });
}
