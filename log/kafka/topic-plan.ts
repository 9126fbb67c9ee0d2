/** What the log's topics should look like on a cluster, what they look like, and what to do about the difference. All of it values. */
import { MeshwardError } from '#mesh/errors.ts';
import type { TopicSpec } from '../port.ts';

export interface TopicSettings {
  /** 0 is three, or as many as there are brokers. */
  readonly replicationFactor: number;
  /** 0 is one less than the copies, at least one. */
  readonly minInsyncReplicas: number;
  /** The largest record that this system writes. */
  readonly maxRecordBytes: number;
}

/** A topic as it should be. Settings carry the names that Kafka has for them. */
export interface WantedTopic {
  readonly name: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly settings: Readonly<Record<string, string>>;
}

/** A topic as a cluster has it. */
export interface FoundTopic {
  readonly name: string;
  readonly partitions: number;
  /** Of the partition with the fewest copies. */
  readonly replicationFactor: number;
  /** Partitions with fewer copies in sync than `min.insync.replicas`: nothing can be appended to them. */
  readonly partitionsBelowMinInsync: number;
  readonly partitionsWithoutLeader: number;
  /** In effect, wherever they come from. */
  readonly settings: Readonly<Record<string, string>>;
}

export interface SettingChange {
  readonly setting: string;
  readonly from: string;
  readonly to: string;
}

export type TopicStep =
  | { readonly kind: 'create'; readonly topic: WantedTopic }
  | {
      readonly kind: 'configure';
      readonly name: string;
      readonly changes: readonly SettingChange[];
      readonly advice: string;
    }
  | { readonly kind: 'keep'; readonly name: string; readonly advice: string }
  | { readonly kind: 'refuse'; readonly name: string; readonly reason: string; readonly next: string };

const mebibyte = 1024 * 1024;
const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
/** A topic's limit counts the batch around the record, too. */
const batchHeadroomBytes = 64 * 1024;

export function wantedTopic(spec: TopicSpec, settings: TopicSettings, brokers: number): WantedTopic {
  const replicationFactor = settings.replicationFactor || Math.max(1, Math.min(3, brokers));
  const minInsync = settings.minInsyncReplicas || Math.max(1, replicationFactor - 1);
  return {
    name: spec.name,
    partitions: spec.partitions,
    replicationFactor,
    settings: {
      ...(spec.compacted ? tableSettings : eventSettings(spec)),
      'min.insync.replicas': String(minInsync),
      'max.message.bytes': String(settings.maxRecordBytes + batchHeadroomBytes),
      // Batches stay as they were written: brokers spend no time on them.
      'compression.type': 'producer',
      // The brokers' time, not each client's: one wrong clock must not make events old, or keep them for ever.
      'message.timestamp.type': 'LogAppendTime',
      // A broker that lacks acknowledged events must not become leader: rather wait than lose them.
      'unclean.leader.election.enable': 'false',
    },
  };
}

/** Tables are read from their first record on at each start of a service, so they are compacted early. */
const tableSettings: Readonly<Record<string, string>> = {
  'cleanup.policy': 'compact',
  'retention.ms': '-1',
  'retention.bytes': '-1',
  // Only closed segments are compacted.
  'segment.bytes': String(64 * mebibyte),
  'segment.ms': String(dayMs),
  'max.compaction.lag.ms': String(dayMs),
  // A reader that is this long on its way still sees what was taken off a table.
  'delete.retention.ms': String(dayMs),
};

/** Only whole segments are dropped: eight of them keep what is kept close to what was asked for. */
function eventSettings({ retentionMs, retentionBytes }: TopicSpec): Record<string, string> {
  const eighth = (value: number, least: number, most: number): string =>
    String(value === 0 ? most : Math.min(most, Math.max(least, Math.floor(value / 8))));
  return {
    'cleanup.policy': 'delete',
    'retention.ms': String(retentionMs === 0 ? -1 : retentionMs),
    'retention.bytes': String(retentionBytes === 0 ? -1 : retentionBytes),
    'segment.bytes': eighth(retentionBytes, 16 * mebibyte, 1024 * mebibyte),
    'segment.ms': eighth(retentionMs, minuteMs, 7 * dayMs),
  };
}

/** @param found by name. In the order of `wanted`. */
export function planTopics(
  wanted: readonly WantedTopic[],
  found: ReadonlyMap<string, FoundTopic>,
): readonly TopicStep[] {
  return wanted.map((topic) => planTopic(topic, found.get(topic.name)));
}

function planTopic(wanted: WantedTopic, found: FoundTopic | undefined): TopicStep {
  const { name } = wanted;
  if (found === undefined) return { kind: 'create', topic: wanted };
  if (found.partitions !== wanted.partitions) return refusePartitions(wanted, found);
  const changes = Object.entries(wanted.settings)
    .map(([setting, to]) => ({ setting, from: found.settings[setting] ?? '', to }))
    .filter(({ from, to }) => from !== to);
  const needed = Number(wanted.settings['min.insync.replicas']);
  if (needed > found.replicationFactor) {
    return {
      kind: 'refuse',
      name,
      reason: `it has ${copies(found.replicationFactor)} of a partition, and ${needed} must be in sync: nothing could be appended`,
      next: `Give it ${copies(wanted.replicationFactor)} with kafka-reassign-partitions, or set kafka.minInsyncReplicas lower.`,
    };
  }
  const advice =
    found.replicationFactor >= wanted.replicationFactor
      ? ''
      : `it has ${copies(found.replicationFactor)} of a partition where ${wanted.replicationFactor} are wanted: add them with kafka-reassign-partitions`;
  return changes.length === 0 ? { kind: 'keep', name, advice } : { kind: 'configure', name, changes, advice };
}

function refusePartitions(wanted: WantedTopic, found: FoundTopic): TopicStep {
  return {
    kind: 'refuse',
    name: wanted.name,
    reason: `it has ${found.partitions} partitions, and ${wanted.partitions} are configured: the partition of a file follows from their count, so it cannot change`,
    next: partitionsAdvice(found.partitions),
  };
}

function partitionsAdvice(partitions: number): string {
  return `Set log.shareEventsPartitions (or log.peerEventsPartitions) to ${partitions}, or begin with new topics under another log.topicPrefix.`;
}

function copies(count: number): string {
  return count === 1 ? '1 copy' : `${count} copies`;
}

export function isChange(step: TopicStep): boolean {
  return step.kind === 'create' || step.kind === 'configure';
}

/**
 * What a service needs before it may run: that each topic is there, has its partitions, and keeps what it should keep.
 * @throws MeshwardError `log-topics` naming every topic that is not so.
 */
export function checkTopicsForUse(specs: readonly TopicSpec[], found: ReadonlyMap<string, FoundTopic>): void {
  const problems = specs.flatMap((spec) => {
    const topic = found.get(spec.name);
    if (topic === undefined) return [`${spec.name} is missing, or this user may not see it (right: Describe)`];
    if (topic.partitions !== spec.partitions)
      return [`${spec.name} has ${topic.partitions} partitions, and ${spec.partitions} are configured`];
    const policy = topic.settings['cleanup.policy'] ?? 'unknown';
    const wanted = spec.compacted ? 'compact' : 'delete';
    return policy === wanted ? [] : [`${spec.name} has cleanup.policy ${policy}, and ${wanted} is needed`];
  });
  if (problems.length === 0) return;
  throw new MeshwardError(
    'log-topics',
    `the topics on Kafka are not as this service needs them: ${problems.join('; ')}`,
    {
      next: 'Run `meshward topics apply` with the same configuration, as a user who may create topics.',
    },
  );
}

/** A line for each step, with the changes below it. */
export function describePlan(steps: readonly TopicStep[]): string {
  return steps.map(describeStep).join('\n');
}

function describeStep(step: TopicStep): string {
  const advice = (text: string): string => (text === '' ? '' : `\n           note: ${text}`);
  switch (step.kind) {
    case 'create': {
      const { name, partitions, replicationFactor, settings } = step.topic;
      const lines = Object.entries(settings).map(([setting, value]) => `\n           ${setting} = ${value}`);
      return `create     ${name}: ${partitions === 1 ? '1 partition' : `${partitions} partitions`}, ${copies(replicationFactor)} of each${lines.join('')}`;
    }
    case 'configure': {
      const lines = step.changes.map(({ setting, from, to }) => `\n           ${setting}: ${from || 'unset'} → ${to}`);
      return `configure  ${step.name}${lines.join('')}${advice(step.advice)}`;
    }
    case 'keep':
      return `keep       ${step.name}: it is as it should be${advice(step.advice)}`;
    case 'refuse':
      return `REFUSED    ${step.name}: ${step.reason}\n           what to do: ${step.next}`;
  }
}
