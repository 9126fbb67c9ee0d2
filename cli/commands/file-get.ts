/** `meshward get`: a file back from its cap, checked as it comes. */
import { access } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import type { LiteralCap, ReadCap } from '#mesh/caps.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { redactCaps } from '#mesh/redact.ts';
import type { GetResult } from '#repairer/files/get.ts';
import type { FileReading } from '#repairer/files/open-file.ts';
import { type CapFlags, capFileOption, requireReadCap, takeCap } from '../cap-input.ts';
import { describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import { type FileReadingFlags, type MeshReading, unknownFile, withFileReading } from '../file-reading.ts';
import { interruptible } from '../interrupt.ts';
import { addApiOption, addCollectorOptions } from '../mesh-address.ts';
import { formatBytes } from '../output.ts';

interface GetFlags extends CapFlags, FileReadingFlags {
  readonly force: boolean;
}

export function addGetCommand(program: Command): Command {
  const command = program
    .command('get')
    .argument('[cap]', 'read cap of the file, or - to read it from standard input; none with --cap-file')
    .argument('[out]', 'where the file goes; - is standard output')
    .description('get a file back from the mesh: whole and checked, or not at all')
    .option(...capFileOption)
    .option('--force', 'replace a file that is there already', false);
  describeUse(addApiOption(addCollectorOptions(command)), {
    examples: [
      'meshward get --cap-file report.cap report.pdf',
      'meshward get - report.pdf < report.cap',
      'meshward get URI:CHK:… - | less',
    ],
    exits: {
      3: 'there is no such file: no peer holds a share of it, and the analyzer does not know it',
      4: 'a service is away: try again',
      5: 'the file cannot be recovered now: fewer than k good shares were found',
      6: 'the key in this data directory is not an operator of the mesh',
      130: 'interrupted; nothing is left behind',
      141: 'whoever read the output went away',
    },
    notes: [
      'A cap on the command line can be seen by other users of this machine (ps) and stays in the history of your shell.',
    ],
  });
  return command.action((cap: string | undefined, out: string | undefined, flags: GetFlags, command: Command) =>
    get(
      runningContextOf(command),
      [cap, out].filter((text) => text !== undefined),
      flags,
    ),
  );
}

async function get(context: Context, positional: readonly string[], flags: GetFlags): Promise<void> {
  const { cap: given, rest } = await takeCap(positional, flags);
  const cap = requireReadCap(given);
  const out = chooseOut(rest);
  if (out !== '-' && !flags.force) await refuseExisting(out);
  const { getFile } = await import('#repairer/files/get.ts');
  const result = await interruptible((signal) =>
    withFileReading(context, cap, 'reading bytes', flags, async (by) => {
      try {
        return await (out === '-' ? toStdout(cap, by, signal) : getFile(cap, out, by, signal));
      } catch (error) {
        throw (await whereNothingWasFound(error, by)) ?? error;
      }
    }),
  );
  if (out === '-') return;
  context.output.result(
    { path: out, ...result },
    () => `${out}: ${formatBytes(result.sizeBytes)}${fromShares(result)}`,
  );
}

async function whereNothingWasFound(error: unknown, by: MeshReading): Promise<MeshwardError | null> {
  if (!(error instanceof MeshwardError) || error.code !== 'not-enough-shares' || error.details['located'] !== 0)
    return null;
  return unknownFile(by, Number(error.details['unreachable'] ?? 0));
}

async function toStdout(cap: ReadCap | LiteralCap, by: FileReading, signal: AbortSignal): Promise<GetResult> {
  const { readFile } = await import('#repairer/files/get.ts');
  const content = readFile(cap, by, signal);
  let result: GetResult | undefined;
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const step = await content.next();
      if (step.done === true) {
        result = step.value;
        return;
      }
      yield step.value;
    }
  }
  await pipeline(pieces(), process.stdout, { end: false });
  return result as GetResult;
}

function chooseOut(rest: readonly string[]): string {
  const [out, ...more] = rest;
  if (more.length > 0) {
    throw new MeshwardError('bad-input', 'a cap is given twice: by --cap-file and on the command line', {
      next: 'Give one of them, and the file that shall be written.',
    });
  }
  if (out !== undefined) return out;
  if (!process.stdout.isTTY) return '-';
  throw new MeshwardError('bad-input', 'nothing says where the file shall go', {
    next: 'Name a file, or - for standard output.',
  });
}

async function refuseExisting(path: string): Promise<void> {
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  if (!exists) return;
  throw new MeshwardError('bad-input', `${redactCaps(path)} exists already`, {
    next: 'Choose another name, or replace it with --force.',
  });
}

function fromShares({ shares }: GetResult): string {
  return shares.length === 0 ? ', from the literal cap itself' : `, from ${shares.length} shares, every piece checked`;
}
