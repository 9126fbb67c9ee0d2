/** Which letters a command means, and the log that they are in. */
import type { Command } from 'commander';
import type { LetterFilter } from '#collector/dead-letters/letters.ts';
import type { EventLog } from '#log/port.ts';
import type { Clock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { silentLogger } from '#mesh/logger.ts';
import { isPeerId, type PeerId, peerIdFromBytes } from '#mesh/peer-id.ts';
import type { Topics } from '#mesh/topics.ts';
import { openLog } from './connections.ts';
import { type Context, foldersOf } from './context.ts';
import { resolvePeer } from './peer-reference.ts';
import { parseDuration } from './quantities.ts';

export interface FilterFlags {
  readonly since?: string;
  readonly code?: string;
  readonly peer?: string;
  readonly limit: string;
}

export function addFilterOptions(command: Command, limit: string): Command {
  return command
    .option('--since <duration>', 'only letters of the last so long, such as 24h')
    .option('--code <code>', 'only letters with this reason, such as batch-malformed')
    .option('--peer <peer>', 'only what this peer sent: its name or id')
    .option('--limit <count>', 'most letters, the newest', limit);
}

/** @throws MeshwardError `bad-input`. */
export async function filterOf(
  flags: Omit<FilterFlags, 'limit'>,
  log: EventLog,
  topics: Topics,
  clock: Clock,
): Promise<LetterFilter> {
  return {
    sinceMs: flags.since === undefined ? undefined : clock.nowMs() - parseDuration(flags.since, '--since'),
    code: flags.code,
    peerId: flags.peer === undefined ? undefined : await peerOf(flags.peer, log, topics),
  };
}

/** One that is enrolled no more may have sent letters all the same. */
async function peerOf(reference: string, log: EventLog, topics: Topics): Promise<PeerId> {
  if (isPeerId(reference)) return reference;
  const { readEnrolments } = await import('#collector/dead-letters/replay.ts');
  const enrolled = await readEnrolments(log, topics);
  const named = [...enrolled.peers()].map(({ peerId, name }) => ({ peerId: peerIdFromBytes(peerId), name }));
  return resolvePeer(reference, named).peerId;
}

/** A letter is named by its number in the topic. @throws MeshwardError `bad-input`. */
export function parseLetterNumber(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new MeshwardError('bad-input', `"${text.slice(0, 30)}" is no number of a dead letter`, {
    next: 'Give the number that `meshward dead-letters list` shows.',
  });
}

/** @throws MeshwardError `service-unavailable` where nothing has run: a look makes no log. */
export async function withLetters<T>(context: Context, run: (log: EventLog, topics: Topics) => Promise<T>): Promise<T> {
  const { access } = await import('node:fs/promises');
  const folder = foldersOf(context.dataDir, context.config).log;
  if (context.config.log.adapter === 'embedded') {
    await access(folder).catch(() => {
      throw new MeshwardError('service-unavailable', `there is no log in ${folder}: nothing has run here`, {
        next: 'Name the data directory of the mesh with --data-dir, or start it with `meshward up`.',
      });
    });
  }
  const { log, topics } = await openLog(context, { role: 'operator', logger: silentLogger });
  try {
    return await run(log, topics);
  } finally {
    await log.close();
  }
}
