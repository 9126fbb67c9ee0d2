/** `meshward topics show | apply | acls`: the log's topics on a Kafka cluster, and the rights that services need there. */
import type { Command } from 'commander';
import { aclCommands, type KafkaRole, kafkaRoles, rightsOf } from '#log/kafka/acl.ts';
import { allTopics } from '#mesh/topics.ts';
import { choiceOption } from '../choices.ts';
import { describeUse } from '../command-help.ts';
import { type Context, contextOf } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { topicsOfConfig } from '../kafka-connection.ts';

interface ApplyFlags {
  readonly yes: boolean;
}

interface AclFlags {
  readonly principalPrefix: string;
  readonly role?: KafkaRole;
}

const exits = {
  4: 'the brokers cannot be reached',
  6: 'this user may not do it; the message names the right',
} as const;

export function addTopicsCommands(program: Command): void {
  const topics = program.command('topics').description('the topics of the log on Kafka (log.adapter kafka)');
  describeUse(topics.command('show').description('compare the topics with the configuration; changes nothing'), {
    examples: ['meshward topics show', 'meshward --kafka kafka-1:9092,kafka-2:9092 topics show'],
    exits: { ...exits, 5: 'something differs: `meshward topics apply` mends it' },
  }).action(async (_flags: object, command: Command) => {
    await onKafka(contextOf(command), async (context) => {
      const { showTopics } = await import('../topics-on-kafka.ts');
      if (!(await showTopics(context))) process.exitCode = exitCodes.negative;
    });
  });
  describeUse(
    topics
      .command('apply')
      .description('make the topics, and bring their settings to the configuration; prints a plan first')
      .option('--yes', 'do not ask', false),
    {
      examples: ['meshward topics apply', 'meshward --config meshward.yaml topics apply --yes'],
      exits: { ...exits, 2: 'the configuration is wrong, a topic cannot be brought to it, or --yes is missing' },
      notes: [
        'A topic with another count of partitions is refused, and then nothing is changed: files are mapped to partitions by their count.',
        'Settings of a topic that the plan does not name stay as they are. Nothing is ever deleted.',
      ],
    },
  ).action(async (flags: ApplyFlags, command: Command) => {
    await onKafka(contextOf(command), async (context) => {
      const { applyTopics } = await import('../topics-on-kafka.ts');
      await applyTopics(context, flags.yes);
    });
  });
  describeUse(
    topics
      .command('acls')
      .description('print the least rights that each service needs, as kafka-acls commands; connects to nothing')
      .option('--principal-prefix <text>', 'the user of a service is this and its name', 'meshward-')
      .addOption(choiceOption('--role <name>', 'for one of them only', kafkaRoles)),
    {
      examples: ['meshward topics acls', 'meshward topics acls --role repairer --principal-prefix mesh-prod-'],
      notes: [
        'cli is for `meshward doctor` and `topics show`, operator for `meshward dead-letters`, admin for `topics apply` and `up`.',
      ],
    },
  ).action((flags: AclFlags, command: Command) => printAcls(contextOf(command), flags));
}

async function onKafka(context: Context, run: (context: Context) => Promise<void>): Promise<void> {
  if (context.config.log.adapter === 'kafka') return run(context);
  context.output.result(
    { adapter: 'embedded', topics: [] },
    () => 'The embedded log makes its topics by itself: nothing to do.',
  );
}

function printAcls({ config, output }: Context, { principalPrefix, role }: AclFlags): void {
  const topics = topicsOfConfig(config);
  const options = { topics, topicPrefix: config.log.topicPrefix };
  const roles = role === undefined ? kafkaRoles : [role];
  const bootstrap = config.kafka.brokers.join(',') || 'HOST:PORT';
  const rights = Object.fromEntries(roles.map((each) => [`${principalPrefix}${each}`, rightsOf(each, options)]));
  output.result({ topics: allTopics(topics).map(({ name }) => name), rights }, () =>
    aclCommands({ ...options, principalPrefix, bootstrap, roles }).join('\n'),
  );
}
