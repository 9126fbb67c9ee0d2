import { describe, expect, it } from 'vitest';
import { MeshwardError } from '#mesh/errors.ts';
import { allTopics, topicsOf } from '#mesh/topics.ts';
import {
  checkTopicsForUse,
  describePlan,
  type FoundTopic,
  isChange,
  planTopics,
  type TopicSettings,
  type WantedTopic,
  wantedTopic,
} from './topic-plan.ts';

const topics = topicsOf({
  prefix: 'test.',
  shareEventsPartitions: 8,
  peerEventsPartitions: 1,
  retentionMs: 7 * 24 * 3_600_000,
  retentionBytes: 1024 ** 3,
});
const settings: TopicSettings = { replicationFactor: 0, minInsyncReplicas: 0, maxRecordBytes: 4 * 1024 ** 2 };
const wanted = (brokers = 3, more: Partial<TopicSettings> = {}): readonly WantedTopic[] =>
  allTopics(topics).map((topic) => wantedTopic(topic, { ...settings, ...more }, brokers));

/** A cluster that has exactly what is wanted, with changes by name. */
function clusterWith(changes: Readonly<Record<string, Partial<FoundTopic> | null>> = {}): Map<string, FoundTopic> {
  const found = new Map<string, FoundTopic>();
  for (const { name, partitions, replicationFactor, settings: own } of wanted()) {
    const change = changes[name];
    if (change === null) continue;
    const base = { name, partitions, replicationFactor, partitionsBelowMinInsync: 0, partitionsWithoutLeader: 0 };
    found.set(name, { ...base, ...change, settings: { 'flush.ms': '1', ...own, ...change?.settings } });
  }
  return found;
}

describe('what a topic should be', () => {
  it('has three copies of which two must agree, or as many as there are brokers', () => {
    const [three] = wanted(5);
    expect(three).toMatchObject({ replicationFactor: 3, settings: { 'min.insync.replicas': '2' } });
    expect(wanted(1)[0]).toMatchObject({ replicationFactor: 1, settings: { 'min.insync.replicas': '1' } });
    expect(wanted(2)[0]).toMatchObject({ replicationFactor: 2, settings: { 'min.insync.replicas': '1' } });
    const set = wanted(3, { replicationFactor: 5, minInsyncReplicas: 3 })[0];
    expect(set).toMatchObject({ replicationFactor: 5, settings: { 'min.insync.replicas': '3' } });
  });

  it('never loses acknowledged events to a stale leader, and takes the largest record in its batch', () => {
    for (const topic of wanted()) {
      expect(topic.settings['unclean.leader.election.enable']).toBe('false');
      expect(Number(topic.settings['max.message.bytes'])).toBeGreaterThan(settings.maxRecordBytes);
    }
  });

  it('keeps events for their time and size, and tables for ever', () => {
    const [events, , atRisk] = wanted() as [WantedTopic, WantedTopic, WantedTopic];
    expect(events.settings).toMatchObject({
      'cleanup.policy': 'delete',
      'retention.ms': '604800000',
      'retention.bytes': '1073741824',
      'segment.bytes': '134217728',
    });
    expect(atRisk.settings).toMatchObject({
      'cleanup.policy': 'compact',
      'retention.ms': '-1',
      'retention.bytes': '-1',
    });
    const unlimited = wantedTopic({ ...topics.shareEvents, retentionMs: 0, retentionBytes: 0 }, settings, 3);
    expect(unlimited.settings).toMatchObject({ 'retention.ms': '-1', 'retention.bytes': '-1' });
  });
});

describe('a plan', () => {
  it('leaves alone what is as it should be, whatever else is set', () => {
    expect(planTopics(wanted(), clusterWith()).map(({ kind }) => kind)).toEqual(wanted().map(() => 'keep'));
  });

  it('creates what is missing', () => {
    const steps = planTopics(wanted(), clusterWith({ 'test.at-risk': null }));
    expect(steps.filter(isChange)).toEqual([{ kind: 'create', topic: wanted()[2] }]);
    expect(describePlan(steps)).toContain('create     test.at-risk: 8 partitions, 3 copies of each');
  });

  it('changes the settings that differ, and no others', () => {
    const steps = planTopics(wanted(), clusterWith({ 'test.share-events': { settings: { 'retention.ms': '1000' } } }));
    expect(steps.filter(isChange)).toEqual([
      {
        kind: 'configure',
        name: 'test.share-events',
        changes: [{ setting: 'retention.ms', from: '1000', to: '604800000' }],
        advice: '',
      },
    ]);
  });

  it('refuses other counts of partitions, more or fewer, and says what to set', () => {
    for (const partitions of [4, 16]) {
      const step = planTopics(wanted(), clusterWith({ 'test.share-events': { partitions } }))[0];
      expect(step).toMatchObject({ kind: 'refuse', name: 'test.share-events' });
      expect(JSON.stringify(step)).toContain(`to ${partitions}`);
    }
  });

  it('refuses to ask for more copies in sync than there are, and advises where there are fewer than wanted', () => {
    const few = (replicationFactor: number) =>
      planTopics(wanted(), clusterWith({ 'test.enrolments': { replicationFactor } }))[3];
    expect(few(1)).toMatchObject({ kind: 'refuse' });
    expect(few(2)).toMatchObject({
      kind: 'keep',
      advice: expect.stringContaining('kafka-reassign-partitions') as string,
    });
    expect(few(5)).toMatchObject({ kind: 'keep', advice: '' });
  });
});

describe('a service before its start', () => {
  const problem = (found: ReadonlyMap<string, FoundTopic>): MeshwardError | null => {
    try {
      checkTopicsForUse(allTopics(topics), found);
      return null;
    } catch (error) {
      return error instanceof MeshwardError ? error : null;
    }
  };

  it('is content with settings that differ, but for those that its data needs', () => {
    expect(problem(clusterWith({ 'test.share-events': { settings: { 'retention.ms': '1' } } }))).toBeNull();
  });

  it('names every topic that is missing, has other partitions or another cleanup policy', () => {
    const error = problem(
      clusterWith({
        'test.share-events': { partitions: 4 },
        'test.enrolments': null,
        'test.at-risk': { settings: { 'cleanup.policy': 'delete' } },
      }),
    );
    expect(error?.code).toBe('log-topics');
    expect(error?.message).toContain('test.share-events has 4 partitions, and 8 are configured');
    expect(error?.message).toContain('test.enrolments is missing');
    expect(error?.message).toContain('test.at-risk has cleanup.policy delete, and compact is needed');
    expect(error?.next).toContain('meshward topics apply');
  });
});
