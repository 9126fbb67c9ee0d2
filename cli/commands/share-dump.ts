/** `meshward share dump`: what stands in share files, read but not verified. */
import type { Command } from 'commander';
import { formatCoding } from '#mesh/coding.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { dumpShare, isShareError, type ShareDump } from '#tahoe/share/index.ts';
import { describeUse } from '../command-help.ts';
import type { GlobalOptions } from '../context.ts';
import { aligned } from '../describe-file.ts';
import { exitCodes } from '../exit-codes.ts';
import { createOutput, formatBytes } from '../output.ts';

interface Unreadable {
  readonly path: string;
  readonly code: string;
  readonly message: string;
}

export function addShareDumpCommand(share: Command): void {
  const command = share
    .command('dump')
    .argument('<file...>', 'share files')
    .description('show what stands in share files, without verifying them');
  describeUse(command, {
    examples: ['meshward share dump storage/shares/5f/5fsbhvm3dzua36zgwfjbeg4bvy/3'],
    exits: { 5: 'a file is no share that can be read' },
  });
  command.action((files: string[], _flags: object, command: Command) => dump(files, command));
}

async function dump(files: readonly string[], command: Command): Promise<void> {
  const output = createOutput(command.optsWithGlobals<GlobalOptions>());
  const shares: (ShareDump | Unreadable)[] = [];
  for (const path of files) shares.push(await dumpShare(path).catch((error: unknown) => unreadable(path, error)));
  output.result({ shares }, () =>
    shares
      .map((share) =>
        'code' in share ? `${share.path}\n  not readable: ${share.message} [${share.code}]` : describeDump(share),
      )
      .join('\n\n'),
  );
  if (shares.some((share) => 'code' in share)) process.exitCode = exitCodes.negative;
}

/** A file that is no share is an answer; one that cannot be opened is not. */
function unreadable(path: string, error: unknown): Unreadable {
  if (error instanceof MeshwardError && isShareError(error)) return { path, code: error.code, message: error.message };
  throw error;
}

export function describeDump(dump: ShareDump): string {
  const { ueb, header, container, chain } = dump;
  const leases = container.leaseExpiresAt.map((date) =>
    Number.isNaN(date.getTime()) ? 'at an unknown time' : date.toISOString(),
  );
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  return [
    dump.path,
    ...aligned([
      [
        'coding',
        `${formatCoding(ueb)}, ${formatBytes(ueb.sizeBytes)} in ${dump.segmentCount === 1 ? 'one segment' : `${dump.segmentCount} segments`} of ${formatBytes(ueb.segmentBytes)}`,
      ],
      [
        'share',
        `version ${header.version}, ${formatBytes(header.dataBytes)} of blocks of ${formatBytes(header.blockBytes)}`,
      ],
      [
        'offsets',
        Object.entries(header.offsets)
          .map(([name, offset]) => `${name} ${offset}`)
          .join(', '),
      ],
      ['container', `version ${container.version}, ${formatBytes(dump.fileBytes)} on disk`],
      ['leases', container.leaseCount === 0 ? 'none' : `${container.leaseCount}, expiring ${leases.join(', ')}`],
      ['share hash chain', `nodes ${chain.nodes.join(', ')}`],
      ['share root hash', hex(ueb.shareRootHash)],
      ['crypttext root', hex(ueb.crypttextRootHash)],
      ['verify cap', dump.verifyCap ?? 'unknown: the folder is not named by a storage index'],
    ])
      .split('\n')
      .map((line) => `  ${line}`),
  ].join('\n');
}
