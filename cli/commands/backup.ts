/** `meshward backup create | restore`: what only the log knows. */
import { open, readFile, stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { systemClock } from '#mesh/clock.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import { silentLogger } from '#mesh/logger.ts';
import { describeUse } from '../command-help.ts';
import { type Context, contextOf, runningContextOf } from '../context.ts';

export function addBackupCommands(program: Command): void {
  const backup = program.command('backup').description('what only the log knows: enrolments, silences, campaigns');
  describeUse(
    backup
      .command('create')
      .argument('<file>', 'file to write; it must not be there yet')
      .description('write enrolments, what was said of alerts, and campaigns into a file (mode 0600)'),
    {
      examples: [
        'meshward backup create /var/backups/meshward-2026-11-28.jsonl',
        'meshward --kafka kafka-1:9092 backup create mesh.jsonl',
      ],
      exits: { 4: 'the log is away', 6: 'Kafka does not let this user in' },
      notes: [
        'Services may run meanwhile. The file is a secret: it says where and under which words shares are served. Keys are not in it:',
        'copy those of the collector, the operators and the repairers too (docs/disaster.md).',
      ],
    },
  ).action((file: string, _flags: object, command: Command) => create(runningContextOf(command), file));

  describeUse(
    backup
      .command('restore')
      .argument('<file>', 'file that `backup create` wrote')
      .option('--over', 'also into topics that hold records: what is restored counts over what stands there', false)
      .description('put what a file holds into a new log, before collectors run on it'),
    {
      examples: [
        'meshward backup restore /var/backups/meshward-2026-11-28.jsonl',
        'meshward --kafka kafka-1:9092 backup restore mesh.jsonl',
      ],
      exits: { 4: 'the log is away', 6: 'Kafka does not let this user in' },
      notes: [
        'The file is checked as a whole before anything is written. On Kafka, `meshward topics apply` comes first.',
      ],
    },
  ).action((file: string, flags: { over: boolean }, command: Command) => restore(contextOf(command), file, flags.over));
}

async function create(context: Context, path: string): Promise<void> {
  const { withLetters } = await import('../dead-letter-selection.ts');
  const { backupLines } = await import('#collector/backup/backup.ts');
  const file = await open(path, 'wx', 0o600).catch((error: unknown) => {
    throw new MeshwardError('bad-input', `the backup cannot be written: ${describeError(error)}`, {
      next: 'Give a file that is not there yet, in a folder that you may write to.',
      cause: error,
    });
  });
  let records = -2;
  try {
    await withLetters(context, async (log, topics) => {
      for await (const line of backupLines(log, topics, systemClock.nowMs())) {
        await file.write(line);
        records += 1;
      }
    });
    await file.sync();
  } finally {
    await file.close();
  }
  context.output.result({ file: path, records }, () => `${records} records are in ${path}. Keep it as a secret.`);
}

async function restore(context: Context, path: string, isOver: boolean): Promise<void> {
  const { maxBackupBytes, parseBackup, restoreBackup } = await import('#collector/backup/backup.ts');
  const { openLog } = await import('../connections.ts');
  const text = await readWhole(path, maxBackupBytes);
  const backup = parseBackup(text);
  const { log, topics } = await openLog(context, { role: 'operator', logger: silentLogger });
  try {
    const restored = await restoreBackup(log, topics, backup, isOver);
    const made = new Date(backup.createdAtMs).toISOString();
    context.output.result({ createdAtMs: backup.createdAtMs, restored }, () =>
      [
        `As of ${made}: ${restored.enrolments} records of enrolments, ${restored.alerts} of alerts, ${restored.campaigns} of campaigns.`,
        'Start the collectors with the keys that they had: agents then go on by themselves.',
      ].join('\n'),
    );
  } finally {
    await log.close();
  }
}

async function readWhole(path: string, maxBytes: number): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size <= maxBytes) return await readFile(path, 'utf8');
  } catch (error) {
    throw new MeshwardError('bad-input', `the backup cannot be read: ${describeError(error)}`, {
      next: 'Check the path and who may read it.',
      cause: error,
    });
  }
  throw new MeshwardError('bad-input', `${path} is larger than any backup of a mesh`, {
    next: 'Check that it is what `meshward backup create` wrote.',
  });
}
