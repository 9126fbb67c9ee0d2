/** `meshward database migrate`: the tables of ClickHouse before services start on them. */
import type { Command } from 'commander';
import { silentLogger } from '#mesh/logger.ts';
import { describeUse } from '../command-help.ts';
import { contextOf } from '../context.ts';
import { interruptible } from '../interrupt.ts';

export function addDatabaseCommands(program: Command): void {
  const database = program.command('database').description('the tables in your ClickHouse (clickhouse.mode external)');
  describeUse(
    database
      .command('migrate')
      .description('make the database and its tables, and bring them up to date; waits while the server is away'),
    {
      examples: [
        'meshward --config meshward.yaml database migrate',
        'meshward --clickhouse http://clickhouse-1:8123 database migrate',
      ],
      exits: { 6: 'ClickHouse does not let this user do it' },
      notes: [
        'Services do the same when they start. Done before them, it is done once, and its user alone needs the right to change tables.',
        'It may be run at any time, and by several at once.',
      ],
    },
  ).action(async (_flags: object, command: Command) => {
    const context = contextOf(command);
    const { mode, database: name } = context.config.clickhouse;
    if (mode === 'embedded') {
      context.output.result(
        { mode },
        () => 'The embedded server is brought up to date when services start: nothing to do.',
      );
      return;
    }
    const { openStore } = await import('../connections.ts');
    await interruptible(async (signal) => {
      const store = await openStore(
        context,
        { ...silentLogger, warn: (_facts, said) => context.output.note(said) },
        signal,
      );
      await store.close();
    });
    context.output.result({ mode, database: name }, () => `The tables of ${name} are up to date.`);
  });
}
