/**
 * One partition's part of the at-risk topic: which files stand on the list, and what must be written so that the topic
 * says what the share map says. The topic is compacted, so its content is the list.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { AtRiskFileSchema, FileGrade, ManifestOrigin } from '#mesh/generated/events_pb.js';
import { compareGrades, type Grade, grades, needsRepair } from '#mesh/grade.ts';
import { peerIdToBytes } from '#mesh/peer-id.ts';
import { type StorageIndex, storageIndexFromBytes, storageIndexToBytes } from '#mesh/storage-index.ts';
import type { FileHealth, ManifestOrigin as Origin, PlacementView } from '../share-map/share-map.ts';

export interface ListRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

/** What an entry says beside the file's health. */
export interface EntryFacts {
  readonly atMs: number;
  readonly ownerGeneration: number;
  readonly placements: readonly PlacementView[];
  readonly origin: Origin;
  readonly cause: string;
}

/** A file that stands on the list, by what orders it. */
export interface Listed {
  readonly file: StorageIndex;
  readonly grade: Grade;
  readonly margin: number;
  readonly log10Loss: number;
}

interface Entry extends Listed {
  readonly sinceMs: number;
  revision: bigint;
}

export const fileGrades: Readonly<Record<Grade, FileGrade>> = {
  lost: FileGrade.LOST,
  critical: FileGrade.CRITICAL,
  'at-risk': FileGrade.AT_RISK,
  degraded: FileGrade.DEGRADED,
  healthy: FileGrade.HEALTHY,
};

/** Negative where `a` is more urgent. */
export function compareUrgency(a: Listed, b: Listed): number {
  return b.log10Loss - a.log10Loss || a.margin - b.margin || (a.file < b.file ? -1 : 1);
}

export class StandingList {
  readonly #entries = new Map<StorageIndex, Entry>();
  /** Files whose record in the topic is not what it should be, in two classes: a newly critical file overtakes. */
  readonly #urgent = new Set<StorageIndex>();
  readonly #unwritten = new Set<StorageIndex>();

  /** A record that is already in the topic; in order, from the first one kept. */
  load(key: Uint8Array, value: Uint8Array | null): void {
    const file = storageIndexFromBytes(key);
    if (value === null) {
      this.#entries.delete(file);
      return;
    }
    const { sinceMs, revision, margin, risk, grade } = fromBinary(AtRiskFileSchema, value);
    const known = grades.find((name) => fileGrades[name] === grade) ?? 'at-risk';
    this.#entries.set(file, { file, sinceMs: Number(sinceMs), revision, margin, log10Loss: risk, grade: known });
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Files whose record waits to be written. */
  get waiting(): number {
    return this.#urgent.size + this.#unwritten.size;
  }

  has(file: StorageIndex): boolean {
    return this.#entries.has(file);
  }

  entries(): Iterable<Listed> {
    return this.#entries.values();
  }

  /** Puts a file on the list or takes it off by its new health; what the topic must be told then waits in `takeUnwritten`. */
  update(health: FileHealth, log10Loss: number, atMs: number): void {
    const { storageIndex: file, grade, margin } = health;
    if (health.settling || !needsRepair(health.counted, health.policy)) {
      this.remove(file);
      return;
    }
    const known = this.#entries.get(file);
    const sinceMs = known?.sinceMs ?? atMs;
    this.#entries.set(file, { file, grade, margin, log10Loss, sinceMs, revision: known?.revision ?? 0n });
    this.#wait(file, grade);
  }

  remove(file: StorageIndex): void {
    if (this.#entries.delete(file)) this.#wait(file, 'healthy');
  }

  /** Files to be written next, the urgent ones first. What then cannot be written goes back by `putBack`. */
  takeUnwritten(limit: number): readonly StorageIndex[] {
    const taken: StorageIndex[] = [];
    for (const waiting of [this.#urgent, this.#unwritten]) {
      for (const file of waiting) {
        if (taken.length >= limit) return taken;
        waiting.delete(file);
        taken.push(file);
      }
    }
    return taken;
  }

  putBack(files: readonly StorageIndex[]): void {
    for (const file of files) this.#wait(file, this.#entries.get(file)?.grade ?? 'healthy');
  }

  /** What the topic must say of the file now: an entry with its health, or a tombstone where it is not listed. */
  recordOf(file: StorageIndex, health: FileHealth | undefined, facts: () => EntryFacts): ListRecord {
    const key = storageIndexToBytes(file);
    const entry = this.#entries.get(file);
    if (entry === undefined || health === undefined) return { key, value: null };
    entry.revision += 1n;
    return { key, value: encodeEntry(health, entry, facts()) };
  }

  #wait(file: StorageIndex, grade: Grade): void {
    const isUrgent = compareGrades(grade, 'critical') <= 0;
    (isUrgent ? this.#urgent : this.#unwritten).add(file);
    (isUrgent ? this.#unwritten : this.#urgent).delete(file);
  }
}

function encodeEntry(health: FileHealth, entry: Entry, facts: EntryFacts): Uint8Array {
  const { manifest, policy } = health;
  return toBinary(
    AtRiskFileSchema,
    create(AtRiskFileSchema, {
      manifest: {
        storageIndex: storageIndexToBytes(manifest.storageIndex),
        uebHash: manifest.uebHash,
        k: manifest.k,
        n: manifest.n,
        sizeBytes: BigInt(manifest.sizeBytes),
        origin: facts.origin === 'owner' ? ManifestOrigin.OWNER : ManifestOrigin.DERIVED,
        tag: health.tag,
      },
      grade: fileGrades[health.grade],
      available: health.available,
      retained: health.retained,
      counted: health.counted,
      margin: health.margin,
      placements: facts.placements
        .filter((placement) => !placement.corrupt)
        .map(({ shareNumber, peer, available }) => ({ shareNumber, peerId: peerIdToBytes(peer), available })),
      cause: facts.cause,
      sinceMs: BigInt(Math.round(entry.sinceMs)),
      updatedAtMs: BigInt(Math.round(facts.atMs)),
      risk: entry.log10Loss,
      repairUpTo: policy.repairUpTo,
      maxSharesPerPeer: policy.maxSharesPerPeer,
      maxSharesPerDomain: policy.maxSharesPerDomain,
      revision: entry.revision,
      ownerGeneration: BigInt(facts.ownerGeneration),
    }),
  );
}
