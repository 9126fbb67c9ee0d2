/** What lies on the disk: the data directory and the log. */
import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import type { EventLog } from '#log/port.ts';
import { silentLogger } from '#mesh/logger.ts';
import { consumerGroups } from '#mesh/topics.ts';
import { openLog } from '../connections.ts';
import { type Context, foldersOf } from '../context.ts';
import { formatBytes } from '../output.ts';
import { type Check, type Finding, failed, passed, skipped } from './check.ts';

/** Less than this is too little to run with: ClickHouse and the log stop when a disk is full. */
const leastFreeBytes = 512 * 1024 * 1024;

export function storageChecks(context: Context): readonly Check[] {
  const { config, dataDir } = context;
  return [
    { name: 'data directory', kind: 'machine', run: () => lookAtDataDirectory(dataDir) },
    {
      name: 'log',
      kind: 'service',
      async run() {
        const folder = foldersOf(dataDir, config).log;
        // Opening would make it: a look must leave nothing behind.
        if (config.log.adapter === 'embedded' && !(await exists(folder)))
          return skipped(`there is none in ${folder} yet: nothing has run here`);
        const { log, topics } = await openLog(context, { role: 'cli', logger: silentLogger });
        try {
          const { analyzers, repairers } = consumerGroups(config.log.topicPrefix);
          const groups = [
            { name: 'analyzers', group: analyzers, topic: topics.shareEvents.name },
            { name: 'repairers', group: repairers, topic: topics.atRisk.name },
          ];
          const lags = await Promise.all(
            groups.map(
              async ({ name, group, topic }) => `${name} lag ${await lagOf(log, group, topic)} records of ${topic}`,
            ),
          );
          return passed(`opens; ${lags.join(', ')}`);
        } finally {
          await log.close();
        }
      },
    },
  ];
}

async function lookAtDataDirectory(dataDir: string): Promise<Finding> {
  if (!(await exists(dataDir))) return skipped(`${dataDir} is not there yet; it is made at the first start`);
  if (!(await stat(dataDir)).isDirectory())
    return failed(`${dataDir} is not a folder`, 'Name another one with --data-dir.');
  try {
    await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch {
    return failed(
      `${dataDir} cannot be written by this user`,
      'Run as the user that owns it, or name another one with --data-dir.',
    );
  }
  const { bavail, bsize } = await statfs(dataDir);
  const freeBytes = bavail * bsize;
  if (freeBytes >= leastFreeBytes) return passed(`${dataDir}, ${formatBytes(freeBytes)} free`);
  return failed(
    `${dataDir} has ${formatBytes(freeBytes)} left; ${formatBytes(leastFreeBytes)} are the least`,
    'Free some space on this disk, or lower log.retentionBytes and log.retentionMs.',
  );
}

/** Records that the group has not dealt with yet, over all partitions. */
export async function lagOf(
  log: Pick<EventLog, 'bounds' | 'committed'>,
  group: string,
  topic: string,
): Promise<number> {
  const [bounds, committed] = await Promise.all([log.bounds(topic), log.committed(group, topic)]);
  return bounds.reduce((sum, { partition, firstOffset, nextOffset }) => {
    const reached = Math.max(firstOffset, committed[partition] ?? firstOffset);
    return sum + Math.max(0, nextOffset - reached);
  }, 0);
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
