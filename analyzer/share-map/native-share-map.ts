/**
 * The share map on the native core: the rules of `PlainShareMap`, at some 4 bytes a share. Here are names and order (which
 * peer has which number, which batch is new); shares, files and health are the core's.
 */
import type { Coding } from '#mesh/coding.ts';
import { gradeOf, marginOf } from '#mesh/grade.ts';
import { compareOrder } from '#mesh/incarnation.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { Policy } from '#mesh/policy.ts';
import {
  type StorageIndex,
  storageIndexBytes,
  storageIndexFromBytes,
  storageIndexToBytes,
} from '#mesh/storage-index.ts';
import {
  type ChangedFileColumns,
  NativeShareMap as Core,
  healthFigures,
  type NativePlacementColumns,
  nativePlacementStates,
  noFileClass,
  noTolerance,
  type SweepColumns,
} from '#native/share-map.ts';
import { type ClassOfFiles, FileClasses } from './file-classes.ts';
import { totalsOf } from './native-totals.ts';
import { type Exposure, PeerNumbering } from './peer-numbering.ts';
import type { PeerTable } from './peer-table.ts';
import {
  type AppliedOrder,
  type ApplyOutcome,
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

export interface NativeShareMapOptions {
  readonly peers: PeerTable;
  /** Asked once for each coding, tag and origin; the answer is kept. */
  readonly policyFor: (coding: Coding, tag: string) => Policy;
  /** Files beyond this are refused and counted in `refusedFiles`. */
  readonly maxFiles: number;
  /** How long a new file may take to show its shares before it is judged. */
  readonly settleMs: number;
  /** Threads of a sweep. @default 1 */
  readonly sweepThreads?: number;
}

export interface FullSweep extends Sweep {
  readonly exposure: Exposure;
  /** Changed files that the bound on `changed` left for the next sweep. */
  readonly changedLater: number;
}

/** Changed placements in columns, ready for the store: peers are numbers of the peer table. */
export interface PlacementChangeColumns extends NativePlacementColumns {
  readonly left: number;
}

interface PeerProgress {
  incarnation: number;
  sequence: number;
  generation: number;
  openGeneration: number;
}

/** Slabs reaped beside each batch while placements of ended inventories wait: below a millisecond. */
const slabsReapedPerBatch = 32;
const rowsPerLoad = 20_000;

export class NativeShareMap implements ShareMap {
  readonly #options: NativeShareMapOptions;
  readonly #core: Core;
  readonly #classes: FileClasses;
  readonly #peers: PeerNumbering;
  readonly #progress = new Map<number, PeerProgress>();
  readonly #changedProgress = new Set<number>();
  #reaping = false;

  constructor(options: NativeShareMapOptions) {
    this.#options = options;
    this.#core = new Core({ maxFiles: options.maxFiles, settleMs: options.settleMs });
    this.#classes = new FileClasses(this.#core, options.policyFor);
    this.#peers = new PeerNumbering(this.#core, options.peers);
  }

  get fileCount(): number {
    return this.#core.counts.files;
  }

  get placementCount(): number {
    return this.#core.counts.placements;
  }

  /** Files that found no room. */
  get refusedFiles(): number {
    return this.#core.counts.refusedFiles;
  }

  /** Memory of all that is kept of files and shares. */
  get memoryBytes(): number {
    return this.#core.memoryBytes;
  }

  // --- what the log says -------------------------------------------------------------------------------------------

  apply(batch: PeerBatch, atMs: number): ApplyOutcome {
    const peer = this.#options.peers.numberOf(batch.peer);
    const progress = this.#progress.get(peer) ?? { incarnation: 0, sequence: 0, generation: 0, openGeneration: 0 };
    if (compareOrder(batch, progress) <= 0) return { applied: false, events: 0, forgotten: 0, conflicts: 0 };
    this.#progress.set(peer, progress);
    this.#changedProgress.add(peer);
    progress.incarnation = batch.incarnation;
    progress.sequence = batch.sequence;
    this.#peers.update();

    const conflicts = this.#register(batch.registrations, atMs);
    if (batch.inventory?.phase === 'begin') progress.openGeneration = batch.inventory.generation;
    const generation = progress.openGeneration === 0 ? progress.generation : progress.openGeneration;
    this.#core.apply(peer, generation, batch.storageIndexes, batch.shareNumbers, batch.kinds);
    let forgotten = 0;
    // Without its begin an inventory has not named everything: its end takes nothing away.
    const ends = batch.inventory?.phase === 'end' && progress.openGeneration !== 0;
    if (ends && batch.inventory?.generation === progress.openGeneration) {
      progress.generation = progress.openGeneration;
      progress.openGeneration = 0;
      forgotten = this.#core.endInventory(peer, progress.generation);
      if (forgotten > 0) this.#reaping = true;
    }
    if (this.#reaping) this.#reaping = this.#core.reap(slabsReapedPerBatch);
    if (batch.deletedFiles.length > 0) this.#core.deleteFiles(batch.deletedFiles);
    return { applied: true, events: batch.kinds.length, forgotten, conflicts };
  }

  #register(registrations: readonly FileRegistration[], atMs: number): number {
    return registrations.length === 0 ? 0 : this.#core.registerFiles(this.#registrationColumns(registrations), atMs);
  }

  #registrationColumns(registrations: readonly FileRegistration[]): Parameters<Core['registerFiles']>[0] {
    const uebHashes = new Uint8Array(registrations.length * 32);
    registrations.forEach(({ manifest }, i) => uebHashes.set(manifest.uebHash, i * 32));
    return {
      storageIndexes: indexColumn(registrations.map(({ manifest }) => manifest.storageIndex)),
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
    for (const indexes of chunksOf(rows.settled ?? [], rowsPerLoad)) this.#core.markSettled(indexColumn(indexes));
    for (const placements of chunksOf(rows.placements, rowsPerLoad)) {
      this.loadPlacementColumns({
        storageIndexes: indexColumn(placements.map(({ storageIndex }) => storageIndex)),
        shareNumbers: Uint8Array.from(placements, ({ shareNumber }) => shareNumber),
        peers: Uint32Array.from(placements, ({ peer }) => this.#options.peers.numberOf(peer)),
        states: Uint8Array.from(placements, ({ state }) => nativePlacementStates[state]),
        generations: Uint32Array.from(placements, ({ generation }) => generation),
      });
    }
    for (const { peer, ...progress } of rows.applied) {
      this.#progress.set(this.#options.peers.numberOf(peer), { ...progress });
    }
  }

  /** Placements out of the store with no object for each; `peers` are numbers of the peer table. */
  loadPlacementColumns(placements: NativePlacementColumns): void {
    this.#core.loadPlacements(placements);
  }

  // --- looking -----------------------------------------------------------------------------------------------------

  sweep(atMs: number): FullSweep {
    this.#prepare();
    return this.#sweepOf(this.#core.sweepNow({ atMs, threads: this.#options.sweepThreads ?? 1 }));
  }

  /**
   * The same on other threads: neither the event loop nor `apply` waits for it. One at a time.
   * @param mostChanged bounds `changed`: the rest comes with the next sweep.
   */
  async sweepBeside(atMs: number, mostChanged?: number): Promise<FullSweep> {
    this.#peers.update();
    const threads = this.#options.sweepThreads ?? 1;
    return this.#sweepOf(
      await this.#core.sweep({ atMs, threads, ...(mostChanged === undefined ? {} : { mostChanged }) }),
    );
  }

  /** What a sweep would find with other peers, such as a region that is down; nothing is noted. */
  async whatIf(atMs: number, peers: PeerTable, mostChanged = 0): Promise<FullSweep> {
    this.#peers.update();
    const whatIfPeers = this.#peers.columnsOf(peers);
    const threads = this.#options.sweepThreads ?? 1;
    return this.#sweepOf(await this.#core.sweep({ atMs, threads, mostChanged, whatIfPeers }));
  }

  /**
   * Between changes of the peer table. A batch that only names again what was judged with the peers as they are touches
   * nothing, so after such a change a sweep tells more than a look.
   */
  lookAtTouched(atMs: number): readonly FileHealth[] {
    this.#prepare();
    return this.#healthsOf(this.#core.look(atMs));
  }

  health(index: StorageIndex, atMs: number): FileHealth | undefined {
    this.#peers.update();
    const columns = this.#core.health(storageIndexToBytes(index), atMs);
    return columns === null ? undefined : this.#healthsOf(columns)[0];
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
    const placements = this.takePlacementColumns();
    return { placements: this.#placementRows(placements), ...this.takeFileChanges() };
  }

  /**
   * Changed placements with no object for each; call until `left` is 0, then `takeFileChanges`. Within a call a placement
   * stands once; over several it may stand again, the same.
   */
  takePlacementColumns(mostRows?: number): PlacementChangeColumns {
    this.#reap();
    return this.#core.takePlacements(mostRows);
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
    const applied = [...this.#changedProgress].map((peer) => this.#appliedOrder(peer));
    this.#changedProgress.clear();
    return { files, applied };
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

  #appliedOrder(peer: number): AppliedOrder {
    return { peer: this.#options.peers.row(peer).peer, ...(this.#progress.get(peer) as PeerProgress) };
  }

  /** For tests and answers about one peer. */
  appliedOf(peer: PeerId): AppliedOrder | undefined {
    const number = this.#options.peers.find(peer);
    return number === undefined || !this.#progress.has(number) ? undefined : this.#appliedOrder(number);
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
      changed: this.#healthsOf(columns.changed),
      changedLater: columns.changedLater,
      exposure: this.#peers.exposureOf(columns),
    };
  }

  #healthsOf(columns: ChangedFileColumns): readonly FileHealth[] {
    return Array.from({ length: columns.count }, (_, i) => this.#healthOf(columns, i));
  }

  #healthOf(columns: ChangedFileColumns, i: number): FileHealth {
    const ofClass = this.#classes.get(columns.classes[i] as number);
    const index = storageIndexFromBytes(columns.storageIndexes, i * storageIndexBytes);
    const uebHash = columns.uebHashes.slice(i * 32, i * 32 + 32);
    const { manifest, tag } = registrationOf(ofClass, index, uebHash, columns.sizesBytes[i] as number);
    const figure = (name: Exclude<keyof typeof healthFigures, 'each'>): number =>
      columns.figures[i * healthFigures.each + healthFigures[name]] as number;
    const available = figure('available');
    const kinds = columns.tolerance.length / columns.count;
    const toleranceDomains: Record<string, number> = {};
    for (let kind = 0; kind < kinds; kind++) {
      const tolerance = columns.tolerance[i * kinds + kind] as number;
      if (tolerance !== noTolerance) toleranceDomains[this.#peers.kindName(kind)] = tolerance;
    }
    return {
      storageIndex: index,
      manifest,
      tag,
      policy: ofClass.policy,
      available,
      counted: figure('counted'),
      retained: figure('retained'),
      corrupt: figure('corrupt'),
      margin: marginOf(available, manifest.k),
      grade: gradeOf(available, ofClass.policy),
      settling: figure('settling') === 1,
      distinctPeers: figure('distinctPeers'),
      happiness: figure('happiness'),
      tolerancePeers: figure('tolerancePeers'),
      toleranceDomains,
    };
  }
}

function registrationOf(
  { k, n, tag, origin }: ClassOfFiles,
  storageIndex: StorageIndex,
  uebHash: Uint8Array,
  sizeBytes: number,
): FileRegistration {
  return { manifest: { storageIndex, uebHash, k, n, sizeBytes }, origin, tag };
}

function placementStateOf(state: number): PlacementRow['state'] {
  if (state === nativePlacementStates.stored) return 'stored';
  return state === nativePlacementStates.corrupt ? 'corrupt' : 'lost';
}

function indexColumn(indexes: readonly StorageIndex[]): Uint8Array {
  const column = new Uint8Array(indexes.length * storageIndexBytes);
  indexes.forEach((index, i) => column.set(storageIndexToBytes(index), i * storageIndexBytes));
  return column;
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
