import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MeshwardError } from '#mesh/errors.ts';
import { allTopics, topicsOf } from '#mesh/topics.ts';
import { type KafkaCluster, startKafka } from '#test/kafka/cluster.ts';
import { type KafkaAdmin, openKafkaAdmin } from './admin.ts';
import { applyPlan, planOnCluster, refuseUnfit, verifyPlan } from './apply-topics.ts';
import type { TopicSettings } from './topic-plan.ts';

let cluster: KafkaCluster;
let admin: KafkaAdmin;
beforeAll(async () => {
  cluster = await startKafka({ nodes: 1 });
  admin = await openKafkaAdmin({ brokers: cluster.brokers });
});
afterAll(async () => {
  await admin?.close();
  await cluster?.stop();
});

const settings: TopicSettings = { replicationFactor: 0, minInsyncReplicas: 0, maxRecordBytes: 4 * 1024 ** 2 };
const specs = (prefix: string, partitions = 4, retentionMs = 3_600_000) =>
  allTopics(
    topicsOf({
      prefix,
      shareEventsPartitions: partitions,
      peerEventsPartitions: 1,
      retentionMs,
      retentionBytes: 1024 ** 3,
    }),
  );

describe('topics on a real cluster', () => {
  it('are made as planned, and a second plan leaves them alone', async () => {
    const topics = specs('made.');
    const { steps } = await planOnCluster(admin, topics, settings);
    expect(steps.map(({ kind }) => kind)).toEqual(topics.map(() => 'create'));
    await applyPlan(admin, steps);
    await verifyPlan(admin, topics, settings);
    const again = await planOnCluster(admin, topics, settings);
    expect(again.steps.map(({ kind }) => kind)).toEqual(topics.map(() => 'keep'));
    expect(again.found.get('made.at-risk')).toMatchObject({ partitions: 4, partitionsBelowMinInsync: 0 });
  });

  it('get the settings that differ, and keep those that an operator set besides', async () => {
    const name = 'set.share-events';
    const { steps } = await planOnCluster(admin, specs('set.'), settings);
    const topics = steps.flatMap((step) => (step.kind === 'create' ? [step.topic] : []));
    const byOperator = { 'flush.messages': '12345' };
    await admin.createTopics(topics.map((topic) => ({ ...topic, settings: { ...topic.settings, ...byOperator } })));

    const wanted = specs('set.', 4, 7_200_000);
    await applyPlan(admin, (await planOnCluster(admin, wanted, settings)).steps);
    await verifyPlan(admin, wanted, settings);
    const after = (await admin.findTopics([name])).get(name)?.settings;
    expect(after).toMatchObject({ 'retention.ms': '7200000', 'flush.messages': '12345' });
  });

  it('are refused as a whole where one has another count of partitions', async () => {
    await applyPlan(admin, (await planOnCluster(admin, specs('count.', 2), settings)).steps);
    const { steps } = await planOnCluster(admin, specs('count.', 4), settings);
    expect(() => refuseUnfit(steps)).toThrow(MeshwardError);
    expect(() => refuseUnfit(steps)).toThrow(/count\.share-events.*count\.at-risk/);
  });

  it('can be removed again', async () => {
    const topics = specs('gone.');
    await applyPlan(admin, (await planOnCluster(admin, topics, settings)).steps);
    await admin.deleteTopics(topics.map(({ name }) => name));
    expect((await admin.findTopics(topics.map(({ name }) => name))).size).toBe(0);
  });
});

it('says which brokers do not answer', async () => {
  const error: unknown = await openKafkaAdmin({ brokers: ['127.0.0.1:1'] }).catch((failure: unknown) => failure);
  expect(error).toMatchObject({ code: 'log-unavailable', retryable: true });
  expect(String(error)).toContain('127.0.0.1:1');
});
