/** `meshward dead-letters list`: the newest first. */
import type { Command } from 'commander';
import type { LetterSummary } from '#collector/dead-letters/letters.ts';
import { systemClock } from '#mesh/clock.ts';
import { describeUse } from '../command-help.ts';
import type { Context } from '../context.ts';
import { addFilterOptions, type FilterFlags } from '../dead-letter-selection.ts';
import { parseCount } from '../quantities.ts';
import { bytesColumn, listingView, timeColumn, type View } from '../terminal/view.ts';
import { showsView } from '../view-command.ts';

/** What a terminal and a program can make something of; replays take filters by themselves. */
const mostListed = 10_000;

export function addDeadLetterListCommand(letters: Command): void {
  const command = letters.command('list').description('dead letters with reason, sender and source, the newest first');
  showsView(addFilterOptions(command, '50'), { list: true }, list);
  describeUse(command, {
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
}

async function list(context: Context, flags: FilterFlags): Promise<View> {
  const limit = parseCount(flags.limit, '--limit', 1, mostListed);
  const { filterOf, withLetters } = await import('../dead-letter-selection.ts');
  const { listLetters } = await import('#collector/dead-letters/letters.ts');
  return withLetters(context, async (log, topics) => {
    const filter = await filterOf(flags, log, topics, systemClock);
    const letters = await listLetters(log, topics.deadLetters.name, filter, limit);
    return lettersView(letters);
  });
}

export function lettersView(letters: readonly LetterSummary[]): View {
  return listingView<LetterSummary>({
    rows: letters,
    value: { letters },
    none: 'No dead letters fit.',
    below: [`${letters.length} letters.`],
    columns: [
      { title: 'letter', value: ({ number }) => number },
      timeColumn('taken', ({ appendedAtMs }) => appendedAtMs),
      { title: 'code', value: ({ code }) => code },
      { title: 'peer', name: 'peer_id', value: ({ peerId }) => peerId, fit: 'id', rank: 1 },
      { title: 'source', value: ({ source }) => source, rank: 3 },
      bytesColumn('size', 'payload_bytes', ({ payloadBytes }) => payloadBytes, 2),
      {
        title: 'replay',
        name: 'replayed_at',
        value: ({ replayed }) => (replayed === null ? null : new Date(replayed.atMs).toISOString()),
        text: ({ replayed }) => (replayed === null ? '' : `replayed ${new Date(replayed.atMs).toISOString()}`),
        fit: 'text',
        rank: 4,
      },
      { title: 'reason', value: ({ reason }) => reason, fit: 'text' },
    ],
  });
}
