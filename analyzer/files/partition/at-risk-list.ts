/**
 * One partition's part of the at-risk topic: which files stand on the list, and what must be written so that the topic
 * says what the share map says. The topic is compacted, so its content is the list.
 */
import { crc32 } from 'node:zlib';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { ManifestOrigin as Origin } from '#mesh/events/share-batch.ts';
import { type AtRiskFile, AtRiskFileSchema, FileGrade, ManifestOrigin } from '#mesh/generated/events_pb.js';
import { compareGrades, type Grade, gradeOf, grades } from '#mesh/grade.ts';
import { peerIdToBytes } from '#mesh/peer-id.ts';
import { needsRepair } from '#mesh/share-counts.ts';
import {
  type StorageIndex,
  storageIndexBytes,
  storageIndexFromBytes,
  storageIndexToBytes,
} from '#mesh/storage-index.ts';
import type { FileHealth, PlacementView } from '../share-map/share-map.ts';
import { IndexHeads } from './index-heads.ts';

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
  /** The grade by its counted shares; null before it is judged here. */
  countedGrade: Grade | null;
  readonly sizeBytes: number;
  readonly sinceMs: number;
  /** A sum of the file's figures as they were told last. */
  readonly figures: number;
  /** Sums of what the topic says of the file: where neither has changed there is no news. */
  written: number;
  placements: number;
  revision: bigint;
}

/** A listed file as it is now. */
export interface ListedNow {
  /** Undefined where it is not watched any more. */
  readonly health: FileHealth | undefined;
  readonly placements: readonly PlacementView[];
}

const nothingWritten = -1;

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

export class AtRiskList {
  readonly #entries = new Map<StorageIndex, Entry>();
  /** Files whose record in the topic is not what it should be, in two classes: a newly critical file overtakes. */
  readonly #urgent = new Set<StorageIndex>();
  readonly #unwritten = new Set<StorageIndex>();
  /** Files on the list of which it is not known whether their placements are still those of their record. */
  readonly #touched = new Set<StorageIndex>();
  /** Files whose record is ahead of what was told of them: they are to be looked at until both say the same. */
  readonly #ahead = new Set<StorageIndex>();
  readonly #heads = new IndexHeads();
  readonly #byCountedGrade = new Map<Grade, { files: number; bytes: number }>();

  /** A record that is already in the topic; in order, from the first one kept. */
  load(key: Uint8Array, value: Uint8Array | null): void {
    const file = storageIndexFromBytes(key);
    if (value === null) {
      this.#drop(file);
      return;
    }
    const message = fromBinary(AtRiskFileSchema, value);
    const { sinceMs, revision, margin, risk: log10Loss } = message;
    const figures = figuresOf(message);
    this.#keep({
      file,
      sinceMs: Number(sinceMs),
      revision,
      margin,
      log10Loss,
      grade: grades.find((name) => fileGrades[name] === message.grade) ?? 'at-risk',
      figures,
      written: figures,
      placements: placementsOf(message),
      countedGrade: null,
      sizeBytes: Number(message.manifest?.sizeBytes ?? 0n),
    });
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

  /**
   * Puts a file on the list or takes it off by its new health; what the topic must be told then waits in `takeUnwritten`. Where
   * the topic has the same figures already, only its placements are still to be compared.
   */
  update(health: FileHealth, log10Loss: number, atMs: number): void {
    const { storageIndex: file, grade, margin } = health;
    if (health.settling || !needsRepair(health.counted, health.policy)) {
      this.remove(file);
      return;
    }
    const known = this.#entries.get(file);
    const figures = figuresOf(figureFieldsOf(health, log10Loss));
    const countedGrade = gradeOf(health.counted, health.policy);
    if (known?.figures === figures) {
      this.#count(known, -1);
      known.countedGrade = countedGrade;
      this.#count(known, 1);
      this.#touched.add(file);
      return;
    }
    const { sinceMs, revision, placements, written } = known ?? newEntry(atMs);
    const { sizeBytes } = health.manifest;
    const judged = { file, grade, margin, log10Loss, countedGrade, sizeBytes };
    this.#keep({ ...judged, sinceMs, revision, figures, written, placements });
    this.#wait(file, grade);
  }

  remove(file: StorageIndex): void {
    if (this.#drop(file)) this.#wait(file, 'healthy');
  }

  /** A batch speaks of these files: shares of those that are listed may have moved. @param storageIndexes 16 bytes each. */
  touch(storageIndexes: Uint8Array): void {
    if (this.#entries.size === 0) return;
    for (let at = 0; at < storageIndexes.length; at += storageIndexBytes) {
      if (!this.#heads.has(storageIndexes, at)) continue;
      const file = storageIndexFromBytes(storageIndexes, at);
      if (this.#entries.has(file)) this.#touched.add(file);
    }
  }

  /** Shares went away that no batch named: those of any file. */
  touchAll(): void {
    for (const file of this.#entries.keys()) this.#touched.add(file);
  }

  /** A new round of looking: files whose record was ahead of what was told of them are in it. */
  beginLooking(): void {
    for (const file of this.#ahead) this.#touched.add(file);
    this.#ahead.clear();
  }

  /**
   * Looks at some files that were touched. A share that only moved changes no figure, but a repair must know where it is; and a
   * file that changed after it was told of, was written so and has changed back, is not told of again.
   */
  lookAtTouched(mostFiles: number, nowOf: (file: StorageIndex) => ListedNow): void {
    let looked = 0;
    for (const file of this.#touched) {
      if (looked++ >= mostFiles) return;
      this.#touched.delete(file);
      const entry = this.#entries.get(file);
      if (entry === undefined || entry.written === nothingWritten) continue;
      const { health, placements } = nowOf(file);
      if (health === undefined) continue;
      const figures = figuresOf(figureFieldsOf(health, entry.log10Loss));
      if (entry.written !== figures || entry.placements !== sumOf(placements)) this.#wait(file, entry.grade);
      else if (entry.written !== entry.figures) this.#ahead.add(file);
    }
  }

  /** Files whose placements are still to be compared. */
  get touched(): number {
    return this.#touched.size;
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
    const known = facts();
    entry.placements = sumOf(known.placements);
    entry.written = figuresOf(figureFieldsOf(health, entry.log10Loss));
    if (entry.written !== entry.figures) this.#ahead.add(file);
    return { key, value: encodeEntry(health, entry, known) };
  }

  /** What is listed would need repair though every silent peer that may come back were up: by the grade that it would have then. */
  countedGrades(): ReadonlyMap<Grade, { files: number; bytes: number }> {
    return new Map([...this.#byCountedGrade].map(([grade, count]) => [grade, { ...count }]));
  }

  #count({ countedGrade, sizeBytes }: Entry, files: 1 | -1): void {
    if (countedGrade === null) return;
    const count = this.#byCountedGrade.get(countedGrade) ?? { files: 0, bytes: 0 };
    count.files += files;
    count.bytes += files * sizeBytes;
    this.#byCountedGrade.set(countedGrade, count);
  }

  #keep(entry: Entry): void {
    const before = this.#entries.get(entry.file);
    if (before === undefined) this.#heads.add(entry.file);
    else this.#count(before, -1);
    this.#count(entry, 1);
    this.#entries.set(entry.file, entry);
  }

  #drop(file: StorageIndex): boolean {
    this.#touched.delete(file);
    this.#ahead.delete(file);
    const before = this.#entries.get(file);
    if (before !== undefined) this.#count(before, -1);
    const was = this.#entries.delete(file);
    if (was) this.#heads.remove(file);
    return was;
  }

  #wait(file: StorageIndex, grade: Grade): void {
    const isUrgent = compareGrades(grade, 'critical') <= 0;
    (isUrgent ? this.#urgent : this.#unwritten).add(file);
    (isUrgent ? this.#unwritten : this.#urgent).delete(file);
  }
}

function newEntry(sinceMs: number): Pick<Entry, 'sinceMs' | 'revision' | 'placements' | 'written'> {
  return { sinceMs, revision: 0n, placements: 0, written: nothingWritten };
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

type FigureFields = Pick<
  AtRiskFile,
  'grade' | 'available' | 'retained' | 'counted' | 'risk' | 'repairUpTo' | 'maxSharesPerPeer' | 'maxSharesPerDomain'
> & { readonly manifest?: { readonly uebHash: Uint8Array; readonly tag: string } | undefined };

function figureFieldsOf(health: FileHealth, log10Loss: number): FigureFields {
  const { manifest, policy, grade, available, retained, counted, tag } = health;
  const { repairUpTo, maxSharesPerPeer, maxSharesPerDomain } = policy;
  const figures = { available, retained, counted, repairUpTo, maxSharesPerPeer, maxSharesPerDomain };
  return { ...figures, grade: fileGrades[grade], risk: log10Loss, manifest: { uebHash: manifest.uebHash, tag } };
}

/** A checksum of what an entry says beside placements and cause. */
function figuresOf(fields: FigureFields): number {
  const { grade, available, retained, counted, risk, repairUpTo, maxSharesPerPeer, maxSharesPerDomain } = fields;
  const figures = [grade, available, retained, counted, risk, repairUpTo, maxSharesPerPeer, maxSharesPerDomain];
  return crc32(`${figures.join(' ')} ${fields.manifest?.tag}`, crc32(fields.manifest?.uebHash ?? new Uint8Array()));
}

function placementsOf({ placements }: AtRiskFile): number {
  return placements.reduce((sum, { shareNumber, peerId }) => (sum + crc32(peerId, shareNumber)) >>> 0, 0);
}

/** The same in any order. Corrupt shares stand in no entry. */
function sumOf(placements: readonly PlacementView[]): number {
  let sum = 0;
  for (const { shareNumber, peer, corrupt } of placements) {
    if (!corrupt) sum = (sum + crc32(peerIdToBytes(peer), shareNumber)) >>> 0;
  }
  return sum;
}
