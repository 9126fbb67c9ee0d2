/** `meshward file prove`: recovers a file for real, from k shares drawn at random. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Command } from 'commander';
import type { ReadCap, VerifyCap } from '#mesh/caps.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { redactCaps } from '#mesh/redact.ts';
import type { ProofResult } from '#repairer/proofs/prove.ts';
import { type CapFlags, capFileOption, takeCap } from '../cap-input.ts';
import { describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { type FileReadingFlags, unknownFile, withFileReading } from '../file-reading.ts';
import { interruptible } from '../interrupt.ts';
import { addApiOption, addCollectorOptions } from '../mesh-address.ts';
import { formatBytes, formatDuration } from '../output.ts';
import { parseCount } from '../quantities.ts';

interface ProveFlags extends CapFlags, FileReadingFlags {
  readonly original?: string;
  readonly times: string;
}

const mostTimes = 1000;

export function addProveCommand(file: Command): void {
  const command = file
    .command('prove')
    .argument('[cap]', 'verify or read cap of the file, or - to read it from standard input; none with --cap-file')
    .description('recover the file for real, from k shares drawn at random, and check every byte against its cap')
    .option(...capFileOption)
    .option('--original <file>', 'with a read cap: the recovered file must equal this one byte for byte')
    .option('--times <count>', 'how often, each time from other shares', '1');
  describeUse(addApiOption(addCollectorOptions(command)), {
    examples: [
      'meshward file prove --cap-file report.cap --original report.pdf',
      'meshward file prove URI:CHK-Verifier:… --times 10',
    ],
    exits: {
      3: 'there is no such file: no peer holds a share of it, and the analyzer does not know it',
      4: 'a service is away',
      5: 'not proven: the file could not be recovered, or is another one',
      6: 'the key in this data directory is not an operator of the mesh',
      130: 'interrupted',
    },
    notes: [
      'A verify cap proves the ciphertext: who runs this cannot read the file. Nothing of what is recovered is kept.',
      'Every proof is kept in ClickHouse where it can be reached.',
    ],
  });
  command.action((cap: string | undefined, flags: ProveFlags, command: Command) =>
    prove(runningContextOf(command), cap === undefined ? [] : [cap], flags),
  );
}

async function prove(context: Context, positional: readonly string[], flags: ProveFlags): Promise<void> {
  const { cap, rest } = await takeCap(positional, flags);
  const times = parseCount(flags.times, '--times', 1, mostTimes);
  if (cap.kind === 'literal' || rest.length > 0) {
    throw new MeshwardError(
      'bad-cap',
      cap.kind === 'literal' ? 'a literal cap holds the file itself' : 'a cap is given twice',
      {
        next:
          cap.kind === 'literal'
            ? 'There is nothing to prove: `meshward get` reads it without a mesh.'
            : 'Give it once.',
      },
    );
  }
  const original = await hashOfOriginal(cap, flags.original);
  const { proveFile } = await import('#repairer/proofs/prove.ts');
  const { proofRow } = await import('#repairer/audit.ts');
  const { newProofId, recordProofs } = await import('../recorded-proofs.ts');
  const results: ProofResult[] = [];
  const names = await interruptible((signal) =>
    withFileReading(context, cap, 'proving bytes', flags, async (by) => {
      for (let time = 0; time < times && !signal.aborted; time++) {
        by.restart();
        const result = await proveFile({ id: newProofId(), cap, plaintextSha256: original, urgent: true, signal }, by);
        // There is nothing to prove of a file that is none, and nothing to keep.
        if (result.errorCode === 'not-enough-shares' && result.sharesLocated === 0 && result.damaged.length === 0) {
          const unknown = await unknownFile(by, result.unreachable);
          if (unknown !== null) throw unknown;
        }
        results.push(result);
      }
      return by.nameOf;
    }),
  );
  const recording = await recordProofs(
    context,
    results.map((result) => proofRow(result, cap.manifest, 'operator', '')),
  );
  const isProven = results.every((result) => result.outcome === 'proven');
  const answer = {
    storageIndex: cap.manifest.storageIndex,
    proven: isProven,
    comparedWithOriginal: original !== undefined,
    proofs: results,
    ...recording,
  };
  context.output.result(answer, () => {
    const lines = results.map((result) =>
      describeProof(result, cap, { compared: original !== undefined, nameOf: names }),
    );
    return [...lines, recording.recorded ? 'Recorded in ClickHouse.' : `Not recorded: ${recording.reason}.`].join('\n');
  });
  if (results.some((result) => result.outcome === 'cancelled')) process.exitCode = exitCodes.interrupted;
  else if (!isProven) process.exitCode = exitCodes.negative;
}

export function describeProof(
  result: ProofResult,
  cap: ReadCap | VerifyCap,
  { compared, nameOf }: { readonly compared: boolean; readonly nameOf: (peerId: PeerId) => string },
): string {
  const { k, n, storageIndex } = cap.manifest;
  const corrupt =
    result.corrupt.length === 0
      ? ''
      : `; corrupt on the way: ${result.corrupt.map((share) => `${share.shareNumber} on ${nameOf(share.peerId)}`).join(', ')}`;
  const damaged =
    result.damaged.length === 0
      ? ''
      : `; not to be read there, since a container is damaged: ${result.damaged.map(nameOf).join(', ')}`;
  const numbers = result.shares
    .map((share) => share.shareNumber)
    .toSorted((a, b) => a - b)
    .join(',');
  if (result.outcome === 'proven') {
    const what =
      cap.kind === 'read'
        ? `the file was recovered${compared ? ' and equals the original byte for byte' : ''}`
        : 'the ciphertext was recovered';
    return `proven  ${storageIndex}: ${what}, ${formatBytes(result.bytesProven)} from shares ${numbers} (${k}-of-${n}, ${result.sharesLocated} found) in ${formatDuration(result.durationMs)}${corrupt}${damaged}`;
  }
  return `${result.outcome === 'failed' ? 'NOT PROVEN' : 'interrupted'}  ${storageIndex}: ${result.errorMessage} [${result.errorCode}]; ${result.sharesLocated} of ${n} shares were found, ${k} are needed${corrupt}${damaged}`;
}

async function hashOfOriginal(cap: ReadCap | VerifyCap, path: string | undefined): Promise<Uint8Array | undefined> {
  if (path === undefined) return undefined;
  if (cap.kind !== 'read') {
    throw new MeshwardError('bad-input', '--original needs a read cap: a verify cap recovers the ciphertext only', {
      next: 'Give the read cap, or leave --original out.',
    });
  }
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  } catch (error) {
    throw new MeshwardError('bad-input', `the original cannot be read: ${redactCaps(describeError(error))}`, {
      next: 'Check the path that --original names.',
    });
  }
  return new Uint8Array(hash.digest());
}
