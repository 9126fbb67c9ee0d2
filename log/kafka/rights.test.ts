import kafkajs, { type AclEntry } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import { allTopics, consumerGroups, type Topics, topicsOf } from '#mesh/topics.ts';
import { type KafkaCluster, startKafka } from '#test/kafka/cluster.ts';
import { createKafkaLog } from '../kafka-log.ts';
import type { AssignedPartition, EventLog, GroupConsumer, LogRecord } from '../port.ts';
import { type KafkaOperation, type KafkaRole, kafkaRoles, rightsOf, type TopicWord, topicsUsedBy } from './acl.ts';
import { type KafkaConnection, openKafka, openKafkaAdmin } from './admin.ts';
import { applyPlan, planOnCluster, verifyPlan } from './apply-topics.ts';

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;

const topicPrefix = 'meshward.';
const topics: Topics = topicsOf({
  prefix: topicPrefix,
  shareEventsPartitions: 2,
  peerEventsPartitions: 1,
  retentionMs: 3_600_000,
  retentionBytes: 0,
});
const groups = consumerGroups(topicPrefix);
const settings = { replicationFactor: 0, minInsyncReplicas: 0, maxRecordBytes: 4 * 1024 ** 2 };
const passwordOf = (user: string): string => `word-of-${user}-that-nobody-may-see`;
const users = ['root', ...kafkaRoles.map((role) => `meshward-${role}`)];

let cluster: KafkaCluster;
const opened: EventLog[] = [];

beforeAll(async () => {
  cluster = await startKafka({
    nodes: 1,
    sasl: { mechanism: 'scram-sha-512', users: Object.fromEntries(users.map((user) => [user, passwordOf(user)])) },
    tls: { clients: false },
    acls: { superUsers: ['root'] },
  });
  const root = openKafka(connectionOf('root')).admin();
  await root.createAcls({ acl: kafkaRoles.flatMap(aclEntriesOf) });
  await root.disconnect();
  const admin = await openKafkaAdmin(connectionOf('meshward-admin'));
  await applyPlan(admin, (await planOnCluster(admin, allTopics(topics), settings)).steps);
  await verifyPlan(admin, allTopics(topics), settings);
  await admin.configureTopic(topics.shareEvents.name, [{ setting: 'flush.messages', from: '', to: '100000' }]);
  await admin.close();
});
afterAll(async () => {
  await Promise.all(opened.map((log) => log.close()));
  await cluster?.stop();
});

function connectionOf(user: string, password = passwordOf(user)): KafkaConnection {
  return {
    brokers: cluster.brokers,
    tls: { ca: cluster.authority?.ca },
    sasl: { mechanism: 'scram-sha-512', username: user, password },
  };
}

/** Exactly the rights of the list, as a broker takes them. */
function aclEntriesOf(role: KafkaRole): AclEntry[] {
  const operations: Record<KafkaOperation, number> = {
    Read: AclOperationTypes.READ,
    Write: AclOperationTypes.WRITE,
    Create: AclOperationTypes.CREATE,
    Delete: AclOperationTypes.DELETE,
    Describe: AclOperationTypes.DESCRIBE,
    DescribeConfigs: AclOperationTypes.DESCRIBE_CONFIGS,
    AlterConfigs: AclOperationTypes.ALTER_CONFIGS,
  };
  return rightsOf(role, { topics, topicPrefix }).flatMap((right) =>
    right.operations.map((operation) => ({
      resourceType: right.resource === 'topic' ? AclResourceTypes.TOPIC : AclResourceTypes.GROUP,
      resourceName: right.name,
      resourcePatternType: right.pattern === 'prefixed' ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
      principal: `User:meshward-${role}`,
      host: '*',
      operation: operations[operation],
      permissionType: AclPermissionTypes.ALLOW,
    })),
  );
}

async function openAs(role: KafkaRole, more: readonly TopicWord[] = []): Promise<EventLog> {
  const log = await createKafkaLog({
    ...connectionOf(`meshward-${role}`),
    topics: [...topicsUsedBy(role), ...more].map((word) => topics[word]),
    createTopics: false,
    clock: systemClock,
    callTimeoutMs: 5000,
  });
  opened.push(log);
  return log;
}

const record = (text: string, partition = 0) => ({ partition, key: Buffer.from(text), value: Buffer.from(text) });
const texts = (records: readonly LogRecord[]): string[] =>
  records.map(({ value }) => Buffer.from(value ?? []).toString());

/** What a followed topic holds. */
async function contentOf(log: EventLog, topic: string): Promise<string[]> {
  const seen: string[] = [];
  const following = await log.follow([topic], 'first', (_topic, _partition, records) => {
    seen.push(...texts(records));
    return Promise.resolve();
  });
  await following.caughtUp;
  await following.close();
  return seen;
}

/** Joins, commits the first record that comes, and leaves. */
async function consume(log: EventLog, group: string, topic: string): Promise<string> {
  const first = Promise.withResolvers<{ partition: AssignedPartition; text: string; nextOffset: number }>();
  const consumer: GroupConsumer = {
    assigned: () => Promise.resolve(undefined),
    revoked: () => Promise.resolve(),
    records: (partition, records) => {
      const nextOffset = (records.at(-1)?.offset ?? 0) + 1;
      first.resolve({ partition, text: texts(records)[0] ?? '', nextOffset });
      return Promise.resolve();
    },
  };
  const membership = await log.join(group, [topic], consumer);
  membership.ended.catch(first.reject);
  const { partition, text, nextOffset } = await first.promise;
  await membership.commit(partition, nextOffset);
  await membership.leave();
  return text;
}

describe('with the rights of the list and no others', () => {
  it('the collector writes events and enrolments, and reads enrolments', async () => {
    const log = await openAs('collector');
    await log.append(topics.shareEvents.name, [record('share', 0), record('share', 1)]);
    await log.append(topics.peerEvents.name, [record('peer')]);
    await log.append(topics.deadLetters.name, [record('letter')]);
    await log.append(topics.enrolments.name, [record('enrolment')]);
    expect(await contentOf(log, topics.enrolments.name)).toEqual(['enrolment']);
    expect((await log.bounds(topics.enrolments.name))[0]?.nextOffset).toBe(1);
  });

  it('the analyzer reads events as a member of its group, and keeps the at-risk list', async () => {
    const log = await openAs('analyzer');
    expect(await consume(log, groups.analyzers, topics.shareEvents.name)).toBe('share');
    expect(await contentOf(log, topics.peerEvents.name)).toEqual(['peer']);
    expect(await contentOf(log, topics.enrolments.name)).toEqual(['enrolment']);
    await log.append(topics.peerEvents.name, [record('report')]);
    await log.append(topics.atRisk.name, [record('file', 0), record('file', 1)]);
    await log.append(topics.deadLetters.name, [record('unreadable')]);
    expect(texts(await log.read(topics.atRisk.name, 0, 0, 1000))).toEqual(['file']);
  });

  it('the repairer reads the at-risk list as a member of its group, and enrolments', async () => {
    const log = await openAs('repairer');
    expect(await consume(log, groups.repairers, topics.atRisk.name)).toBe('file');
    expect(await contentOf(log, topics.enrolments.name)).toEqual(['enrolment']);
  });

  it('commands see topics, how far the groups are, and the newest ticks', async () => {
    const log = await openAs('cli');
    for (const word of topicsUsedBy('cli')) expect(await log.bounds(topics[word].name)).not.toEqual([]);
    const reached = await log.committed(groups.analyzers, topics.shareEvents.name);
    expect(Math.max(...reached.map((offset) => offset ?? 0))).toBe(1);
    expect((await log.committed(groups.repairers, topics.atRisk.name)).some((offset) => offset === 1)).toBe(true);
    expect(await contentOf(log, topics.peerEvents.name)).toEqual(['peer', 'report']);
    const admin = await openKafkaAdmin(connectionOf('meshward-cli'));
    const { steps } = await planOnCluster(admin, allTopics(topics), settings);
    expect(steps.map(({ kind }) => kind)).toEqual(steps.map(() => 'keep'));
    await admin.close();
  });

  it('an operator reads dead letters, and appends again what they hold', async () => {
    const log = await openAs('operator');
    expect(await contentOf(log, topics.deadLetters.name)).toEqual(['letter', 'unreadable']);
    expect(texts(await log.read(topics.shareEvents.name, 0, 0, 1000))).toEqual(['share']);
    await log.append(topics.shareEvents.name, [record('again')]);
    await log.append(topics.deadLetters.name, [record('mark')]);
    expect(await contentOf(log, topics.enrolments.name)).toEqual(['enrolment']);
  });
});

describe('what is not in the list', () => {
  /** The refusal names what it is about and a right to give, and no password of anybody. */
  async function refusal(run: () => Promise<unknown>, about: string, right: string): Promise<void> {
    const error: unknown = await run().then(
      () => 'it was allowed',
      (failure: unknown) => failure,
    );
    if (!(error instanceof MeshwardError)) throw new Error(`no refusal: ${describeError(error)}`);
    expect(error.code, describeError(error)).toBe('log-forbidden');
    expect(error.retryable).toBe(false);
    const words = `${describeError(error)} ${error.next} ${JSON.stringify(error.details)} ${error.stack}`;
    expect(words).toContain(about);
    expect(words).toContain(right);
    for (const user of users) expect(words).not.toContain(passwordOf(user));
  }

  it('is refused: a repairer that would write the at-risk list', async () => {
    const log = await openAs('repairer');
    await refusal(() => log.append(topics.atRisk.name, [record('x')]), topics.atRisk.name, 'Write');
  });

  it('is refused: a repairer that would write dead letters, which it does not even see', async () => {
    const { name } = topics.deadLetters;
    const unseen: unknown = await openAs('repairer', ['deadLetters']).catch((error: unknown) => error);
    expect(unseen).toMatchObject({ code: 'log-topics' });
    expect(describeError(unseen)).toContain(`${name} is missing, or this user may not see it`);

    const [base] = aclEntriesOf('repairer') as [AclEntry];
    const root = openKafka(connectionOf('root')).admin();
    await root.createAcls({ acl: [{ ...base, resourceName: name, operation: AclOperationTypes.DESCRIBE }] });
    await root.disconnect();
    const log = await openAs('repairer', ['deadLetters']);
    await refusal(() => log.append(name, [record('x')]), name, 'Write');
  });

  it('is refused: an analyzer that would write events', async () => {
    const log = await openAs('analyzer');
    await refusal(() => log.append(topics.shareEvents.name, [record('x')]), topics.shareEvents.name, 'Write');
  });

  it('is refused: a collector that would read events, or take part in the work of analyzers', async () => {
    const log = await openAs('collector');
    const { name } = topics.shareEvents;
    await refusal(() => log.read(name, 0, 0, 1000), name, 'Read');
    await refusal(() => consume(log, groups.analyzers, name), groups.analyzers, 'Read');
  });

  it('is refused: a command that would write, and a service that would make or set topics', async () => {
    const log = await openAs('cli');
    await refusal(() => log.append(topics.peerEvents.name, [record('x')]), topics.peerEvents.name, 'Write');
    const admin = await openKafkaAdmin(connectionOf('meshward-collector'));
    const more = { name: `${topicPrefix}more`, partitions: 1, replicationFactor: 1, settings: {} };
    await refusal(() => admin.createTopics([more]), more.name, 'right');
    const { name } = topics.shareEvents;
    const change = { setting: 'retention.ms', from: '', to: '1' };
    await refusal(() => admin.configureTopic(name, [change]), name, 'Grant');
    await admin.close();
  });

  it('is refused: whoever has the wrong password', async () => {
    const wrong = connectionOf('meshward-collector', 'wrong-word');
    await refusal(() => openKafkaAdmin(wrong), '127.0.0.1', 'kafka.sasl.passwordFile');
    const specs = { topics: [topics.shareEvents], createTopics: false, clock: systemClock, callTimeoutMs: 3000 };
    await refusal(() => createKafkaLog({ ...wrong, ...specs }), '127.0.0.1', 'password');
  });
});
