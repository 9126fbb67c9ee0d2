/** `meshward repair list`: what came of the last repairs. */
import type { Command } from 'commander';
import type { RepairAnswer } from '#analyzer/api/schemas.ts';
import { describeUse } from '../command-help.ts';
import type { Context } from '../context.ts';
import { type ApiFlags, addApiOption, findApi } from '../mesh-address.ts';
import { parseCount } from '../quantities.ts';
import { moodOf } from '../terminal/colour.ts';
import { bytesColumn, durationColumn, listingView, timeColumn, type View } from '../terminal/view.ts';
import { showsView } from '../view-command.ts';

interface ListFlags extends ApiFlags {
  readonly limit: string;
}

/** As many as the API lists at once. */
const mostListed = 1000;

export function addRepairListCommand(repair: Command): void {
  const command = repair
    .command('list')
    .description('repairs that have ended, the newest first, with what came of them')
    .option('--limit <count>', 'most repairs to list', '50');
  showsView(addApiOption(command), { list: true, state: true }, list);
  describeUse(command, {
    examples: ['meshward repair list', 'meshward repair list --watch 5', 'meshward repair list --limit 1000 --csv'],
    exits: { 4: 'the analyzer is away' },
  });
}

async function list(context: Context, flags: ListFlags): Promise<View> {
  const limit = parseCount(flags.limit, '--limit', 1, mostListed);
  return repairsView(await (await findApi(context, flags)).repairs(limit));
}

export function repairsView(repairs: readonly RepairAnswer[]): View {
  return listingView<RepairAnswer>({
    rows: repairs,
    value: { repairs },
    none: 'Nothing was repaired yet.',
    columns: [
      timeColumn('ended', ({ endedAtMs }) => endedAtMs),
      { title: 'storage index', value: ({ storageIndex }) => storageIndex },
      { title: 'outcome', value: ({ outcome }) => outcome, mood: ({ outcome }) => moodOf(outcome) },
      { title: 'before', name: 'available_before', value: ({ availableBefore }) => availableBefore, rank: 2 },
      { title: 'after', name: 'available_after', value: ({ availableAfter }) => availableAfter, rank: 1 },
      { title: 'placed', name: 'shares_placed', value: ({ sharesPlaced }) => sharesPlaced, rank: 3 },
      durationColumn('took', 'duration_ms', ({ startedAtMs, endedAtMs }) => endedAtMs - startedAtMs, 4),
      bytesColumn('read', 'bytes_read', ({ bytesRead }) => bytesRead, 7),
      bytesColumn('written', 'bytes_written', ({ bytesWritten }) => bytesWritten, 6),
      { title: 'reason', name: 'error_code', value: ({ errorCode }) => errorCode, rank: 5 },
      { title: 'cause', value: ({ cause }) => cause, fit: 'text', rank: 8 },
      { title: 'trace', name: 'trace_id', value: ({ traceId }) => traceId ?? '', rank: 10 },
      { title: 'id', value: ({ id }) => id, fit: 'id', rank: 9 },
    ],
  });
}
