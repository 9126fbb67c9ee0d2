/** The least rights that each service needs on a Kafka cluster with an authorizer: one list, for documents, commands and tests. */
import { consumerGroups, type Topics } from '#mesh/topics.ts';

/** Who connects to the brokers. `cli` is `meshward doctor` and `topics show`; `operator` is `meshward dead-letters`, `backup` and `recover`; `admin` is whoever runs `meshward topics apply` or `up`. */
export const kafkaRoles = ['collector', 'analyzer', 'repairer', 'cli', 'operator', 'admin'] as const;
export type KafkaRole = (typeof kafkaRoles)[number];

export type TopicWord = keyof Topics;
export type KafkaOperation = 'Read' | 'Write' | 'Create' | 'Delete' | 'Describe' | 'DescribeConfigs' | 'AlterConfigs';

export interface KafkaRight {
  readonly resource: 'topic' | 'group';
  readonly name: string;
  /** Whether the name is the whole name, or how the names begin. */
  readonly pattern: 'literal' | 'prefixed';
  readonly operations: readonly KafkaOperation[];
}

/** What a service does with a topic. */
type Use = 'append' | 'read' | 'look';

const uses: Readonly<Record<Exclude<KafkaRole, 'admin'>, Partial<Record<TopicWord, readonly Use[]>>>> = {
  collector: {
    shareEvents: ['append'],
    // Analyzers ask there for inventories of peers.
    peerEvents: ['append', 'read'],
    enrolments: ['append', 'read'],
    deadLetters: ['append'],
    alerts: ['append'],
    campaigns: ['append', 'read'],
  },
  analyzer: {
    shareEvents: ['read'],
    // Analyzers tell each other there what they found.
    peerEvents: ['append', 'read'],
    enrolments: ['read'],
    atRisk: ['append', 'read'],
    deadLetters: ['append'],
    alerts: ['append', 'read'],
    campaigns: ['read'],
  },
  repairer: {
    // Readers tell there of shares that are not what their peers say.
    shareEvents: ['append'],
    // Peers' states are judged from what peers, operators and readers say there.
    peerEvents: ['append', 'read'],
    atRisk: ['read'],
    enrolments: ['read'],
    // Repairers say how far campaigns are.
    campaigns: ['append', 'read'],
  },
  cli: {
    shareEvents: ['look'],
    // Its ticks tell how far the brokers' clocks are from ours.
    peerEvents: ['read'],
    atRisk: ['look'],
    enrolments: ['look'],
    deadLetters: ['read'],
    alerts: ['look'],
    campaigns: ['look'],
  },
  operator: {
    shareEvents: ['append', 'read'],
    peerEvents: ['append', 'read'],
    // Backups are read from these, and restored into them.
    enrolments: ['append', 'read'],
    alerts: ['append', 'read'],
    campaigns: ['append', 'read'],
    deadLetters: ['append', 'read'],
  },
};

/** Every service looks at its topics before it starts: Describe and DescribeConfigs go with each use. */
const operationsOf: Readonly<Record<Use, readonly KafkaOperation[]>> = {
  append: ['Write', 'Describe', 'DescribeConfigs'],
  read: ['Read', 'Describe', 'DescribeConfigs'],
  look: ['Describe', 'DescribeConfigs'],
};

/** The topics that a service opens, and no others. */
export function topicsUsedBy(role: KafkaRole): readonly TopicWord[] {
  const every = Object.keys(uses.cli) as TopicWord[];
  return role === 'admin' ? every : (Object.keys(uses[role]) as TopicWord[]);
}

export interface RightsOptions {
  readonly topics: Topics;
  readonly topicPrefix: string;
}

export function rightsOf(role: KafkaRole, { topics, topicPrefix }: RightsOptions): readonly KafkaRight[] {
  if (role === 'admin') {
    const operations = ['Create', 'Describe', 'DescribeConfigs', 'AlterConfigs'] as const;
    return [{ resource: 'topic', name: topicPrefix, pattern: 'prefixed', operations }];
  }
  const onTopics = Object.entries(uses[role]).map(([word, used]): KafkaRight => {
    const operations = [...new Set(used.flatMap((use) => operationsOf[use]))];
    return { resource: 'topic', name: topics[word as TopicWord].name, pattern: 'literal', operations };
  });
  return [...onTopics, ...groupsOf(role, topicPrefix)];
}

function groupsOf(role: KafkaRole, topicPrefix: string): readonly KafkaRight[] {
  const groups = consumerGroups(topicPrefix);
  const right = (name: string, operations: readonly KafkaOperation[]): KafkaRight => {
    return { resource: 'group', name, pattern: 'literal', operations };
  };
  // What they have read is set back after a database was lost.
  if (role === 'operator') return [right(groups.analyzers, ['Read', 'Describe'])];
  if (role === 'analyzer') return [right(groups.analyzers, ['Read', 'Describe'])];
  if (role === 'repairer') return [right(groups.repairers, ['Read', 'Describe'])];
  if (role === 'cli') return [right(groups.analyzers, ['Describe']), right(groups.repairers, ['Describe'])];
  return [];
}

export interface AclCommandOptions extends RightsOptions {
  /** `User:` and this and the role are the principal, such as `User:meshward-collector`. */
  readonly principalPrefix: string;
  readonly bootstrap: string;
  readonly roles?: readonly KafkaRole[];
}

/** `kafka-acls` commands to paste, one for each right. */
export function aclCommands(options: AclCommandOptions): readonly string[] {
  return (options.roles ?? kafkaRoles).flatMap((role) =>
    rightsOf(role, options).map(({ resource, name, pattern, operations }) =>
      [
        `kafka-acls.sh --bootstrap-server ${options.bootstrap} --command-config admin.properties --add`,
        `--allow-principal User:${options.principalPrefix}${role}`,
        ...operations.map((operation) => `--operation ${operation}`),
        `--${resource} ${name}`,
        ...(pattern === 'prefixed' ? ['--resource-pattern-type prefixed'] : []),
      ].join(' '),
    ),
  );
}
