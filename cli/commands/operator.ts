/** `meshward operator list | key | add | revoke`: who may command. */
import type { Command } from 'commander';
import { parsePeerId } from '#mesh/peer-id.ts';
import { type CommandHelp, describeUse } from '../command-help.ts';
import { type Context, contextOf, foldersOf, runningContextOf } from '../context.ts';
import { addCollectorOptions, type CollectorFlags, withCollector } from '../mesh-address.ts';
import { addNoun } from '../nouns.ts';
import { listingView } from '../terminal/view.ts';
import { showsView } from '../view-command.ts';

interface AddFlags extends CollectorFlags {
  readonly name: string;
}

const exits: NonNullable<CommandHelp['exits']> = {
  4: 'the collector is away',
  6: 'the key is not an operator of the mesh',
};

export function addOperatorCommands(program: Command): void {
  const operator = addNoun(program, {
    name: 'operator',
    alias: 'operators',
    description: 'who may command: large campaigns need two of them',
  });
  const list = operator.command('list').description('operators, with those that were taken out');
  showsView(addCollectorOptions(list), { list: true }, async (context: Context, flags: CollectorFlags) => {
    const operators = await withCollector(context, flags, (collector) => collector.operators());
    return listingView<(typeof operators)[number]>({
      rows: operators,
      value: { operators },
      none: 'There are no operators.',
      columns: [
        { title: 'operator', value: ({ name }) => name, fit: 'text' },
        {
          title: 'state',
          value: ({ revoked }) => (revoked ? 'taken out' : 'may command'),
          mood: ({ revoked }) => (revoked ? 'faint' : undefined),
        },
        { title: 'id', name: 'operator_id', value: ({ operatorId }) => operatorId },
      ],
    });
  });
  describeUse(list, { examples: ['meshward operator list'], exits });

  describeUse(
    operator
      .command('key')
      .description('make an operator key in this data directory, where there is none, and print its id'),
    {
      examples: ['meshward --data-dir ~/.meshward-operator operator key'],
      notes: ['The id is no secret: give it to an operator, who adds it. The key stays where it is made.'],
    },
  ).action(async (_flags: object, command: Command) => {
    const context = contextOf(command);
    const { openKeyFolder } = await import('#tahoe/identity/key-folder.ts');
    const folder = foldersOf(context.dataDir, context.config).operatorKey;
    const { peerId } = await openKeyFolder(folder, { commonName: 'meshward-operator' });
    context.output.result({ operatorId: peerId, folder }, () => peerId);
  });

  const set = (name: 'add' | 'revoke', description: string, example: string): Command =>
    describeUse(
      addCollectorOptions(operator.command(name).argument('<id>', 'id of the key').description(description)),
      {
        examples: [example],
        notes: ['An id that begins with - stands after --.'],
        exits,
      },
    );
  set('add', 'let the owner of a key command', 'meshward operator add Zk3…Q --name "ada"')
    .requiredOption('--name <name>', 'who it is, for audits')
    .action(async (id: string, flags: AddFlags, command: Command) => {
      const context = runningContextOf(command);
      const added = await withCollector(context, flags, (collector) =>
        collector.setOperator(parsePeerId(id), { name: flags.name, revoked: false }),
      );
      context.output.result(added, () => `${added.name} may command.`);
    });
  set('revoke', 'let the owner of a key command no more', 'meshward operator revoke Zk3…Q').action(
    async (id: string, flags: CollectorFlags, command: Command) => {
      const context = runningContextOf(command);
      const revoked = await withCollector(context, flags, async (collector) => {
        const known = (await collector.operators()).find(({ operatorId }) => operatorId === id);
        return collector.setOperator(parsePeerId(id), { name: known?.name ?? 'unknown', revoked: true });
      });
      context.output.result(revoked, () => `${revoked.name} may command no more.`);
    },
  );
}
