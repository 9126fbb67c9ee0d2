/** Entries as the analyzer writes them into the log. */
import { create, toBinary } from '@bufbuild/protobuf';
import type { AppendRecord } from '#log/port.ts';
import { AtRiskFileSchema, AtRiskOwnerSchema, FileGrade } from '#mesh/generated/events_pb.js';
import type { Grade } from '#mesh/grade.ts';
import { generationHeader, ownerKey } from '#mesh/list-fence.ts';
import { peerIdToBytes } from '#mesh/peer-id.ts';
import { type StorageIndex, storageIndexToBytes } from '#mesh/storage-index.ts';
import type { AtRiskEntry } from '../queue/at-risk.ts';

const wireGrades: Readonly<Record<Grade, FileGrade>> = {
  lost: FileGrade.LOST,
  critical: FileGrade.CRITICAL,
  'at-risk': FileGrade.AT_RISK,
  degraded: FileGrade.DEGRADED,
  healthy: FileGrade.HEALTHY,
};

export function recordOf(
  entry: AtRiskEntry,
  partition = 0,
  headers: Readonly<Record<string, string>> = {},
): AppendRecord {
  const { manifest } = entry;
  const message = create(AtRiskFileSchema, {
    manifest: {
      storageIndex: storageIndexToBytes(manifest.storageIndex),
      uebHash: manifest.uebHash,
      k: manifest.k,
      n: manifest.n,
      sizeBytes: BigInt(manifest.sizeBytes),
      tag: entry.tag,
    },
    grade: wireGrades[entry.grade],
    available: entry.available,
    retained: entry.retained,
    counted: entry.counted,
    margin: entry.margin,
    placements: entry.placements.map((placement) => ({
      shareNumber: placement.shareNumber,
      peerId: peerIdToBytes(placement.peerId),
      available: placement.available,
    })),
    cause: entry.cause,
    sinceMs: BigInt(entry.sinceMs),
    updatedAtMs: BigInt(entry.updatedAtMs),
    risk: entry.risk,
    repairUpTo: entry.repairUpTo,
    maxSharesPerPeer: entry.maxSharesPerPeer,
    maxSharesPerDomain: entry.maxSharesPerDomain,
    revision: BigInt(entry.revision),
    ownerGeneration: BigInt(entry.ownerGeneration),
  });
  return {
    partition,
    key: storageIndexToBytes(manifest.storageIndex),
    value: toBinary(AtRiskFileSchema, message),
    headers,
  };
}

export function tombstoneOf(storageIndex: StorageIndex, partition = 0): AppendRecord {
  return { partition, key: storageIndexToBytes(storageIndex), value: null };
}

/** An entry or tombstone as an analyzer of this generation writes it. */
export function under(generation: number, record: AppendRecord): AppendRecord {
  return { ...record, headers: { ...record.headers, [generationHeader]: String(generation) } };
}

/** What an analyzer writes when it takes a partition over (`fenceOffset` 0), and when it has judged every file of it. */
export function ownerRecordOf(
  generation: number,
  fields: { readonly fenceOffset?: number; readonly confirmed?: boolean; readonly partition?: number } = {},
): AppendRecord {
  const { fenceOffset = 0, confirmed = false, partition = 0 } = fields;
  const owner = { generation: BigInt(generation), fenceOffset: BigInt(fenceOffset), confirmed };
  const value = toBinary(AtRiskOwnerSchema, create(AtRiskOwnerSchema, owner));
  return under(generation, { partition, key: ownerKey, value });
}
