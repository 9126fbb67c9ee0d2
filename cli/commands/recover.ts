/** `meshward recover database | files`: after ClickHouse or the log was lost. */
import type { Command } from 'commander';
import { formatVerifyCap } from '#mesh/caps.ts';
import { systemClock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { silentLogger } from '#mesh/logger.ts';
import { consumerGroups } from '#mesh/topics.ts';
import { describeUse } from '../command-help.ts';
import { type Context, contextOf, runningContextOf } from '../context.ts';
import { addCollectorOptions, type CollectorFlags, withCollector } from '../mesh-address.ts';

interface FilesFlags extends CollectorFlags {
  readonly database: string;
}

/** Beyond the time in which members of a group that were killed are noticed. */
const patienceFactor = 3;
const filesPerRequest = 1000;

export function addRecoverCommands(program: Command): void {
  const recover = program.command('recover').description('after ClickHouse or the log was lost (docs/disaster.md)');
  describeUse(
    recover
      .command('database')
      .description(
        'have analyzers read the whole log again, into a database that is empty or was put back from a backup',
      ),
    {
      examples: [
        'meshward --data-dir /var/lib/meshward recover database',
        'meshward --config meshward.yaml recover database',
      ],
      exits: { 4: 'an analyzer runs, or the log is away', 6: 'Kafka does not let this user in' },
      notes: [
        'Analyzers are stopped before, and started after it. Nothing is counted twice; what the log holds no more is asked of peers.',
      ],
    },
  ).action((_flags: object, command: Command) => recoverDatabase(contextOf(command)));

  describeUse(
    addCollectorOptions(
      recover
        .command('files')
        .requiredOption('--database <name>', 'the database that was filled from the log that is lost')
        .description('tell a new log of the files that owners had registered or deleted, as the old database has them'),
    ),
    {
      examples: ['meshward --set clickhouse.database=meshward2 recover files --database meshward'],
      exits: {
        3: 'there is no such database',
        4: 'the collector or ClickHouse is away',
        6: 'the key in this data directory is not an operator of the mesh',
      },
      notes: ['The mesh runs meanwhile, on the new log and a new database. Nothing in the old database is changed.'],
    },
  ).action((flags: FilesFlags, command: Command) => recoverFiles(runningContextOf(command), flags));
}

async function recoverDatabase(context: Context): Promise<void> {
  const { openLog } = await import('../connections.ts');
  const { rewindAnalyzers } = await import('#analyzer/rewind.ts');
  const { config, output } = context;
  const { log, topics } = await openLog(context, { role: 'operator', logger: silentLogger });
  try {
    const partitions = await rewindAnalyzers({
      log,
      topic: topics.shareEvents.name,
      group: consumerGroups(config.log.topicPrefix).analyzers,
      clock: systemClock,
      patienceMs: patienceFactor * config.log.sessionTimeoutMs,
    });
    output.result(
      { partitions },
      () =>
        `Analyzers will read ${partitions} partitions from their beginning. Start them; health is stale until they have caught up.`,
    );
  } finally {
    await log.close();
  }
}

async function recoverFiles(context: Context, flags: FilesFlags): Promise<void> {
  const { withClickHouse } = await import('../recorded-proofs.ts');
  const { connectOldDatabase } = await import('../connections.ts');
  const { registeredFiles } = await import('#store/queries/registered-files.ts');
  if (flags.database === context.config.clickhouse.database) {
    throw new MeshwardError('bad-input', `${flags.database} is the database that the mesh runs on`, {
      next: 'Run it on a new one (clickhouse.database), and name the old one here.',
    });
  }
  const known = await withClickHouse(context);
  if (known === null) {
    throw new MeshwardError('service-unavailable', 'no ClickHouse is configured or runs with this data directory', {
      next: 'Start the services with `meshward up`, or name your servers with --clickhouse.',
      retryable: true,
    });
  }
  const store = await connectOldDatabase(known.config, flags.database);
  let registered = 0;
  let deleted = 0;
  try {
    await withCollector(context, flags, async (collector) => {
      let waiting: { cap: string; tag: string }[] = [];
      const send = async (): Promise<void> => {
        if (waiting.length > 0) await collector.registerFiles(waiting);
        registered += waiting.length;
        waiting = [];
      };
      for await (const page of registeredFiles(store)) {
        for (const { tag, deleted: isDeleted, ...manifest } of page) {
          if (isDeleted) {
            await collector.deleteFile(manifest.storageIndex);
            deleted += 1;
          } else if (waiting.push({ cap: formatVerifyCap(manifest), tag }) >= filesPerRequest) await send();
        }
      }
      await send();
    });
  } finally {
    await store.close();
  }
  context.output.result(
    { registered, deleted },
    () =>
      `${registered} files are registered again, ${deleted} stay deleted. \`meshward peer inventory --all\` brings what peers hold.`,
  );
}
