/** `meshward share verify`: whether share files are whole. */
import type { Command } from 'commander';
import { parseManifest } from '#mesh/caps.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { Manifest } from '#mesh/manifest.ts';
import { type CapFlags, capFileOption, takeCapText } from '../cap-input.ts';
import { describeUse } from '../command-help.ts';
import type { GlobalOptions } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { interruptible } from '../interrupt.ts';
import { createOutput, formatBytes, type Output } from '../output.ts';
import { findShareFiles, type ShareVerdict, verifyFiles } from '../share-verification.ts';

interface VerifyFlags extends CapFlags {
  readonly cap?: string;
}

export function addShareVerifyCommand(share: Command): void {
  const command = share
    .command('verify')
    .argument('<path...>', 'share files, or folders of shares')
    .description('check every byte of share files against their hashes')
    .option('--cap <verify-cap>', 'cap of the file; without it a share is checked against what it says of itself')
    .option(...capFileOption);
  describeUse(command, {
    examples: [
      'meshward share verify storage/shares',
      'meshward share verify --cap URI:CHK-Verifier:… 5fsbhvm3dzua36zgwfjbeg4bvy/*',
    ],
    exits: { 5: 'at least one share is bad', 130: 'interrupted' },
  });
  command.action((paths: string[], flags: VerifyFlags, command: Command) =>
    verify(paths, flags, createOutput(command.optsWithGlobals<GlobalOptions>())),
  );
}

async function verify(paths: readonly string[], flags: VerifyFlags, output: Output): Promise<void> {
  const manifest = await manifestOf(flags);
  const files = await findShareFiles(paths, manifest);
  if (files.length === 0) {
    throw new MeshwardError(
      'bad-input',
      `there is no share${manifest === null ? '' : ' of this file'} at the paths given`,
      {
        next: 'Give share files, or a folder laid out as Tahoe-LAFS does: shares/XX/STORAGE-INDEX/NUMBER.',
      },
    );
  }
  const verdicts: ShareVerdict[] = [];
  const progress = files.length >= showProgressFrom ? output.progress('verifying shares', files.length) : null;
  await interruptible(async (signal) => {
    for await (const verdict of verifyFiles(files, { manifest, signal })) {
      verdicts.push(verdict);
      progress?.update(verdicts.length);
    }
  });
  progress?.finish();
  const bad = verdicts.filter((verdict) => !verdict.ok).length;
  output.result({ shares: verdicts, good: verdicts.length - bad, bad }, () =>
    [...verdicts.map(describeVerdict), summary(verdicts, bad)].join('\n'),
  );
  if (bad > 0) process.exitCode = exitCodes.negative;
}

async function manifestOf(flags: VerifyFlags): Promise<Manifest | null> {
  if (flags.cap === undefined && flags.capFile === undefined) return null;
  const { text, rest } = await takeCapText(flags.cap === undefined ? [] : [flags.cap], flags);
  if (rest.length === 0) return parseManifest(text);
  throw new MeshwardError('bad-input', 'a cap is given twice: by --cap and by --cap-file', {
    next: 'Give one of them.',
  });
}

const showProgressFrom = 200;

export function describeVerdict(verdict: ShareVerdict): string {
  if (!verdict.ok) return `BAD  ${verdict.path}  ${verdict.message} [${verdict.code}]`;
  return `ok   ${verdict.path}  share ${verdict.shareNumber} of ${verdict.storageIndex}, ${formatBytes(verdict.bytesChecked)} checked`;
}

function summary(verdicts: readonly ShareVerdict[], bad: number): string {
  const good = verdicts.length - bad;
  const bytes = verdicts.reduce((sum, verdict) => sum + (verdict.ok ? verdict.bytesChecked : 0), 0);
  const onTrust = verdicts.some((verdict) => verdict.ok && !verdict.pinned)
    ? '; without a cap a share vouches for itself'
    : '';
  return `${good} good, ${bad} bad, ${formatBytes(bytes)} checked${onTrust}`;
}
