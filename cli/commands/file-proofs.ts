/** `meshward file proofs`: recoveries that were really made, and what came of them. */
import type { Command } from 'commander';
import type { ProofAnswer } from '#analyzer/api/schemas.ts';
import { parseStorageIndex } from '#mesh/storage-index.ts';
import { describeUse } from '../command-help.ts';
import type { Context } from '../context.ts';
import { type ApiFlags, addApiOption, findApi } from '../mesh-address.ts';
import { parseCount } from '../quantities.ts';
import { moodOf } from '../terminal/colour.ts';
import { bytesColumn, durationColumn, listingView, timeColumn, type View } from '../terminal/view.ts';
import { showsView } from '../view-command.ts';

interface ProofsFlags extends ApiFlags {
  readonly limit: string;
}

const mostListed = 1000;

export function addFileProofsCommand(file: Command): void {
  const command = file
    .command('proofs')
    .argument('[index]', 'storage index of a file; without it, of every file')
    .description('real recoveries of files, the newest first, with what came of them')
    .option('--limit <count>', 'most proofs to list', '50');
  showsView(addApiOption(command), { list: true, state: true }, list);
  describeUse(command, {
    examples: ['meshward file proofs', 'meshward file proofs 5fsbhvm3dzua36zgwfjbeg4bvy --csv'],
    exits: { 4: 'the analyzer is away' },
  });
}

async function list(context: Context, flags: ProofsFlags, [index]: readonly string[]): Promise<View> {
  const limit = parseCount(flags.limit, '--limit', 1, mostListed);
  const storageIndex = index === undefined ? undefined : parseStorageIndex(index);
  const proofs = await (await findApi(context, flags)).proofs(limit, storageIndex);
  return listingView<ProofAnswer>({
    rows: proofs,
    value: { proofs },
    none: 'Nothing was proven yet.',
    columns: [
      timeColumn('at', ({ atMs }) => atMs),
      { title: 'storage index', value: (proof) => proof.storageIndex },
      { title: 'outcome', value: ({ outcome }) => outcome, mood: ({ outcome }) => moodOf(outcome) },
      { title: 'shares', value: ({ shares }) => shares, rank: 2 },
      bytesColumn('bytes', 'bytes', ({ bytes }) => bytes, 1),
      durationColumn('took', 'duration_ms', ({ durationMs }) => durationMs, 3),
      { title: 'reason', name: 'error_code', value: ({ errorCode }) => errorCode, rank: 4 },
      { title: 'id', value: ({ id }) => id, fit: 'id', rank: 5 },
    ],
  });
}
