/** `meshward file delete`: the owner's word that a file is to be watched and repaired no more. */
import type { Command } from 'commander';
import { hasCode, isRetryable, MeshwardError } from '#mesh/errors.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { type CapFlags, capFileOption, takeFileReference } from '../cap-input.ts';
import { describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import {
  type ApiFlags,
  addApiOption,
  addCollectorOptions,
  type CollectorFlags,
  findApi,
  withCollector,
} from '../mesh-address.ts';

type DeleteFlags = CapFlags & CollectorFlags & ApiFlags & { readonly force: boolean };

export function addFileDeleteCommand(file: Command): void {
  const command = file
    .command('delete')
    .argument('[cap]', 'cap or storage index of the file, or - to read it from standard input; none with --cap-file')
    .description('take a file out of the mesh’s care: it is watched and repaired no more')
    .option(...capFileOption)
    .option('--force', 'also where the analyzer knows no such file', false);
  describeUse(addApiOption(addCollectorOptions(command)), {
    examples: ['meshward file delete 5fsbhvm3dzua36zgwfjbeg4bvy'],
    exits: {
      3: 'nothing is known of the file',
      4: 'the collector is away',
      6: 'the key in this data directory is not an operator of the mesh',
    },
    notes: [
      'Where no analyzer answers, or its health is stale, the word is taken without asking whether there is such a file.',
      'Its shares stay on their peers until their leases expire: until then the cap still reads the file.',
    ],
  });
  command.action((cap: string | undefined, flags: DeleteFlags, command: Command) =>
    remove(runningContextOf(command), cap === undefined ? [] : [cap], flags),
  );
}

async function remove(context: Context, positional: readonly string[], flags: DeleteFlags): Promise<void> {
  const reference = await takeFileReference(positional, flags);
  if (reference.kind === 'literal') {
    throw new MeshwardError('bad-cap', 'a literal cap holds the file itself', {
      next: 'There is nothing on the mesh to delete: forget the cap.',
    });
  }
  const { storageIndex } = reference;
  if (!flags.force) await refuseUnknown(context, flags, storageIndex);
  await withCollector(context, flags, (collector) => collector.deleteFile(storageIndex));
  context.output.result({ storageIndex, deleted: true }, () => `${storageIndex} is watched and repaired no more.`);
}

/** A mistyped index would be said to be done. @throws MeshwardError `file-unknown` where that is certain. */
async function refuseUnknown(context: Context, flags: DeleteFlags, storageIndex: StorageIndex): Promise<void> {
  try {
    await (await findApi(context, flags)).file(storageIndex);
  } catch (error) {
    if (!hasCode(error, 'file-unknown')) return;
    if (!isRetryable(error)) throw error;
    context.output.note('health is stale: it is not known whether there is such a file');
  }
}
