/**
 * The share map on plain JavaScript maps: every rule as it is meant, at about 120 bytes a share.
 * What a faster one must agree with.
 */
import type { Coding } from '#mesh/coding.ts';
import type { Grade } from '#mesh/grade.ts';
import { grades } from '#mesh/grade.ts';
import { compareOrder } from '#mesh/incarnation.ts';
import { sameManifest } from '#mesh/manifest.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { Policy } from '#mesh/policy.ts';
import { type StorageIndex, storageIndexBytes, storageIndexFromBytes } from '#mesh/storage-index.ts';
import { type HealthInput, healthOf, sameHealth } from './health.ts';
import type { PeerTable } from './peer-table.ts';
import {
  type AppliedOrder,
  type ApplyOutcome,
  eventKinds,
  type FileHealth,
  type FileRegistration,
  type FileRow,
  type PeerBatch,
  type PlacementRow,
  type PlacementView,
  type ShareMap,
  type ShareMapChanges,
  type StoredShareMap,
  type Sweep,
  unknownRegistration,
} from './share-map.ts';

interface Placement {
  readonly shareNumber: number;
  readonly peer: number;
  corrupt: boolean;
  generation: number;
}

interface FileEntry {
  readonly storageIndex: StorageIndex;
  registration: FileRegistration | null;
  policy: Policy | null;
  deleted: boolean;
  readonly placements: Map<number, Placement>;
  health: FileHealth | null;
  registeredAtMs: number;
  /** It once had enough shares, or was known for long enough: from then on it is judged as it stands. */
  settled: boolean;
}

interface PeerProgress {
  incarnation: number;
  sequence: number;
  generation: number;
  openGeneration: number;
}

export interface ShareMapOptions {
  readonly peers: PeerTable;
  readonly policyFor: (coding: Coding, tag: string) => Policy;
  /** Files beyond this are refused and counted in `refusedFiles`. */
  readonly maxFiles: number;
  /** How long a new file may take to show its shares before it is judged. */
  readonly settleMs: number;
}

/** Share numbers are below 256, so peer and number make one key. */
const placementKey = (peer: number, shareNumber: number): number => peer * 256 + shareNumber;

export class PlainShareMap implements ShareMap {
  readonly #options: ShareMapOptions;
  readonly #files = new Map<StorageIndex, FileEntry>();
  readonly #progress = new Map<number, PeerProgress>();
  readonly #touched = new Set<FileEntry>();
  /** By file and not by entry: an entry that held nothing any more may be gone and there anew between two takings. */
  readonly #changedPlacements = new Map<StorageIndex, Set<number>>();
  readonly #changedFiles = new Set<FileEntry>();
  readonly #changedProgress = new Set<number>();
  placementCount = 0;
  /** Files that found no room. */
  refusedFiles = 0;

  constructor(options: ShareMapOptions) {
    this.#options = options;
  }

  get fileCount(): number {
    return this.#files.size;
  }

  apply(batch: PeerBatch, atMs: number): ApplyOutcome {
    const peer = this.#options.peers.numberOf(batch.peer);
    const progress = this.#progress.get(peer) ?? { incarnation: 0, sequence: 0, generation: 0, openGeneration: 0 };
    if (compareOrder(batch, progress) <= 0) return { applied: false, events: 0, forgotten: 0, conflicts: 0 };
    this.#progress.set(peer, progress);
    this.#changedProgress.add(peer);
    progress.incarnation = batch.incarnation;
    progress.sequence = batch.sequence;

    let conflicts = 0;
    for (const registration of batch.registrations) if (!this.#register(registration, atMs)) conflicts++;
    if (batch.inventory?.phase === 'begin') progress.openGeneration = batch.inventory.generation;
    const generation = progress.openGeneration === 0 ? progress.generation : progress.openGeneration;
    for (let i = 0; i < batch.kinds.length; i++) {
      this.#applyEvent(batch, i, peer, generation);
    }
    let forgotten = 0;
    // Without its begin an inventory has not named everything: its end takes nothing away.
    if (
      batch.inventory?.phase === 'end' &&
      progress.openGeneration !== 0 &&
      batch.inventory.generation === progress.openGeneration
    ) {
      progress.generation = progress.openGeneration;
      progress.openGeneration = 0;
      forgotten = this.#forgetUnnamed(peer, progress.generation);
    }
    for (let i = 0; i < batch.deletedFiles.length; i += storageIndexBytes) {
      this.#delete(storageIndexFromBytes(batch.deletedFiles, i));
    }
    return { applied: true, events: batch.kinds.length, forgotten, conflicts };
  }

  #applyEvent(batch: PeerBatch, i: number, peer: number, generation: number): void {
    const index = storageIndexFromBytes(batch.storageIndexes, i * storageIndexBytes);
    const shareNumber = batch.shareNumbers[i] as number;
    const key = placementKey(peer, shareNumber);
    const kind = batch.kinds[i] as number;
    if (kind === eventKinds.lost) {
      const file = this.#files.get(index);
      if (file?.placements.has(key) === true) this.#remove(file, key);
      return;
    }
    const file = this.#entry(index);
    if (file === null) return;
    const known = file.placements.get(key);
    // An inventory names what is there, not what is sound: only a check of the content clears a corrupt share.
    const corrupt = kind === eventKinds.corrupt || (kind === eventKinds.stored && known?.corrupt === true);
    if (known === undefined) {
      file.placements.set(key, { shareNumber, peer, corrupt, generation });
      this.placementCount++;
    } else {
      if (known.corrupt === corrupt && known.generation === generation) return;
      known.corrupt = corrupt;
      known.generation = generation;
    }
    this.#placementChanged(file, key);
  }

  #forgetUnnamed(peer: number, generation: number): number {
    let forgotten = 0;
    for (const file of this.#files.values()) {
      for (const [key, placement] of file.placements) {
        if (placement.peer !== peer || placement.generation === generation) continue;
        this.#remove(file, key);
        forgotten++;
      }
    }
    return forgotten;
  }

  #remove(file: FileEntry, key: number): void {
    file.placements.delete(key);
    this.placementCount--;
    this.#placementChanged(file, key);
    if (file.placements.size === 0 && file.registration === null && !file.deleted)
      this.#files.delete(file.storageIndex);
  }

  /** @returns false where the registration contradicts a better or earlier one. */
  #register(registration: FileRegistration, atMs: number): boolean {
    const file = this.#entry(registration.manifest.storageIndex);
    if (file === null) return true;
    const known = file.registration;
    const byOwner = registration.origin === 'owner';
    if (known !== null) {
      const same = sameManifest(known.manifest, registration.manifest);
      if (known.origin === 'owner' && !byOwner) return same;
      if (!byOwner) return same;
      if (same && known.origin === 'owner' && known.tag === registration.tag && !file.deleted) return true;
    }
    if (known === null || file.deleted) {
      file.registeredAtMs = atMs;
      file.settled = false;
    }
    if (byOwner) file.deleted = false;
    file.registration = registration;
    file.policy = this.#options.policyFor(registration.manifest, registration.tag);
    this.#changedFiles.add(file);
    this.#touched.add(file);
    return true;
  }

  /** Holds for a file that is not known yet too: what peers say of it later must not bring it back. Its owner can. */
  #delete(index: StorageIndex): void {
    const file = this.#entry(index);
    if (file === null || file.deleted) return;
    file.deleted = true;
    this.#changedFiles.add(file);
    this.#touched.add(file);
  }

  #entry(index: StorageIndex): FileEntry | null {
    const known = this.#files.get(index);
    if (known !== undefined) return known;
    if (this.#files.size >= this.#options.maxFiles) {
      this.refusedFiles++;
      return null;
    }
    const file: FileEntry = {
      storageIndex: index,
      registration: null,
      policy: null,
      deleted: false,
      placements: new Map(),
      health: null,
      registeredAtMs: 0,
      settled: false,
    };
    this.#files.set(index, file);
    return file;
  }

  #placementChanged(file: FileEntry, key: number): void {
    this.#touched.add(file);
    const keys = this.#changedPlacements.get(file.storageIndex);
    if (keys === undefined) this.#changedPlacements.set(file.storageIndex, new Set([key]));
    else keys.add(key);
  }

  sweep(atMs: number): Sweep {
    const byGrade = new Map<Grade, { files: number; bytes: number }>(
      grades.map((grade) => [grade, { files: 0, bytes: 0 }]),
    );
    const byPolicy = new Map<string, Map<Grade, { files: number; bytes: number }>>();
    const byMargin = new Map<string, Map<number, { files: number; bytes: number }>>();
    const changed: FileHealth[] = [];
    let files = 0;
    let bytes = 0;
    let filesWithoutManifest = 0;
    let settlingFiles = 0;
    this.#touched.clear();
    for (const file of this.#files.values()) {
      if (file.deleted) continue;
      const health = this.#lookAt(file, changed, atMs);
      if (health === null) {
        filesWithoutManifest++;
        continue;
      }
      if (health.settling) {
        settlingFiles++;
        continue;
      }
      const size = health.manifest.sizeBytes;
      files++;
      bytes += size;
      addTo(byGrade, health.grade, size);
      addTo(ofPolicy(byPolicy, health.policy.name), health.grade, size);
      addTo(ofPolicy(byMargin, health.policy.name), health.margin, size);
    }
    return { totals: { files, bytes, filesWithoutManifest, settlingFiles, byGrade, byPolicy, byMargin }, changed };
  }

  lookAtTouched(atMs: number): readonly FileHealth[] {
    const changed: FileHealth[] = [];
    for (const file of this.#touched) if (!file.deleted) this.#lookAt(file, changed, atMs);
    this.#touched.clear();
    return changed;
  }

  #lookAt(file: FileEntry, changed: FileHealth[], atMs: number): FileHealth | null {
    const health = this.#healthOf(file, atMs);
    if (health === null) return null;
    if (!health.settling) file.settled = true;
    if (file.health !== null && sameHealth(file.health, health)) return file.health;
    file.health = health;
    changed.push(health);
    return health;
  }

  #healthOf(file: FileEntry, atMs: number): FileHealth | null {
    const { registration, policy } = file;
    if (registration === null || policy === null) return null;
    const isSettling = (counted: number): boolean =>
      !file.settled && counted < policy.repairBelow && atMs - file.registeredAtMs < this.#options.settleMs;
    return healthOf(registration, policy, this.#inputs(file), isSettling);
  }

  *#inputs(file: FileEntry): Generator<HealthInput> {
    for (const placement of file.placements.values()) {
      yield {
        shareNumber: placement.shareNumber,
        corrupt: placement.corrupt,
        peer: this.#options.peers.row(placement.peer),
      };
    }
  }

  health(index: StorageIndex, atMs: number): FileHealth | undefined {
    const file = this.#files.get(index);
    if (file === undefined || file.deleted) return undefined;
    return this.#healthOf(file, atMs) ?? undefined;
  }

  find(index: StorageIndex): { registration: FileRegistration | null; deleted: boolean } | undefined {
    const file = this.#files.get(index);
    return file === undefined ? undefined : { registration: file.registration, deleted: file.deleted };
  }

  placements(index: StorageIndex): readonly PlacementView[] {
    const file = this.#files.get(index);
    if (file === undefined) return [];
    return [...file.placements.values()].map((placement) => {
      const row = this.#options.peers.row(placement.peer);
      const sound = !placement.corrupt;
      return {
        shareNumber: placement.shareNumber,
        peer: row.peer,
        corrupt: placement.corrupt,
        available: sound && row.available,
        counted: sound && row.counted,
      };
    });
  }

  takeChanges(): ShareMapChanges {
    const placements: PlacementRow[] = [];
    for (const [storageIndex, keys] of this.#changedPlacements) {
      const file = this.#files.get(storageIndex);
      for (const key of keys) {
        const placement = file?.placements.get(key);
        placements.push({
          storageIndex,
          shareNumber: key % 256,
          peer: this.#options.peers.row(Math.floor(key / 256)).peer,
          state: placement === undefined ? 'lost' : placement.corrupt ? 'corrupt' : 'stored',
          generation: placement?.generation ?? 0,
        });
      }
    }
    const files: FileRow[] = [];
    for (const file of this.#changedFiles) {
      const registration = file.registration ?? unknownRegistration(file.storageIndex);
      files.push({ ...registration, deleted: file.deleted, registeredAtMs: file.registeredAtMs });
    }
    const applied = [...this.#changedProgress].map((peer) => this.#appliedOrder(peer));
    this.#changedPlacements.clear();
    this.#changedFiles.clear();
    this.#changedProgress.clear();
    return { placements, files, applied };
  }

  #appliedOrder(peer: number): AppliedOrder {
    return { peer: this.#options.peers.row(peer).peer, ...(this.#progress.get(peer) as PeerProgress) };
  }

  load(rows: StoredShareMap): void {
    for (const row of rows.files) {
      const file = this.#entry(row.manifest.storageIndex);
      if (file === null) continue;
      file.deleted = row.deleted;
      if (row.manifest.n === 0) continue;
      file.registration = { manifest: row.manifest, origin: row.origin, tag: row.tag };
      file.policy = this.#options.policyFor(row.manifest, row.tag);
      file.registeredAtMs = row.registeredAtMs;
    }
    for (const index of rows.settled ?? []) {
      const file = this.#files.get(index);
      if (file !== undefined) file.settled = true;
    }
    for (const row of rows.placements) {
      const file = row.state === 'lost' ? null : this.#entry(row.storageIndex);
      if (file === null) continue;
      const peer = this.#options.peers.numberOf(row.peer);
      const key = placementKey(peer, row.shareNumber);
      if (!file.placements.has(key)) this.placementCount++;
      file.placements.set(key, {
        shareNumber: row.shareNumber,
        peer,
        corrupt: row.state === 'corrupt',
        generation: row.generation,
      });
    }
    for (const { peer, ...progress } of rows.applied)
      this.#progress.set(this.#options.peers.numberOf(peer), { ...progress });
  }

  /** For tests and answers about one peer. */
  appliedOf(peer: PeerId): AppliedOrder | undefined {
    const number = this.#options.peers.find(peer);
    return number === undefined || !this.#progress.has(number) ? undefined : this.#appliedOrder(number);
  }
}

function addTo<K>(counts: Map<K, { files: number; bytes: number }>, key: K, bytes: number): void {
  const entry = counts.get(key);
  if (entry === undefined) counts.set(key, { files: 1, bytes });
  else {
    entry.files++;
    entry.bytes += bytes;
  }
}

function ofPolicy<K>(
  counts: Map<string, Map<K, { files: number; bytes: number }>>,
  policy: string,
): Map<K, { files: number; bytes: number }> {
  const known = counts.get(policy) ?? new Map<K, { files: number; bytes: number }>();
  counts.set(policy, known);
  return known;
}
