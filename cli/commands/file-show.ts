/** `meshward file show`: could I recover this file now? */
import type { Command } from 'commander';
import type { FileDetailAnswer } from '#analyzer/api/schemas.ts';
import { type CapFlags, capFileOption, takeFileReference } from '../cap-input.ts';
import { describeUse } from '../command-help.ts';
import type { Context } from '../context.ts';
import { describeFile } from '../describe-file.ts';
import { exitCodes } from '../exit-codes.ts';
import { type ApiFlags, addApiOption, findApi } from '../mesh-address.ts';
import { textView, type View } from '../terminal/view.ts';
import { showsView } from '../view-command.ts';

interface ShowFlags extends CapFlags, ApiFlags {
  readonly placements: boolean;
}

export function addFileShowCommand(file: Command): void {
  const command = file
    .command('show')
    .argument('[cap]', 'cap or storage index of the file, or - to read it from standard input; none with --cap-file')
    .description('could I recover this file now, and how far is it from not?')
    .option(...capFileOption)
    .option('--placements', 'list every share and the peer that holds it', false);
  showsView(addApiOption(command), { state: true }, show);
  describeUse(command, {
    examples: [
      'meshward file show 5fsbhvm3dzua36zgwfjbeg4bvy',
      'meshward file show --cap-file report.cap --placements',
    ],
    exits: {
      3: 'nothing is known of the file',
      4: 'the analyzer is away or not ready',
      5: 'the file cannot be recovered now',
    },
    notes: ['Only the storage index of a cap is sent, never its key.'],
  });
}

async function show(context: Context, flags: ShowFlags, positional: readonly string[]): Promise<View> {
  const reference = await takeFileReference(positional, flags);
  if (reference.kind === 'literal') {
    const answer = { kind: 'literal', recoverableNow: true, sizeBytes: reference.cap.data.length };
    return textView(
      answer,
      () =>
        'recoverable now: yes\nA literal cap holds the file itself: it has no shares, and nothing can be lost but the cap.',
    );
  }
  const answer: FileDetailAnswer = await (await findApi(context, flags)).file(reference.storageIndex);
  if (!answer.recoverableNow) process.exitCode = exitCodes.negative;
  return textView(answer, (paint) => describeFile(answer, { placements: flags.placements, paint }));
}
