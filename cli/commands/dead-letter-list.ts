/** `meshward dead-letters list`: the newest first. */
import type { Command } from 'commander';
import type { LetterSummary } from '#collector/dead-letters/letters.ts';
import { systemClock } from '#mesh/clock.ts';
import { describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import { addFilterOptions, type FilterFlags } from '../dead-letter-selection.ts';
import { formatBytes, table } from '../output.ts';
import { parseCount } from '../quantities.ts';

/** What a terminal and a program can make something of; replays take filters by themselves. */
const mostListed = 10_000;

export function addDeadLetterListCommand(letters: Command): void {
  const command = letters.command('list').description('dead letters with reason, sender and source, the newest first');
  describeUse(addFilterOptions(command, '50'), {
    examples: [
      'meshward dead-letters list',
      'meshward dead-letters list --since 24h --code batch-malformed --peer alder-07',
    ],
    exits: {
      3: 'no peer is called what --peer names',
      4: 'the log cannot be reached',
      6: 'Kafka does not let this user in',
    },
    notes: ['Letters go when the log’s retention takes them (log.retentionMs, log.retentionBytes).'],
  });
  command.action((flags: FilterFlags, command: Command) => list(runningContextOf(command), flags));
}

async function list(context: Context, flags: FilterFlags): Promise<void> {
  const limit = parseCount(flags.limit, '--limit', 1, mostListed);
  const { filterOf, withLetters } = await import('../dead-letter-selection.ts');
  const { listLetters } = await import('#collector/dead-letters/letters.ts');
  await withLetters(context, async (log, topics) => {
    const filter = await filterOf(flags, log, topics, systemClock);
    const letters = await listLetters(log, topics.deadLetters.name, filter, limit);
    context.output.result({ letters }, () => describeLetters(letters));
  });
}

export function describeLetters(letters: readonly LetterSummary[]): string {
  if (letters.length === 0) return 'No dead letters fit.';
  const rows = letters.map((letter) => [
    letter.number,
    new Date(letter.appendedAtMs).toISOString(),
    letter.code,
    letter.peerId?.slice(0, 12) ?? '-',
    letter.source,
    formatBytes(letter.payloadBytes),
    letter.replayed === null ? '' : `replayed ${new Date(letter.replayed.atMs).toISOString()}`,
    letter.reason,
  ]);
  return `${table(['letter', 'taken', 'code', 'peer', 'source', 'size', 'replay', 'reason'], rows)}\n\n${letters.length} letters.`;
}
