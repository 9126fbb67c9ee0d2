/** A record of the compacted topic `at-risk`, parsed once at the border; inside, it is trusted. */
import { fromBinary } from '@bufbuild/protobuf';
import { checkCoding } from '#mesh/coding.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import { AtRiskFileSchema, FileGrade } from '#mesh/generated/events_pb.js';
import { type Grade, marginOf } from '#mesh/grade.ts';
import type { Manifest } from '#mesh/manifest.ts';
import { type PeerId, peerIdFromBytes } from '#mesh/peer-id.ts';
import { storageIndexFromBytes } from '#mesh/storage-index.ts';

export interface ListedPlacement {
  readonly shareNumber: number;
  readonly peerId: PeerId;
  /** Whether the analyzer held the peer to be reachable. */
  readonly available: boolean;
}

/** One entry of the standing list: what needs repair, and why. All counts are shares. */
export interface AtRiskEntry {
  readonly manifest: Manifest;
  readonly tag: string;
  readonly grade: Grade;
  readonly available: number;
  readonly retained: number;
  /** Available and in grace: what the trigger looked at. */
  readonly counted: number;
  readonly margin: number;
  readonly placements: readonly ListedPlacement[];
  readonly cause: string;
  readonly sinceMs: number;
  readonly updatedAtMs: number;
  /** Larger is more urgent. */
  readonly risk: number;
  readonly repairUpTo: number;
  readonly maxSharesPerPeer: number;
  readonly maxSharesPerDomain: number;
  readonly revision: number;
  /** Of the analyzer that wrote it. */
  readonly ownerGeneration: number;
}

/** @throws MeshwardError `batch-malformed` where the bytes are no entry that a repair could act on. */
export function parseAtRiskEntry(bytes: Uint8Array): AtRiskEntry {
  try {
    return readEntry(bytes);
  } catch (error) {
    throw new MeshwardError('batch-malformed', `an at-risk record is not usable: ${describeError(error)}`, {
      next: 'Check that analyzer and repairer are of one version; the analyzer writes the record anew when the file changes.',
      cause: error,
    });
  }
}

function readEntry(bytes: Uint8Array): AtRiskEntry {
  const message = fromBinary(AtRiskFileSchema, bytes);
  const manifest = message.manifest;
  if (manifest === undefined) throw new RangeError('it has no manifest');
  if (manifest.uebHash.length !== 32) throw new RangeError('its UEB hash has not 32 bytes');
  const coding = checkCoding(manifest.k, manifest.n);
  const placements = message.placements.map((placement) => {
    if (placement.shareNumber >= coding.n)
      throw new RangeError(`share ${placement.shareNumber} is beyond n = ${coding.n}`);
    return {
      shareNumber: placement.shareNumber,
      peerId: peerIdFromBytes(placement.peerId),
      available: placement.available,
    };
  });
  return {
    manifest: {
      storageIndex: storageIndexFromBytes(manifest.storageIndex),
      uebHash: manifest.uebHash,
      ...coding,
      sizeBytes: Number(manifest.sizeBytes),
    },
    tag: manifest.tag,
    grade: gradeFromWire(message.grade) ?? gradeByShares(message, coding.k),
    available: message.available,
    retained: message.retained,
    counted: message.counted,
    margin: marginOf(message.available, coding.k),
    placements,
    cause: message.cause,
    sinceMs: Number(message.sinceMs),
    updatedAtMs: Number(message.updatedAtMs),
    risk: Number.isFinite(message.risk) ? message.risk : Number.MAX_VALUE,
    repairUpTo: Math.min(coding.n, Math.max(coding.k, message.repairUpTo)),
    maxSharesPerPeer: Math.max(1, message.maxSharesPerPeer),
    maxSharesPerDomain: Math.max(1, message.maxSharesPerDomain),
    revision: Number(message.revision),
    ownerGeneration: Number(message.ownerGeneration),
  };
}

/** For a grade of a newer release: whatever it is called, the file is on the list, so it needs repair. */
function gradeByShares({ available }: { readonly available: number }, k: number): Grade {
  return available < k ? 'lost' : available === k ? 'critical' : 'at-risk';
}

/** Null for one that only a newer release knows. */
function gradeFromWire(grade: FileGrade): Grade | null {
  switch (grade) {
    case FileGrade.LOST:
      return 'lost';
    case FileGrade.CRITICAL:
      return 'critical';
    case FileGrade.AT_RISK:
      return 'at-risk';
    case FileGrade.DEGRADED:
      return 'degraded';
    case FileGrade.HEALTHY:
      return 'healthy';
    case FileGrade.UNSPECIFIED:
      throw new RangeError('it has no grade');
  }
  return null;
}
