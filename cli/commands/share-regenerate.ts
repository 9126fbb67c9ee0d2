/** `meshward share regenerate`: missing shares from the others, on plain files. */
import type { Command } from 'commander';
import { parseManifest } from '#mesh/caps.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import { type FolderRegenerationResult, regenerateFromFolder } from '#tahoe/share/index.ts';
import { takeCapText } from '../cap-input.ts';
import { describeUse } from '../command-help.ts';
import type { GlobalOptions } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { interruptible } from '../interrupt.ts';
import { createOutput, formatBytes, type Output } from '../output.ts';
import { parseCount } from '../quantities.ts';

interface RegenerateFlags {
  readonly cap?: string;
  readonly capFile?: string;
  readonly from: string;
  readonly share?: string;
  readonly out: string;
  readonly force: boolean;
}

export function addShareRegenerateCommand(share: Command): void {
  const command = share
    .command('regenerate')
    .description(
      'bring back missing shares of a file, byte for byte, from any k of the others; the file itself is never made',
    )
    .option('--cap <verify-cap>', 'cap of the file')
    .option('--cap-file <file>', 'read the cap from this file')
    .requiredOption('--from <dir>', 'folder of shares to read')
    .option(
      '--share <numbers>',
      'share numbers, such as 7 or 7,9,12; by default all that are missing or bad, for which every byte of the others is checked',
    )
    .requiredOption('--out <dir>', 'folder of shares to write')
    .option('--force', 'replace shares that are there already; bad ones are replaced without it', false);
  describeUse(command, {
    examples: ['meshward share regenerate --cap URI:CHK-Verifier:… --from storage/shares --share 7,9 --out restored'],
    exits: {
      1: 'a share could not be written',
      5: 'fewer than k good shares are there, or a bad one was not made anew though all were asked for',
      130: 'interrupted; nothing half-written is left behind',
    },
  });
  command.action((flags: RegenerateFlags, command: Command) =>
    regenerate(flags, createOutput(command.optsWithGlobals<GlobalOptions>())),
  );
}

async function regenerate(flags: RegenerateFlags, output: Output): Promise<void> {
  const manifest = parseManifest(await capText(flags));
  const shareNumbers = flags.share === undefined ? undefined : parseShareNumbers(flags.share, manifest.n);
  const result = await interruptible((signal) =>
    regenerateFromFolder({
      manifest,
      fromDir: flags.from,
      outDir: flags.out,
      shareNumbers,
      replaceExisting: flags.force,
      signal,
    }),
  );
  const { failed: failures, bad, leftBad, ...done } = result;
  const told = { ...done, failed: failures.map(tellable), bad: bad.map(tellable), leftBad: leftBad.map(tellable) };
  output.result(told, () => describeRegeneration(result));
  const [failed] = failures;
  if (failed === undefined) {
    if (shareNumbers === undefined && leftBad.length > 0) process.exitCode = exitCodes.negative;
    return;
  }
  process.exitCode =
    failed.error instanceof MeshwardError && failed.error.code === 'bad-input' ? exitCodes.usage : exitCodes.internal;
}

export function describeRegeneration(result: FolderRegenerationResult): string {
  const { written, paths, bad, leftBad, failed, sources } = result;
  const lines = [
    ...bad.map(({ path, error }) => `BAD      ${path}  ${describeError(error)}`),
    ...written.map(
      ({ shareNumber, totalBytes }, i) => `written  ${paths[i]}  share ${shareNumber}, ${formatBytes(totalBytes)}`,
    ),
    ...failed.map(({ shareNumber, error }) => `FAILED   share ${shareNumber}: ${describeError(error)}`),
  ];
  if (leftBad.length > 0) {
    const numbers = leftBad.map(({ shareNumber }) => shareNumber).join(',');
    lines.push(
      `Bad and not made anew: share ${numbers}. Ask for it with --share, or for all that are bad by leaving --share out.`,
    );
  }
  if (bad.length + written.length + failed.length === 0)
    return [...lines, 'No share is missing or bad: nothing was written.'].join('\n');
  const count = written.length === 1 ? '1 share' : `${written.length} shares`;
  return [...lines, `${count} written from shares ${sources.join(',')}`].join('\n');
}

/** @throws MeshwardError `bad-input`. */
export function parseShareNumbers(text: string, n: number): readonly number[] {
  return [...new Set(text.split(',').map((part) => parseCount(part.trim(), '--share', 0, n - 1)))];
}

async function capText({ cap, capFile }: RegenerateFlags): Promise<string> {
  if ((cap === undefined) === (capFile === undefined)) {
    throw new MeshwardError('bad-input', 'exactly one of --cap and --cap-file is needed', {
      next: 'Give the verify cap; `meshward share dump` prints it, and the owner of the file has it.',
    });
  }
  return (await takeCapText(cap === undefined ? [] : [cap], capFile === undefined ? {} : { capFile })).text;
}

function tellable<T extends { readonly error: unknown }>({
  error,
  ...rest
}: T): Omit<T, 'error'> & { readonly message: string } {
  return { ...rest, message: describeError(error) };
}
