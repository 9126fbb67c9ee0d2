/** `meshward file delete`: the owner's word that a file is to be watched and repaired no more. */
import type { Command } from 'commander';
import { MeshwardError } from '#mesh/errors.ts';
import { type CapFlags, capFileOption, takeFileReference } from '../cap-input.ts';
import { describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import { addCollectorOptions, type CollectorFlags, withCollector } from '../mesh-address.ts';

type DeleteFlags = CapFlags & CollectorFlags;

export function addFileDeleteCommand(file: Command): void {
  const command = file
    .command('delete')
    .argument('[cap]', 'cap or storage index of the file, or - to read it from standard input; none with --cap-file')
    .description('take a file out of the mesh’s care: it is watched and repaired no more')
    .option(...capFileOption);
  describeUse(addCollectorOptions(command), {
    examples: ['meshward file delete 5fsbhvm3dzua36zgwfjbeg4bvy'],
    exits: { 4: 'the collector is away', 6: 'the key in this data directory is not an operator of the mesh' },
    notes: ['Its shares stay on their peers until their leases expire: until then the cap still reads the file.'],
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
  await withCollector(context, flags, (collector) => collector.deleteFile(storageIndex));
  context.output.result({ storageIndex, deleted: true }, () => `${storageIndex} is watched and repaired no more.`);
}
