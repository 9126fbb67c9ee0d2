import { describe, expect, test } from 'vitest';
import type { FoundTopic, TopicStep } from '#log/kafka/topic-plan.ts';
import { judgeBrokerClock, judgeTopics } from './kafka-checks.ts';

const topic: FoundTopic = {
  name: 'm.share-events',
  partitions: 8,
  replicationFactor: 3,
  partitionsBelowMinInsync: 0,
  partitionsWithoutLeader: 0,
  settings: {},
};
const keep: TopicStep = { kind: 'keep', name: topic.name, advice: '' };

describe('topics on Kafka', () => {
  test('are in order where the plan keeps them and every partition can be written', () => {
    expect(judgeTopics([keep], [topic]).state).toBe('ok');
    expect(judgeTopics([keep], [{ ...topic, replicationFactor: 1 }]).detail).toContain('a lost broker loses events');
  });

  test('are not where one differs: the setting and the command that mends it are named', () => {
    const change = { setting: 'retention.ms', from: '1', to: '2' };
    const finding = judgeTopics([{ kind: 'configure', name: topic.name, changes: [change], advice: '' }], [topic]);
    expect(finding).toMatchObject({
      state: 'failed',
      detail: expect.stringContaining(`${topic.name} (retention.ms)`) as string,
    });
    expect(finding.next).toContain('meshward topics apply');
  });

  test('are not where a partition has no leader, or too few copies in sync', () => {
    for (const stuck of [{ partitionsWithoutLeader: 1 }, { partitionsBelowMinInsync: 2 }]) {
      const finding = judgeTopics([keep], [{ ...topic, ...stuck }]);
      expect(finding).toMatchObject({ state: 'failed', next: expect.stringContaining('brokers') as string });
    }
  });
});

test('the brokers’ clock is judged by the newest event, and not at all without one', () => {
  expect(judgeBrokerClock(400).state).toBe('ok');
  expect(judgeBrokerClock(-400).state).toBe('ok');
  expect(judgeBrokerClock(60_000)).toMatchObject({
    state: 'failed',
    detail: expect.stringContaining('behind') as string,
  });
  expect(judgeBrokerClock(-60_000).detail).toContain('ahead of');
  expect(judgeBrokerClock(null).state).toBe('skipped');
});
