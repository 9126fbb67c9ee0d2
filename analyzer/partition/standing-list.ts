/**
 * One partition's part of the at-risk topic: which files stand on the list, and what must be written so that the topic
 * says what the share map says. The topic is compacted, so its content is the list.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { AtRiskFileSchema, FileGrade, ManifestOrigin } from '#mesh/generated/events_pb.js';
import type { Grade } from '#mesh/grade.ts';
import { needsRepair } from '#mesh/grade.ts';
import { peerIdToBytes } from '#mesh/peer-id.ts';
import { type StorageIndex, storageIndexFromBytes, storageIndexToBytes } from '#mesh/storage-index.ts';
import type { FileHealth, ManifestOrigin as Origin, PlacementView } from '../share-map/share-map.ts';

export interface ListRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

export interface ListContext {
  readonly atMs: number;
  readonly ownerGeneration: number;
  readonly log10LossOf: (shares: number, k: number) => number;
  readonly placementsOf: (file: StorageIndex) => readonly PlacementView[];
  readonly originOf: (file: StorageIndex) => Origin;
  readonly causeOf: (health: FileHealth, placements: readonly PlacementView[]) => string;
}

interface Listed {
  readonly sinceMs: number;
  readonly revision: bigint;
}

export const fileGrades: Readonly<Record<Grade, FileGrade>> = {
  lost: FileGrade.LOST,
  critical: FileGrade.CRITICAL,
  'at-risk': FileGrade.AT_RISK,
  degraded: FileGrade.DEGRADED,
  healthy: FileGrade.HEALTHY,
};

export class StandingList {
  readonly #listed = new Map<StorageIndex, Listed>();

  /** A record that is already in the topic; in order, from the first one kept. */
  load(key: Uint8Array, value: Uint8Array | null): void {
    const file = storageIndexFromBytes(key);
    if (value === null) {
      this.#listed.delete(file);
      return;
    }
    const entry = fromBinary(AtRiskFileSchema, value);
    this.#listed.set(file, { sinceMs: Number(entry.sinceMs), revision: entry.revision });
  }

  get size(): number {
    return this.#listed.size;
  }

  has(file: StorageIndex): boolean {
    return this.#listed.has(file);
  }

  files(): Iterable<StorageIndex> {
    return this.#listed.keys();
  }

  /** What to write because of one file's new health: an entry, a tombstone, or nothing. */
  update(health: FileHealth, context: ListContext): ListRecord | null {
    const file = health.storageIndex;
    if (health.settling || !needsRepair(health.counted, health.policy)) return this.remove(file);
    const known = this.#listed.get(file);
    const listed: Listed = { sinceMs: known?.sinceMs ?? context.atMs, revision: (known?.revision ?? 0n) + 1n };
    this.#listed.set(file, listed);
    return { key: storageIndexToBytes(file), value: entryOf(health, listed, context) };
  }

  remove(file: StorageIndex): ListRecord | null {
    return this.#listed.delete(file) ? { key: storageIndexToBytes(file), value: null } : null;
  }
}

function entryOf(health: FileHealth, listed: Listed, context: ListContext): Uint8Array {
  const { manifest, policy } = health;
  const placements = context.placementsOf(health.storageIndex);
  return toBinary(
    AtRiskFileSchema,
    create(AtRiskFileSchema, {
      manifest: {
        storageIndex: storageIndexToBytes(manifest.storageIndex),
        uebHash: manifest.uebHash,
        k: manifest.k,
        n: manifest.n,
        sizeBytes: BigInt(manifest.sizeBytes),
        origin: context.originOf(manifest.storageIndex) === 'owner' ? ManifestOrigin.OWNER : ManifestOrigin.DERIVED,
        tag: health.tag,
      },
      grade: fileGrades[health.grade],
      available: health.available,
      retained: health.retained,
      counted: health.counted,
      margin: health.margin,
      placements: placements
        .filter((placement) => !placement.corrupt)
        .map(({ shareNumber, peer, available }) => ({ shareNumber, peerId: peerIdToBytes(peer), available })),
      cause: context.causeOf(health, placements),
      sinceMs: BigInt(listed.sinceMs),
      updatedAtMs: BigInt(context.atMs),
      risk: context.log10LossOf(health.counted, manifest.k),
      repairUpTo: policy.repairUpTo,
      maxSharesPerPeer: policy.maxSharesPerPeer,
      maxSharesPerDomain: policy.maxSharesPerDomain,
      revision: listed.revision,
      ownerGeneration: BigInt(context.ownerGeneration),
    }),
  );
}
