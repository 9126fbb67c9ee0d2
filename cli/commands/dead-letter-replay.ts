/** `meshward dead-letters replay`: has letters taken after all, by the checks that their senders would meet. */
import type { Command } from 'commander';
import type { LetterSummary } from '#collector/dead-letters/letters.ts';
import type { ReplayOutcome } from '#collector/dead-letters/replay.ts';
import { systemClock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import { addFilterOptions, type FilterFlags } from '../dead-letter-selection.ts';
import { exitCodes } from '../exit-codes.ts';
import { interruptible } from '../interrupt.ts';
import { table } from '../output.ts';
import { parseCount } from '../quantities.ts';

interface ReplayFlags extends FilterFlags {
  readonly dryRun: boolean;
  readonly again: boolean;
}

const mostReplayed = 10_000;

export function addDeadLetterReplayCommand(letters: Command): void {
  const command = letters
    .command('replay')
    .argument('[letter...]', 'numbers of letters; or choose them by --since, --code and --peer')
    .description('append letters again to the topic that they were meant for, where they can be taken now')
    .option('--dry-run', 'only tell what would be done with each', false)
    .option('--again', 'letters that were replayed before too', false);
  describeUse(addFilterOptions(command, '1000'), {
    examples: [
      'meshward dead-letters replay --dry-run --since 24h',
      'meshward dead-letters replay 17 18',
      'meshward dead-letters replay --code batch-malformed --peer alder-07',
    ],
    exits: {
      3: 'there is no such letter or peer: nothing is replayed',
      4: 'the log cannot be reached',
      5: 'at least one letter was refused',
      6: 'Kafka does not let this user in',
      130: 'interrupted between two letters',
    },
    notes: [
      'A letter keeps its place in the order of its peer, so a replay changes nothing twice. Where the peer has said more since,',
      'analyzers go by that: such a letter is overruled, and only the manifests in it are still of use. The next inventory of the',
      'peer tells how its shares are.',
    ],
  });
  command.action((numbers: string[], flags: ReplayFlags, command: Command) =>
    replay(runningContextOf(command), numbers, flags),
  );
}

async function replay(context: Context, numbers: readonly string[], flags: ReplayFlags): Promise<void> {
  const limit = parseCount(flags.limit, '--limit', 1, mostReplayed);
  const isFiltered = flags.since !== undefined || flags.code !== undefined || flags.peer !== undefined;
  if ((numbers.length === 0) === !isFiltered) {
    throw new MeshwardError('bad-input', 'which letters are meant is not clear', {
      next: 'Give either the numbers of letters, or at least one of --since, --code and --peer.',
    });
  }
  const { filterOf, parseLetterNumber, withLetters } = await import('../dead-letter-selection.ts');
  const { findLetters, listLetters } = await import('#collector/dead-letters/letters.ts');
  const { replayLetters } = await import('#collector/dead-letters/replay.ts');
  const wanted = new Set(numbers.map(parseLetterNumber));
  await withLetters(context, async (log, topics) => {
    const topic = topics.deadLetters.name;
    const letters: readonly LetterSummary[] = isFiltered
      ? await listLetters(log, topic, await filterOf(flags, log, topics, systemClock), limit)
      : await findLetters(log, topic, wanted);
    const outcomes: ReplayOutcome[] = [];
    const { dryRun, again } = flags;
    await interruptible(async (signal) => {
      const options = { log, topics, clock: systemClock, dryRun, again, signal };
      for await (const outcome of replayLetters(letters, options)) outcomes.push(outcome);
    }).finally(() => context.output.result({ dryRun, outcomes }, () => describeOutcomes(outcomes)));
    if (outcomes.some(({ outcome }) => outcome === 'refused')) process.exitCode = exitCodes.negative;
  });
}

export function describeOutcomes(outcomes: readonly ReplayOutcome[]): string {
  if (outcomes.length === 0) return 'No dead letters fit.';
  const rows = outcomes.map((each) => [each.number, each.outcome, explain(each)]);
  const counts = [...Map.groupBy(outcomes, ({ outcome }) => outcome)].map(([outcome, of]) => `${of.length} ${outcome}`);
  return `${table(['letter', 'outcome', ''], rows)}\n\n${counts.join(', ')}.`;
}

function explain(each: ReplayOutcome): string {
  switch (each.outcome) {
    case 'appended':
    case 'would-append': {
      const effect = each.effect === 'counts' ? '' : '; counts unless its peer has said more since';
      return `${each.records} records to ${each.topic}${effect}`;
    }
    case 'overruled':
      return 'its peer has said more since, by which analyzers go';
    case 'refused':
      return `${each.reason} [${each.code}]. ${each.next}`;
    case 'replayed-before':
      return `at ${new Date(each.atMs).toISOString()}; --again replays it once more`;
  }
}
