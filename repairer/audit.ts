/** Repairs and proofs as the rows that the store keeps of them. */

import type { Manifest } from '#mesh/manifest.ts';
import type { ProofRow, RepairRow } from '#store/tables.ts';
import type { ProofResult } from './proofs/prove.ts';
import type { RepairEnding, RepairReport } from './repair/repair-report.ts';

const outcomeOfEnding: Readonly<Record<RepairEnding, RepairRow['outcome']>> = {
  repaired: 'repaired',
  partial: 'partial',
  'not-needed': 'not-needed',
  // The error's code tells these from other failures and from a stop.
  'too-few-shares': 'failed',
  irrecoverable: 'failed',
  fenced: 'cancelled',
  failed: 'failed',
  cancelled: 'cancelled',
};

export function repairRow(report: RepairReport, traceId: string, campaign = ''): RepairRow {
  const { manifest } = report.entry;
  return {
    id: report.id,
    storageIndex: manifest.storageIndex,
    campaign,
    startedAt: report.startedAtMs,
    endedAt: report.startedAtMs + report.durationMs,
    durationMs: report.durationMs,
    k: manifest.k,
    n: manifest.n,
    sizeBytes: manifest.sizeBytes,
    availableBefore: report.availableBefore,
    availableAfter: report.availableAfter,
    wantedShares: [...report.wanted],
    writtenShares: report.written.map((share) => share.shareNumber),
    sources: [...report.sources],
    targets: report.written.map((share) => share.peerId),
    bytesRead: report.bytesRead,
    bytesWritten: report.bytesWritten,
    outcome: outcomeOfEnding[report.ending],
    errorCode: report.errorCode,
    errorMessage: report.errorMessage,
    generation: report.fence?.generation ?? 0,
    cause: report.entry.cause,
    traceId,
  };
}

export function proofRow(result: ProofResult, manifest: Manifest, reason: string, traceId: string): ProofRow {
  return {
    id: result.id,
    storageIndex: manifest.storageIndex,
    at: result.startedAtMs,
    reason,
    shares: result.shares.map((share) => share.shareNumber),
    sources: [...new Set(result.shares.map((share) => share.peerId))],
    outcome: result.outcome,
    durationMs: result.durationMs,
    bytesRead: result.bytesRead,
    sizeBytes: manifest.sizeBytes,
    errorCode: result.errorCode,
    errorMessage: result.errorMessage,
    traceId,
  };
}
