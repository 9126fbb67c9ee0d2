/**
 * The share map on the native core: the rules of `PlainShareMap`, at some 4 bytes a share. Here are names and order (which
 * peer has which number, which batch is new); shares, files and health are the core's.
 */
import { eventKinds, type FileRegistration, type PeerBatch, type ShareFinding } from '#mesh/events/share-batch.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import {
  type StorageIndex,
  storageIndexBytes,
  storageIndexFromBytes,
  storageIndexToBytes,
} from '#mesh/storage-index.ts';
import {
  NativeShareMap as Core,
  fullConfidence,
  type NativePlacementColumns,
  nativePlacementStates,
  noFileClass,
  type SweepColumns,
} from '#native/share-map.ts';
import { FileClasses } from './file-classes.ts';
import { type AppliedOrder, type FileRow, type PlacementRow } from './kept-rows.ts';
import { NativeHealth, registrationOf } from './native-health.ts';
import { totalsOf } from './native-totals.ts';
import { type Exposure, PeerNumbering } from './peer-numbering.ts';
import { PeerProgress } from './peer-progress.ts';
import type { PeerTable } from './peer-table.ts';
import {
  type ApplyOutcome,
  type ExpectedShortfall,
  type FileHealth,
  type Look,
  type PlacementView,
  type ShareMap,
  type ShareMapChanges,
  type ShareMapLimits,
  type ShareMapOptions,
  type StoredShareMap,
  type Sweep,
  type SweepBeside,
  unknownRegistration,
} from './share-map.ts';
import { type FileBlock, type PlacementBlock, storageIndexColumn } from './stored-blocks.ts';

export interface NativeShareMapOptions extends ShareMapOptions {
  /** Threads of a sweep. @default 1 */
  readonly sweepThreads?: number;
}

/** A sweep that somebody asks for: with what may be expected by the confidence in peers. */
export interface FullSweep extends Sweep {
  readonly shortfall: ExpectedShortfall;
  readonly exposure: Exposure;
  /** Changed files that the bound on `changed` left for the next sweep. */
  readonly changedLater: number;
}

/** Changed placements in columns, ready for the store: peers are numbers of the peer table. */
export interface PlacementChangeColumns extends NativePlacementColumns {
  readonly left: number;
}

/** Slabs reaped beside each batch while placements of ended inventories wait, and in a turn of its own: well below 10 ms. */
const slabsReapedPerBatch = 32;
const slabsReapedPerTurn = 128;
const rowsPerLoad = 20_000;

export class NativeShareMap implements ShareMap {
  readonly #options: NativeShareMapOptions;
  readonly #core: Core;
  readonly #classes: FileClasses;
  readonly #peers: PeerNumbering;
  readonly #healths: NativeHealth;
  readonly progress: PeerProgress;
  #reaping = false;
  /** Peers that have left, by number: the slab to go on with. */
  readonly #leaving = new Map<number, number>();

  constructor(options: NativeShareMapOptions) {
    this.#options = options;
    this.#core = new Core({ maxFiles: options.maxFiles, settleMs: options.settleMs });
    this.#classes = new FileClasses(this.#core, options.policyFor);
    this.#peers = new PeerNumbering(this.#core, options.peers);
    this.#healths = new NativeHealth(this.#classes, this.#peers);
    this.progress = new PeerProgress();
  }

  get fileCount(): number {
    return this.#core.counts.files;
  }

  get registeredCount(): number {
    const { files, unregisteredFiles } = this.#core.counts;
    return files - unregisteredFiles;
  }

  get refusedUnregistered(): number {
    return this.#core.counts.refusedUnregistered;
  }

  limit(limits: ShareMapLimits): void {
    this.#core.limit(limits);
  }

  freeUnregistered(peer: PeerId): void {
    const number = this.#options.peers.find(peer);
    if (number !== undefined) this.#leaving.set(number, 0);
  }

  get placementCount(): number {
    return this.#core.counts.placements;
  }

  /** Files that found no room. */
  get refusedFiles(): number {
    return this.#core.counts.refusedFiles;
  }

  /** New placements of files that had as many as one may. */
  get refusedPlacements(): number {
    return this.#core.counts.refusedPlacements;
  }

  /** Memory of all that is kept of files and shares. */
  get memoryBytes(): number {
    return this.#core.memoryBytes;
  }

  // --- what the log says -------------------------------------------------------------------------------------------

  apply(batch: PeerBatch, atMs: number): ApplyOutcome {
    const step = this.progress.take(batch);
    if (step === null) return { applied: false, events: 0, forgotten: 0, conflicts: 0 };
    const conflicts = this.#register(batch.registrations, atMs);
    const { generation, endsInventory } = step;
    // Who holds nothing needs no number.
    const peer = batch.kinds.length > 0 || endsInventory ? this.#options.peers.numberOf(batch.peer) : 0;
    this.#peers.update();
    if (batch.kinds.length > 0) {
      this.#core.apply(peer, generation, batch.storageIndexes, batch.shareNumbers, batch.kinds);
    }
    const forgotten = endsInventory ? this.#core.endInventory(peer, generation) : 0;
    if (forgotten > 0) this.#reaping = true;
    if (this.#reaping) this.#reaping = this.#core.reap(slabsReapedPerBatch);
    if (batch.deletedFiles.length > 0) this.#core.deleteFiles(batch.deletedFiles);
    return { applied: true, events: batch.kinds.length, forgotten, conflicts };
  }

  applyFinding({ storageIndex, peer, shareNumber }: ShareFinding): boolean {
    const known = this.placements(storageIndexFromBytes(storageIndex)).find(
      (placement) => placement.peer === peer && placement.shareNumber === shareNumber,
    );
    if (known === undefined || known.corrupt) return false;
    const number = this.#options.peers.numberOf(peer);
    const [numbers, kinds] = [Uint8Array.of(shareNumber), Uint8Array.of(eventKinds.corrupt)];
    this.#peers.update();
    this.#core.apply(number, this.progress.generationOf(peer), storageIndex, numbers, kinds);
    return true;
  }

  #register(registrations: readonly FileRegistration[], atMs: number): number {
    return registrations.length === 0 ? 0 : this.#core.registerFiles(this.#registrationColumns(registrations), atMs);
  }

  #registrationColumns(registrations: readonly FileRegistration[]): Parameters<Core['registerFiles']>[0] {
    const uebHashes = new Uint8Array(registrations.length * 32);
    registrations.forEach(({ manifest }, i) => uebHashes.set(manifest.uebHash, i * 32));
    return {
      storageIndexes: storageIndexColumn(registrations.map(({ manifest }) => manifest.storageIndex)),
      uebHashes,
      sizesBytes: Float64Array.from(registrations, ({ manifest }) => manifest.sizeBytes),
      classes: Uint32Array.from(registrations, (registration) => this.#classes.numberOf(registration)),
    };
  }

  load(rows: StoredShareMap): void {
    for (const files of chunksOf(rows.files, rowsPerLoad)) {
      this.#core.loadFiles({
        ...this.#registrationColumns(files),
        registeredAtMs: Float64Array.from(files, ({ registeredAtMs }) => registeredAtMs),
        deleted: Uint8Array.from(files, ({ deleted }) => (deleted ? 1 : 0)),
      });
    }
    for (const indexes of chunksOf(rows.settled ?? [], rowsPerLoad))
      this.#core.markSettled(storageIndexColumn(indexes));
    for (const placements of chunksOf(rows.placements, rowsPerLoad)) {
      this.loadPlacementColumns({
        storageIndexes: storageIndexColumn(placements.map(({ storageIndex }) => storageIndex)),
        shareNumbers: Uint8Array.from(placements, ({ shareNumber }) => shareNumber),
        peers: Uint32Array.from(placements, ({ peer }) => this.#options.peers.numberOf(peer)),
        states: Uint8Array.from(placements, ({ state }) => nativePlacementStates[state]),
        generations: Uint32Array.from(placements, ({ generation }) => generation),
      });
    }
    this.progress.load(rows.applied);
  }

  /** Placements out of the store with no object for each; `peers` are numbers of the peer table. */
  loadPlacementColumns(placements: NativePlacementColumns): void {
    this.#core.loadPlacements(placements);
  }

  loadFiles(block: FileBlock): void {
    this.#core.loadFiles({ ...block, classes: this.#classes.numbersOf(block) });
  }

  markSettled(storageIndexes: Uint8Array): void {
    this.#core.markSettled(storageIndexes);
  }

  loadPlacements({ peers, peerIndexes, ...columns }: PlacementBlock): void {
    const numbers = this.#options.peers.numbersOf(peers);
    this.loadPlacementColumns({ ...columns, peers: Uint32Array.from(peerIndexes, (i) => numbers[i] as number) });
  }

  // --- looking -----------------------------------------------------------------------------------------------------

  sweep(atMs: number): FullSweep {
    this.#prepare();
    return this.#sweepOf(this.#core.sweepNow({ atMs, threads: this.#options.sweepThreads ?? 1 }));
  }

  /** On other threads: neither the event loop nor `apply` waits for it. One at a time. */
  async sweepBeside(atMs: number, mostChanged: number): Promise<SweepBeside> {
    this.#peers.update();
    const columns = await this.#core.sweep({ atMs, threads: this.#options.sweepThreads ?? 1, mostChanged });
    const { changed, changedLater } = columns;
    return {
      totals: totalsOf(columns, this.#classes),
      exposure: this.#peers.exposureOf(columns),
      changedCount: changed.count,
      changedLater,
      changed: () => this.#healths.each(changed),
    };
  }

  /** What a sweep would find with other peers, such as a region that is down, or less confidence in some; nothing is noted. */
  async whatIf(atMs: number, peers: PeerTable, mostChanged = 0): Promise<FullSweep> {
    this.#peers.update();
    const whatIfPeers = this.#peers.columnsOf(peers);
    const threads = this.#options.sweepThreads ?? 1;
    return this.#sweepOf(await this.#core.sweep({ atMs, threads, mostChanged, whatIfPeers }));
  }

  /** How many of the file's available shares may be expected by the confidence in the peers that have them. */
  expectedShares(index: StorageIndex, atMs: number): number | undefined {
    this.#peers.update();
    const columns = this.#core.health(storageIndexToBytes(index), atMs);
    return columns === null ? undefined : (columns.expected[0] as number) / fullConfidence;
  }

  /**
   * Between changes of the peer table. A batch that only names again what was judged with the peers as they are touches
   * nothing, so after such a change a sweep tells more than a look.
   */
  lookAtTouched(atMs: number): readonly FileHealth[] {
    this.#prepare();
    return this.#healths.all(this.#core.look(atMs));
  }

  lookAtSome(atMs: number, mostFiles: number): Look {
    this.#peers.update();
    const columns = this.#core.look(atMs, mostFiles);
    return { changed: this.#healths.all(columns), left: columns.left };
  }

  reap(): boolean {
    if (this.#reaping) this.#reaping = this.#core.reap(slabsReapedPerTurn);
    this.#freeSome();
    return this.#reaping || this.#leaving.size > 0;
  }

  #freeSome(): void {
    for (const [peer, slab] of this.#leaving) {
      const next = this.#core.freeUnregistered(peer, slab, slabsReapedPerTurn);
      if (next === 0) this.#leaving.delete(peer);
      else this.#leaving.set(peer, next);
      return;
    }
  }

  health(index: StorageIndex, atMs: number): FileHealth | undefined {
    this.#peers.update();
    const columns = this.#core.health(storageIndexToBytes(index), atMs);
    return columns === null ? undefined : this.#healths.of(columns, 0);
  }

  find(index: StorageIndex): { registration: FileRegistration | null; deleted: boolean } | undefined {
    const file = this.#core.find(storageIndexToBytes(index));
    if (file === null) return undefined;
    const { uebHash, sizeBytes, deleted } = file;
    if (!file.registered) return { registration: null, deleted };
    return { registration: registrationOf(this.#classes.get(file.fileClass), index, uebHash, sizeBytes), deleted };
  }

  placements(index: StorageIndex): readonly PlacementView[] {
    const { shareNumbers, peers, states } = this.#core.placements(storageIndexToBytes(index));
    return Array.from(shareNumbers, (shareNumber, i) => {
      const row = this.#options.peers.row(peers[i] as number);
      const sound = states[i] !== nativePlacementStates.corrupt;
      return {
        shareNumber,
        peer: row.peer,
        corrupt: !sound,
        available: sound && row.available,
        counted: sound && row.counted,
      };
    });
  }

  // --- changes for the store ---------------------------------------------------------------------------------------

  takeChanges(): ShareMapChanges {
    this.#reap();
    const placements = this.takePlacementColumns();
    return { placements: this.#placementRows(placements), ...this.takeFileChanges() };
  }

  /**
   * Changed placements with no object for each; call until `left` is 0, then `takeFileChanges`. Within a call a placement
   * stands once; over several it may stand again, the same.
   */
  takePlacementColumns(mostRows?: number): PlacementChangeColumns {
    return this.#core.takePlacements(mostRows);
  }

  takePlacements(mostRows: number): PlacementBlock & { readonly left: number } {
    const { peers: peerIndexes, ...columns } = this.takePlacementColumns(mostRows);
    return { ...columns, count: peerIndexes.length, peers: this.#options.peers.idBytes, peerIndexes };
  }

  takeFileChanges(): Pick<ShareMapChanges, 'files' | 'applied'> {
    const columns = this.#core.takeFiles();
    const files = Array.from(columns.classes, (fileClass, i): FileRow => {
      const index = storageIndexFromBytes(columns.storageIndexes, i * storageIndexBytes);
      const uebHash = columns.uebHashes.slice(i * 32, i * 32 + 32);
      const sizeBytes = columns.sizesBytes[i] as number;
      return {
        ...(fileClass === noFileClass
          ? unknownRegistration(index)
          : registrationOf(this.#classes.get(fileClass), index, uebHash, sizeBytes)),
        deleted: columns.deleted[i] === 1,
        registeredAtMs: columns.registeredAtMs[i] as number,
      };
    });
    return { files, applied: this.progress.takeChanged() };
  }

  #placementRows(columns: NativePlacementColumns): readonly PlacementRow[] {
    return Array.from(columns.shareNumbers, (shareNumber, i) => ({
      storageIndex: storageIndexFromBytes(columns.storageIndexes, i * storageIndexBytes),
      shareNumber,
      peer: this.#options.peers.row(columns.peers[i] as number).peer,
      state: placementStateOf(columns.states[i] as number),
      generation: columns.generations[i] as number,
    }));
  }

  /** For tests and answers about one peer. */
  appliedOf(peer: PeerId): AppliedOrder | undefined {
    return this.progress.find(peer);
  }

  // --- inside ------------------------------------------------------------------------------------------------------

  #prepare(): void {
    this.#reap();
    this.#peers.update();
  }

  #reap(): void {
    if (this.#reaping) this.#reaping = this.#core.reap();
  }

  #sweepOf(columns: SweepColumns): FullSweep {
    return {
      totals: totalsOf(columns, this.#classes),
      shortfall: shortfallOf(columns),
      changed: this.#healths.all(columns.changed),
      changedLater: columns.changedLater,
      exposure: this.#peers.exposureOf(columns),
    };
  }
}

const shortfallOf = ({ expectedBelowK, expectedBelowRepair }: SweepColumns): ExpectedShortfall => ({
  filesBelowK: expectedBelowK,
  filesBelowRepair: expectedBelowRepair,
});

function placementStateOf(state: number): PlacementRow['state'] {
  if (state === nativePlacementStates.stored) return 'stored';
  return state === nativePlacementStates.corrupt ? 'corrupt' : 'lost';
}

function* chunksOf<T>(rows: Iterable<T>, size: number): Generator<readonly T[]> {
  let chunk: T[] = [];
  for (const row of rows) {
    chunk.push(row);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
