/**
 * The share map on plain JavaScript maps: every rule as it is meant, at about 120 bytes a share.
 * What a faster one must agree with.
 */
import { eventKinds, type FileRegistration, type PeerBatch, type ShareFinding } from '#mesh/events/share-batch.ts';
import { sameManifest } from '#mesh/manifest.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { Policy } from '#mesh/policy.ts';
import { type StorageIndex, storageIndexBytes, storageIndexFromBytes } from '#mesh/storage-index.ts';
import { fullConfidence } from '#native/share-map.ts';
import { ChangedPlacements } from '../changed-placements.ts';
import { type HealthInput, healthOf, sameHealth } from '../health.ts';
import { type AppliedOrder, type FileRow, type PlacementRow } from '../kept-rows.ts';
import { PeerProgress } from '../peer-progress.ts';
import {
  type ApplyOutcome,
  type ExpectedShortfall,
  type FileHealth,
  type Look,
  mostOtherPlacements,
  type PlacementView,
  type ShareMap,
  type ShareMapChanges,
  type ShareMapLimits,
  type ShareMapOptions,
  type StoredShareMap,
  type Sweep,
  type SweepBeside,
  unknownRegistration,
} from '../share-map.ts';
import {
  type FileBlock,
  fileRowsOf,
  type PlacementBlock,
  placementBlockOf,
  placementRowsOf,
} from '../stored-blocks.ts';
import { TotalsCount } from '../totals.ts';
import { exposureOf, type JudgedFile } from './plain-exposure.ts';

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

const isUnregistered = ({ registration, deleted }: FileEntry): boolean => registration === null && !deleted;

const nothing: StoredShareMap = { placements: [], files: [], applied: [] };

/** Share numbers are below 256, so peer and number make one key. */
const placementKey = (peer: number, shareNumber: number): number => peer * 256 + shareNumber;

export class PlainShareMap implements ShareMap {
  readonly #options: ShareMapOptions;
  readonly #files = new Map<StorageIndex, FileEntry>();
  readonly progress: PeerProgress;
  readonly #touched = new Set<FileEntry>();
  readonly #changedPlacements = new ChangedPlacements();
  readonly #changedFiles = new Set<FileEntry>();
  #limits: ShareMapLimits;
  placementCount = 0;
  refusedUnregistered = 0;
  /** Files that found no room. */
  refusedFiles = 0;
  refusedPlacements = 0;

  constructor(options: ShareMapOptions) {
    this.#options = options;
    this.progress = new PeerProgress();
    const { maxFiles } = options;
    this.#limits = { files: maxFiles, registeredFiles: maxFiles, unregisteredPerPeer: Number.POSITIVE_INFINITY };
  }

  get registeredCount(): number {
    return [...this.#files.values()].filter((file) => !isUnregistered(file)).length;
  }

  limit(limits: ShareMapLimits): void {
    this.#limits = limits;
  }

  freeUnregistered(peer: PeerId): void {
    const number = this.#options.peers.find(peer);
    for (const file of [...this.#files.values()].filter(isUnregistered)) {
      for (const [key, placement] of file.placements) if (placement.peer === number) this.#remove(file, key);
    }
  }

  /** Whether the peer may hold more of files of which nobody has said what they are. */
  #mayHoldMore(peer: number): boolean {
    const { unregisteredPerPeer } = this.#limits;
    if (unregisteredPerPeer === Number.POSITIVE_INFINITY) return true;
    let held = 0;
    for (const file of this.#files.values()) {
      if (!isUnregistered(file)) continue;
      for (const placement of file.placements.values()) if (placement.peer === peer) held++;
    }
    if (held < unregisteredPerPeer) return true;
    this.refusedUnregistered++;
    return false;
  }

  get fileCount(): number {
    return this.#files.size;
  }

  apply(batch: PeerBatch, atMs: number): ApplyOutcome {
    const step = this.progress.take(batch);
    if (step === null) return { applied: false, events: 0, forgotten: 0, conflicts: 0 };
    const peer = this.#options.peers.numberOf(batch.peer);
    let conflicts = 0;
    for (const registration of batch.registrations) if (!this.#register(registration, atMs)) conflicts++;
    for (let i = 0; i < batch.kinds.length; i++) this.#applyEvent(batch, i, peer, step.generation);
    const forgotten = step.endsInventory ? this.#forgetUnnamed(peer, step.generation) : 0;
    for (let i = 0; i < batch.deletedFiles.length; i += storageIndexBytes) {
      this.#delete(storageIndexFromBytes(batch.deletedFiles, i));
    }
    return { applied: true, events: batch.kinds.length, forgotten, conflicts };
  }

  applyFinding({ storageIndex, peer, shareNumber }: ShareFinding): boolean {
    const file = this.#files.get(storageIndexFromBytes(storageIndex));
    const key = placementKey(this.#options.peers.numberOf(peer), shareNumber);
    const known = file?.placements.get(key);
    if (file === undefined || known === undefined || known.corrupt) return false;
    this.#settleIfWhole(file);
    known.corrupt = true;
    known.generation = this.progress.generationOf(peer);
    this.#placementChanged(file, key);
    return true;
  }

  #applyEvent(batch: PeerBatch, i: number, peer: number, generation: number): void {
    const index = storageIndexFromBytes(batch.storageIndexes, i * storageIndexBytes);
    const shareNumber = batch.shareNumbers[i] as number;
    const key = placementKey(peer, shareNumber);
    const kind = batch.kinds[i] as number;
    const before = this.#files.get(index);
    if (before !== undefined && (kind === eventKinds.lost || kind === eventKinds.corrupt)) this.#settleIfWhole(before);
    if (kind === eventKinds.lost) {
      const file = this.#files.get(index);
      if (file?.placements.has(key) === true) this.#remove(file, key);
      return;
    }
    if (!this.#files.has(index) && !this.#mayHoldMore(peer)) return;
    const file = this.#entry(index, 'event');
    if (file === null) return;
    const known = file.placements.get(key);
    // An inventory names what is there, not what is sound: only a check of the content clears a corrupt share.
    const corrupt = kind === eventKinds.corrupt || (kind === eventKinds.stored && known?.corrupt === true);
    if (known === undefined) {
      const isNew = file.placements.size === 0;
      if (!isNew && isUnregistered(file) && !this.#mayHoldMore(peer)) return;
      if (!this.#hasRoom(file, shareNumber)) return;
      file.placements.set(key, { shareNumber, peer, corrupt, generation });
      this.placementCount++;
    } else {
      if (known.corrupt === corrupt && known.generation === generation) return;
      known.corrupt = corrupt;
      known.generation = generation;
    }
    this.#placementChanged(file, key);
  }

  #settleIfWhole(file: FileEntry): void {
    const health = file.deleted ? null : this.#healthOf(file, file.registeredAtMs);
    if (health !== null && !health.settling) file.settled = true;
  }

  #hasRoom(file: FileEntry, shareNumber: number): boolean {
    if (file.placements.size < mostOtherPlacements) return true;
    const numbers = new Set([...file.placements.values()].map((placement) => placement.shareNumber));
    if (!numbers.has(shareNumber) || file.placements.size - numbers.size < mostOtherPlacements) return true;
    this.refusedPlacements++;
    return false;
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
    const file = this.#entry(registration.manifest.storageIndex, 'owner');
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
    const file = this.#entry(index, 'owner');
    if (file === null || file.deleted) return;
    file.deleted = true;
    this.#changedFiles.add(file);
    this.#touched.add(file);
  }

  #entry(index: StorageIndex, by: 'event' | 'owner'): FileEntry | null {
    const known = this.#files.get(index);
    if (known !== undefined) return known;
    const { files, registeredFiles } = this.#limits;
    if (by === 'owner' ? this.registeredCount >= registeredFiles : this.#files.size >= files) {
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
    this.#changedPlacements.note(file.storageIndex, key);
  }

  sweep(atMs: number): Sweep & { readonly shortfall: ExpectedShortfall } {
    const changed: FileHealth[] = [];
    const totals = new TotalsCount();
    const shortfall = { filesBelowK: 0, filesBelowRepair: 0 };
    this.#touched.clear();
    for (const file of this.#files.values()) {
      if (file.deleted) continue;
      const health = this.#lookAt(file, changed, atMs);
      totals.add(health);
      if (health === null || health.settling) continue;
      const expected = this.#expectedShares(file, health.manifest.n);
      const isBelow = (threshold: number): boolean => health.available >= threshold && expected < threshold;
      if (isBelow(health.manifest.k)) shortfall.filesBelowK++;
      if (isBelow(health.policy.repairBelow)) shortfall.filesBelowRepair++;
    }
    return { totals: totals.totals(), shortfall, changed };
  }

  sweepBeside(atMs: number, mostChanged: number): Promise<SweepBeside> {
    const { totals, changed } = this.sweep(atMs);
    const reported = changed.slice(0, mostChanged);
    for (const { storageIndex } of changed.slice(mostChanged)) this.#forgetReported(storageIndex);
    return Promise.resolve({
      totals,
      exposure: exposureOf(this.#judged(atMs), this.#options.peers),
      changedCount: reported.length,
      changedLater: changed.length - reported.length,
      changed: () => reported,
    });
  }

  expectedShares(index: StorageIndex, atMs: number): number | undefined {
    const file = this.#files.get(index);
    const health = this.health(index, atMs);
    return file === undefined || health === undefined ? undefined : this.#expectedShares(file, health.manifest.n);
  }

  /** Of each available share, the confidence in the most trusted peer that has it. */
  #expectedShares({ placements }: FileEntry, n: number): number {
    const trust = new Map<number, number>();
    for (const { shareNumber, corrupt, peer } of placements.values()) {
      const row = this.#options.peers.row(peer);
      if (corrupt || !row.available || shareNumber >= n) continue;
      trust.set(shareNumber, Math.max(row.confidence, trust.get(shareNumber) ?? 0));
    }
    return [...trust.values()].reduce((sum, confidence) => sum + confidence, 0) / fullConfidence;
  }

  *#judged(atMs: number): Generator<JudgedFile> {
    for (const { storageIndex } of this.#files.values()) {
      const health = this.health(storageIndex, atMs);
      if (health !== undefined && !health.settling) yield { health, placements: this.placements(storageIndex) };
    }
  }

  #forgetReported(index: StorageIndex): void {
    const file = this.#files.get(index);
    if (file !== undefined) file.health = null;
  }

  lookAtTouched(atMs: number): readonly FileHealth[] {
    return this.lookAtSome(atMs, Number.POSITIVE_INFINITY).changed;
  }

  lookAtSome(atMs: number, mostFiles: number): Look {
    const changed: FileHealth[] = [];
    let looked = 0;
    for (const file of this.#touched) {
      if (looked++ >= mostFiles) break;
      this.#touched.delete(file);
      if (!file.deleted) this.#lookAt(file, changed, atMs);
    }
    return { changed, left: this.#touched.size };
  }

  reap(): boolean {
    return false;
  }

  #lookAt(file: FileEntry, changed: FileHealth[], atMs: number): FileHealth | null {
    const health = this.#healthOf(file, atMs);
    if (health === null) return null;
    if (!health.settling) file.settled = true;
    if (file.health !== null && sameHealth(file.health, health)) return health;
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
    return { placements: this.#takePlacementRows(Number.POSITIVE_INFINITY), ...this.takeFileChanges() };
  }

  takePlacements(mostRows: number): PlacementBlock & { readonly left: number } {
    const rows = this.#takePlacementRows(mostRows);
    return { ...placementBlockOf(rows), left: this.#changedPlacements.size };
  }

  #takePlacementRows(mostRows: number): PlacementRow[] {
    return this.#changedPlacements.take(mostRows).map(({ storageIndex, key }) => {
      const placement = this.#files.get(storageIndex)?.placements.get(key);
      return {
        storageIndex,
        shareNumber: key % 256,
        peer: this.#options.peers.row(Math.floor(key / 256)).peer,
        state: placement === undefined ? 'lost' : placement.corrupt ? 'corrupt' : 'stored',
        generation: placement?.generation ?? 0,
      };
    });
  }

  takeFileChanges(): Pick<ShareMapChanges, 'files' | 'applied'> {
    const files: FileRow[] = [];
    for (const file of this.#changedFiles) {
      const registration = file.registration ?? unknownRegistration(file.storageIndex);
      files.push({ ...registration, deleted: file.deleted, registeredAtMs: file.registeredAtMs });
    }
    this.#changedFiles.clear();
    return { files, applied: this.progress.takeChanged() };
  }

  load(rows: StoredShareMap): void {
    for (const row of rows.files) {
      const file = this.#entry(row.manifest.storageIndex, 'owner');
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
      const file = row.state === 'lost' ? null : this.#entry(row.storageIndex, 'event');
      if (file === null) continue;
      const peer = this.#options.peers.numberOf(row.peer);
      const key = placementKey(peer, row.shareNumber);
      if (!file.placements.has(key)) {
        if (!this.#hasRoom(file, row.shareNumber)) continue;
        this.placementCount++;
      }
      file.placements.set(key, {
        shareNumber: row.shareNumber,
        peer,
        corrupt: row.state === 'corrupt',
        generation: row.generation,
      });
    }
    this.progress.load(rows.applied);
  }

  loadFiles(block: FileBlock): void {
    this.load({ ...nothing, files: fileRowsOf(block) });
  }

  markSettled(storageIndexes: Uint8Array): void {
    const settled = Array.from({ length: storageIndexes.length / storageIndexBytes }, (_, i) =>
      storageIndexFromBytes(storageIndexes, i * storageIndexBytes),
    );
    this.load({ ...nothing, settled });
  }

  loadPlacements(block: PlacementBlock): void {
    this.load({ ...nothing, placements: placementRowsOf(block) });
  }

  /** For tests and answers about one peer. */
  appliedOf(peer: PeerId): AppliedOrder | undefined {
    return this.progress.find(peer);
  }
}
