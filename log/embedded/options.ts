/** What the embedded log can be told, with its defaults. Memory and waiting are bounded by what stands here. */
import type { Clock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { TopicSpec } from '../port.ts';
import { maxPartitions } from './topic-file.ts';

export interface EmbeddedLogOptions extends Partial<EmbeddedLogLimits> {
  /** On a local file system; made where it is not there. Every process that shares the log opens the same. */
  readonly directory: string;
  /** Created where they are not there. A process opens the topics that it uses. */
  readonly topics: readonly TopicSpec[];
  /** The time that records are stamped with and retention goes by, and the timers. */
  readonly clock: Clock;
}

export interface EmbeddedLogLimits {
  /** Bytes appended and not yet on disk, of all topics. More waits. @default 64 MiB */
  readonly maxPendingBytes: number;
  /** Appends that may wait for room in `maxPendingBytes`; more are refused at once. @default 1000 */
  readonly maxWaitingAppends: number;
  /** How long an append waits for room before `log-unavailable`. @default 10000 */
  readonly maxAppendWaitMs: number;
  /** Key, value and headers of one record. @default 16 MiB */
  readonly maxRecordBytes: number;
  /** What a subscription holds of one partition at a time, about; at least one record. @default 1 MiB */
  readonly fetchBytes: number;
  /** The file of one topic may not grow beyond this: then `log-full`. 0 is unlimited. @default 0 */
  readonly maxTopicBytes: number;
  /** A group member that was silent for this long is dead. The end of its process is seen sooner. @default 3000 */
  readonly sessionTimeoutMs: number;
  /** How long an owner may take to give up a partition before it is taken from it. @default 30000 */
  readonly revokeTimeoutMs: number;
  /** How long another process's lock is waited for before `log-unavailable`. @default 10000 */
  readonly lockTimeoutMs: number;
  /** Time between two looks for other processes' appends while there are some. @default 10 */
  readonly pollMinMs: number;
  /** And when there are none. @default 50 */
  readonly pollMaxMs: number;
  /** Time between two runs of retention; it also runs after every 16 MiB appended. @default 10000 */
  readonly retentionIntervalMs: number;
  /** How long tombstones stay for followers that are away. @default 86400000 (a day) */
  readonly tombstoneRetentionMs: number;
  /** How long `close` waits for consumers' callbacks that do not return. @default 10000 */
  readonly closeTimeoutMs: number;
}

const mebibyte = 1024 * 1024;

const defaults: EmbeddedLogLimits = {
  maxPendingBytes: 64 * mebibyte,
  maxWaitingAppends: 1000,
  maxAppendWaitMs: 10_000,
  maxRecordBytes: 16 * mebibyte,
  fetchBytes: mebibyte,
  maxTopicBytes: 0,
  sessionTimeoutMs: 3000,
  revokeTimeoutMs: 30_000,
  lockTimeoutMs: 10_000,
  pollMinMs: 10,
  pollMaxMs: 50,
  retentionIntervalMs: 10_000,
  tombstoneRetentionMs: 24 * 3600 * 1000,
  closeTimeoutMs: 10_000,
};

/** @throws MeshwardError `config-invalid`. */
export function limitsOf(options: EmbeddedLogOptions): EmbeddedLogLimits {
  const limits: Record<string, number> = {};
  for (const [name, fallback] of Object.entries(defaults) as [keyof EmbeddedLogLimits, number][]) {
    const value = options[name] ?? fallback;
    const smallest = name === 'maxTopicBytes' || name === 'tombstoneRetentionMs' ? 0 : 1;
    if (!Number.isFinite(value) || value < smallest)
      throw invalid(`${name} is ${value}`, `Set it to a number from ${smallest} on.`);
    limits[name] = value;
  }
  return limits as unknown as EmbeddedLogLimits;
}

/** @throws MeshwardError `config-invalid`. */
export function checkTopics(topics: readonly TopicSpec[]): void {
  const names = new Set<string>();
  for (const { name, partitions, retentionMs, retentionBytes } of topics) {
    if (!/^[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,199}$/.test(name)) {
      throw invalid(
        `"${name.slice(0, 60)}" is not a topic name`,
        'Use up to 200 letters, digits, dots, dashes and underscores.',
      );
    }
    if (names.has(name)) throw invalid(`topic ${name} is listed twice`, 'List each topic once.');
    names.add(name);
    if (!Number.isInteger(partitions) || partitions < 1 || partitions > maxPartitions) {
      throw invalid(`topic ${name} has ${partitions} partitions`, `Choose a whole number from 1 to ${maxPartitions}.`);
    }
    if (!(retentionMs >= 0) || !(retentionBytes >= 0)) {
      throw invalid(`topic ${name} has a negative retention`, 'Use 0 for unlimited, or a positive number.');
    }
  }
}

function invalid(message: string, next: string): MeshwardError {
  return new MeshwardError('config-invalid', `the embedded log's configuration: ${message}`, { next });
}
