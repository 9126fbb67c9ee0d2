/** `meshward file repair`: one file, now. */

import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { systemClock } from '#mesh/clock.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { policyFor } from '#mesh/policy.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type { RepairNow } from '#repairer/files/repair-now.ts';
import type { RepairReport } from '#repairer/repair/repair-report.ts';
import { type CapFlags, capFileOption, takeCap } from '../cap-input.ts';
import { describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { reportTo } from '../file-reading.ts';
import { interruptible } from '../interrupt.ts';
import {
  type ApiFlags,
  addApiOption,
  addCollectorOptions,
  type CollectorFlags,
  findApi,
  withCollector,
} from '../mesh-address.ts';
import { formatBytes, formatDuration } from '../output.ts';
import { openLeaseSecret } from '../service-keys.ts';

interface RepairFlags extends CapFlags, ApiFlags, CollectorFlags {
  readonly tag: string;
}

export function addFileRepairCommand(file: Command): void {
  const command = file
    .command('repair')
    .argument('[cap]', 'verify or read cap of the file, or - to read it from standard input; none with --cap-file')
    .description('repair one file now: ask every peer, check what they hold, and make anew what is missing or corrupt')
    .option(...capFileOption)
    .option('--tag <tag>', 'the tag that the file was put with: policies can name it', '');
  describeUse(addApiOption(addCollectorOptions(command)), {
    examples: ['meshward file repair --cap-file report.cap', 'meshward file repair URI:CHK-Verifier:…'],
    exits: {
      4: 'a service is away',
      5: 'not repaired, or not in full: too few good shares, or no peer to take new ones',
      6: 'the key in this data directory is not an operator of the mesh',
      130: 'interrupted',
    },
    notes: [
      'It waits for no queue, brake or budget, and needs no repairer to run. `meshward file show CAP` prints the verify cap.',
      'What it did is kept in ClickHouse where it can be reached.',
    ],
  });
  command.action((cap: string | undefined, flags: RepairFlags, command: Command) =>
    repair(runningContextOf(command), cap === undefined ? [] : [cap], flags),
  );
}

async function repair(context: Context, positional: readonly string[], flags: RepairFlags): Promise<void> {
  const { cap, rest } = await takeCap(positional, flags);
  if (cap.kind === 'literal' || rest.length > 0) {
    throw new MeshwardError(
      'bad-cap',
      cap.kind === 'literal' ? 'a literal cap holds the file itself' : 'a cap is given twice',
      {
        next: cap.kind === 'literal' ? 'There is nothing to repair: nothing can be lost but the cap.' : 'Give it once.',
      },
    );
  }
  const { manifest } = cap;
  const { repairNow } = await import('#repairer/files/repair-now.ts');
  const { defaultRepairSettings } = await import('#repairer/repair/tools.ts');
  const { openMeshPeers } = await import('../mesh-peers.ts');
  const note = (line: string): void => context.output.note(line);
  const { found, report, nameOf } = await interruptible((signal) =>
    withCollector(context, flags, async (collector) => {
      const api = await findApi(context, flags).catch((error: unknown) => {
        note(`no analyzer is known (${describeError(error)}): every enrolled peer counts as up`);
        return null;
      });
      const mesh = await openMeshPeers({ directory: await collector.directory(), api, note });
      try {
        const found = await repairNow(
          { manifest, tag: flags.tag, policy: policyFor(context.config.policies, manifest, flags.tag), signal },
          {
            mesh: mesh.repairMesh,
            policies: context.config.policies,
            runtime: {
              clock: systemClock,
              random: Math.random,
              randomBytes: (count) => new Uint8Array(randomBytes(count)),
              leaseSecret: await openLeaseSecret(context, 'operatorKey'),
            },
            settings: { ...defaultRepairSettings, windowBytes: context.config.repairer.windowBytes, readBackRatio: 1 },
          },
        );
        const report = await found.repair.report;
        await reportTo(collector)(manifest.storageIndex, [...found.corrupt, ...report.corrupt]);
        return { found, report, nameOf: mesh.nameOf };
      } finally {
        await mesh.close();
      }
    }),
  );
  const { repairRow } = await import('#repairer/audit.ts');
  const { recordRepair } = await import('../recorded-proofs.ts');
  const recording = await recordRepair(context, repairRow(report, ''));
  const answer = {
    storageIndex: manifest.storageIndex,
    ending: report.ending,
    errorCode: report.errorCode,
    errorMessage: report.errorMessage,
    soundBefore: found.sound,
    corrupt: found.corrupt,
    peersAsked: found.peersAsked,
    peersSilent: found.peersSilent,
    written: report.written,
    bytesRead: report.bytesRead,
    bytesWritten: report.bytesWritten,
    durationMs: report.durationMs,
    ...recording,
  };
  context.output.result(answer, () =>
    [
      describeRepair(found, report, nameOf),
      recording.recorded ? 'Recorded in ClickHouse.' : `Not recorded: ${recording.reason}.`,
    ].join('\n'),
  );
  if (report.ending === 'cancelled') process.exitCode = exitCodes.interrupted;
  else if (report.ending !== 'repaired' && report.ending !== 'not-needed') process.exitCode = exitCodes.negative;
}

export function describeRepair(
  found: Pick<RepairNow, 'sound' | 'corrupt' | 'peersAsked' | 'peersSilent'>,
  report: RepairReport,
  nameOf: (peerId: PeerId) => string,
): string {
  const { manifest } = report.entry;
  const before = new Set(found.sound.map((share) => share.shareNumber)).size;
  const lines = [
    `found   ${before} of ${manifest.n} shares in good order (${manifest.k} are needed), asking ${found.peersAsked} peers, of which ${found.peersSilent} did not answer`,
    ...found.corrupt.map((share) => `corrupt share ${share.shareNumber} on ${nameOf(share.peerId)}`),
    ...report.written.map((share) => `written share ${share.shareNumber} to ${nameOf(share.peerId)}`),
  ];
  const took = `${formatBytes(report.bytesRead)} read, ${formatBytes(report.bytesWritten)} written, in ${formatDuration(report.durationMs)}`;
  return [...lines, `${resultOf(report, manifest.storageIndex)}, ${took}`].join('\n');
}

function resultOf({ ending, written, errorMessage, errorCode }: RepairReport, storageIndex: StorageIndex): string {
  if (ending === 'repaired') return `repaired ${storageIndex}: ${written.length} shares made anew`;
  if (ending === 'not-needed') return `nothing to repair: ${storageIndex} has all that its policy asks for`;
  const result = written.length > 0 ? 'repaired in part' : 'NOT REPAIRED';
  return `${result}  ${storageIndex}: ${errorMessage} [${errorCode}]`;
}
