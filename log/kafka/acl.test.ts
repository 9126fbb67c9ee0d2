import { describe, expect, it } from 'vitest';
import { allTopics, topicsOf } from '#mesh/topics.ts';
import { aclCommands, type KafkaRole, kafkaRoles, rightsOf } from './acl.ts';

const topics = topicsOf({
  prefix: 'm.',
  shareEventsPartitions: 8,
  peerEventsPartitions: 1,
  retentionMs: 1,
  retentionBytes: 1,
});
const options = { topics, topicPrefix: 'm.' };
const services: readonly KafkaRole[] = ['collector', 'analyzer', 'repairer'];

function rolesThat(operation: 'Read' | 'Write', topic: string): readonly KafkaRole[] {
  return kafkaRoles.filter((role) =>
    rightsOf(role, options).some((right) => right.name === topic && right.operations.includes(operation)),
  );
}

describe('rights on Kafka', () => {
  it('let somebody write and somebody read each topic', () => {
    for (const topic of allTopics(topics)) {
      expect(rolesThat('Write', topic.name), topic.name).not.toEqual([]);
      expect(rolesThat('Read', topic.name), topic.name).not.toEqual([]);
    }
  });

  it('let few write: the word of peers and who may speak comes through the collector, and repairers say what they read and how campaigns go', () => {
    expect(rolesThat('Write', topics.shareEvents.name)).toEqual(['collector', 'repairer', 'operator']);
    expect(rolesThat('Write', topics.enrolments.name)).toEqual(['collector', 'operator']);
    expect(rolesThat('Write', topics.atRisk.name)).toEqual(['analyzer']);
    expect(rolesThat('Write', topics.campaigns.name)).toEqual(['collector', 'repairer', 'operator']);
    const written = rightsOf('repairer', options).flatMap(({ name, operations }) =>
      operations.includes('Write') ? [name] : [],
    );
    expect(written).toEqual([topics.shareEvents.name, topics.peerEvents.name, topics.campaigns.name]);
  });

  it('name topics and groups in full for services, none of which may create or alter anything', () => {
    for (const role of services) {
      for (const right of rightsOf(role, options)) {
        expect(right.pattern).toBe('literal');
        expect(right.operations).not.toContain('Create');
        expect(right.operations).not.toContain('AlterConfigs');
      }
    }
  });

  it('are commands to paste, one for each', () => {
    const commands = aclCommands({ ...options, principalPrefix: 'meshward-', bootstrap: 'k:9092' });
    expect(commands).toHaveLength(kafkaRoles.flatMap((role) => rightsOf(role, options)).length);
    expect(commands).toContain(
      'kafka-acls.sh --bootstrap-server k:9092 --command-config admin.properties --add --allow-principal User:meshward-admin ' +
        '--operation Create --operation Describe --operation DescribeConfigs --operation AlterConfigs --topic m. --resource-pattern-type prefixed',
    );
  });
});
